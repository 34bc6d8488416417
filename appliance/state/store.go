package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
)

// Store is a directory of records. It is safe for concurrent use.
type Store struct {
	path  string
	disk  disk
	close func() error

	mu     sync.Mutex
	busy   map[string]*turn
	closed bool
}

// turn is the right to change one key; a token in the channel means that it is taken.
type turn struct {
	taken   chan struct{}
	waiters int
}

// Open takes the directory for this process alone, making it when it is not there, and removes what
// an interrupted change left behind. A second Open of the same directory is ErrLocked.
func Open(dir string) (*Store, error) {
	d, err := openDirectory(dir)
	if err != nil {
		return nil, err
	}
	s, err := newStore(dir, d, d.Close)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return s, nil
}

func newStore(path string, d disk, closeDisk func() error) (*Store, error) {
	names, err := d.List()
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, tempSuffix) {
			if err := d.Remove(name); err != nil {
				return nil, fmt.Errorf("open state: remove a leftover: %w", err)
			}
		}
	}
	return &Store{path: path, disk: d, close: closeDisk, busy: make(map[string]*turn)}, nil
}

// Close lets another process open the directory. Records are durable without it.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.close()
}

// Get returns the value of key, or nil when there is no such record. A damaged record is ErrCorrupt.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	if err := s.ready(ctx, key); err != nil {
		return nil, err
	}
	return s.read(key)
}

// Update replaces the value of key by what change returns for the present one, nil meaning that there
// is no record, in and out. When change fails nothing is written and its error is returned. Updates of
// one key wait for each other until ctx ends; change must not update the same key itself. Once Update
// returns nil the new value survives a power cut; after an error from the disk the record is the old or
// the new one, and Get says which this process sees.
func (s *Store) Update(ctx context.Context, key string, change func(cur []byte) (next []byte, err error)) error {
	if err := s.ready(ctx, key); err != nil {
		return err
	}
	release, err := s.take(ctx, key)
	if err != nil {
		return fmt.Errorf("wait to update record %q: %w", key, err)
	}
	defer release()

	cur, err := s.read(key)
	if err != nil {
		return err
	}
	next, err := change(cur)
	if err != nil {
		return err
	}
	if len(next) > MaxValue {
		return fmt.Errorf("%w: record %q: %d bytes, at most %d", ErrTooLarge, key, len(next), MaxValue)
	}
	if err := s.ready(ctx, key); err != nil {
		return err
	}
	if next == nil {
		err = s.remove(key)
	} else {
		err = s.write(key, next)
	}
	if err != nil {
		return fmt.Errorf("update record %q: %w", key, err)
	}
	return nil
}

// Keys returns the keys that start with prefix, in order. Damaged records are listed: they are there.
func (s *Store) Keys(ctx context.Context, prefix string) ([]string, error) {
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	names, err := s.disk.List()
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	keys := []string{}
	for _, name := range names {
		if key, ok := keyOf(name); ok && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, nil
}

func (s *Store) open(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	return ctx.Err()
}

func (s *Store) ready(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	return s.open(ctx)
}

func (s *Store) take(ctx context.Context, key string) (release func(), err error) {
	s.mu.Lock()
	t := s.busy[key]
	if t == nil {
		t = &turn{taken: make(chan struct{}, 1)}
		s.busy[key] = t
	}
	t.waiters++
	s.mu.Unlock()

	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if t.waiters--; t.waiters == 0 {
			delete(s.busy, key)
		}
	}
	select {
	case t.taken <- struct{}{}:
		return func() { <-t.taken; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

func (s *Store) read(key string) ([]byte, error) {
	b, err := s.disk.Read(fileName(key), maxRecord+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read record %q: %w", key, err)
	}
	value, err := decodeRecord(key, b)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w; check the disk, then move %s out of %s if it is safe that this record is forgotten (an older copy is a rollback)",
			ErrCorrupt, key, err, fileName(key), s.path)
	}
	return value, nil
}

func (s *Store) write(key string, value []byte) error {
	name := fileName(key)
	temp := name + tempSuffix
	f, err := s.disk.Create(temp)
	if err != nil {
		return err
	}
	_, err = f.Write(encodeRecord(key, value))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, s.disk.Remove(temp))
	}
	if err := s.disk.Rename(temp, name); err != nil {
		return errors.Join(err, s.disk.Remove(temp))
	}
	return s.disk.Sync()
}

func (s *Store) remove(key string) error {
	if err := s.disk.Remove(fileName(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.disk.Sync()
}
