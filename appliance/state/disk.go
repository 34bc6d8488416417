package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// disk is one directory. Its methods are the steps between which the power can fail.
type disk interface {
	// Create opens an empty file for writing, replacing what was there.
	Create(name string) (writable, error)
	Rename(from, to string) error
	// Remove deletes a file; one that is not there is fs.ErrNotExist.
	Remove(name string) error
	// Sync makes renames and removals durable.
	Sync() error
	// Read returns at most limit bytes of a file; one that is not there is fs.ErrNotExist.
	Read(name string, limit int64) ([]byte, error)
	List() ([]string, error)
}

type writable interface {
	io.WriteCloser
	Sync() error
}

// directory is the real disk, confined to its folder.
type directory struct {
	root *os.Root
	lock *os.File
}

const lockName = "lock"

// openDirectory makes the folder when needed and takes its lock. The kernel drops the lock with the
// process, however that ends (flock(2)).
func openDirectory(path string) (*directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	lock, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open state: %w", err), root.Close())
	}
	d := &directory{root: root, lock: lock}
	switch err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(fmt.Errorf("%w: %s; stop the other vouchd first", ErrLocked, path), d.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), d.Close())
	}
	return d, nil
}

func (d *directory) Create(name string) (writable, error) {
	f, err := d.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d *directory) Rename(from, to string) error { return d.root.Rename(from, to) }
func (d *directory) Remove(name string) error     { return d.root.Remove(name) }

func (d *directory) Sync() error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (d *directory) Read(name string, limit int64) ([]byte, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit))
	return b, errors.Join(err, f.Close())
}

func (d *directory) List() ([]string, error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (d *directory) Close() error { return errors.Join(d.lock.Close(), d.root.Close()) }
