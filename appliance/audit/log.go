package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Log appends to one file. It is safe for concurrent use.
type Log struct {
	now func() time.Time

	mu     sync.Mutex
	file   file
	head   Head
	ends   []int64 // offset behind each line, by seq-1
	failed error   // of an append whose bytes may or may not be on the disk
}

// file is what the log needs of an *os.File.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
	Stat() (os.FileInfo, error)
}

// Open verifies the whole log at path, making an empty one when there is none, and takes it for this
// process. An unfinished last line is replaced by an entry that says so. Any other damage is ErrBroken.
func Open(path string, now func() time.Time) (*Log, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%w: %s; stop the other vouchd first", ErrLocked, path)
		}
		return nil, errors.Join(err, f.Close())
	}
	l, err := open(f, now)
	if err == nil {
		err = syncDirectory(filepath.Dir(path))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open audit log %s: %w", path, err), f.Close())
	}
	return l, nil
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func open(f file, now func() time.Time) (*Log, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	l := &Log{now: now, file: f}
	l.head, err = walk(io.NewSectionReader(f, 0, info.Size()), func(end int64) { l.ends = append(l.ends, end) })
	if errors.Is(err, ErrTorn) {
		return l, l.repair(info.Size() - l.size())
	}
	return l, err
}

// repair writes the new entry over the unfinished line before it cuts the rest off: a power cut in the
// middle leaves an unfinished line again, or the entry and a rest, and the next Open repairs that. At no
// time is the damage gone without an entry that tells of it.
func (l *Log) repair(torn int64) error {
	if err := l.append(RepairedEvent, map[string]string{"bytes": strconv.FormatInt(torn, 10)}); err != nil {
		return err
	}
	return errors.Join(l.file.Truncate(l.size()), l.file.Sync())
}

// size is the length of the complete lines.
func (l *Log) size() int64 {
	if len(l.ends) == 0 {
		return 0
	}
	return l.ends[len(l.ends)-1]
}

// Append writes one entry. Once it returns nil the entry survives a power cut.
func (l *Log) Append(ctx context.Context, event string, fields map[string]string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if l.failed != nil {
		return l.failed
	}
	return l.append(event, fields)
}

func (l *Log) append(event string, fields map[string]string) error {
	e, err := next(l.head, l.now(), event, fields)
	if err != nil {
		return err
	}
	line, err := e.line()
	if err != nil {
		return err
	}
	size := l.size()
	if _, err := l.file.WriteAt(line, size); err != nil {
		if undo := l.file.Truncate(size); undo != nil {
			return l.fail(errors.Join(err, undo))
		}
		return fmt.Errorf("append to the audit log: %w", err)
	}
	if err := l.file.Sync(); err != nil {
		return l.fail(err)
	}
	l.ends = append(l.ends, size+int64(len(line)))
	l.head = Head{Seq: e.Seq, Hash: e.Hash, At: e.At}
	return nil
}

// fail stops the log: after a failed fsync nobody knows what is on the disk (fsync(2), EIO).
func (l *Log) fail(err error) error {
	l.failed = fmt.Errorf("the audit log cannot be written until vouchd is restarted: %w", err)
	return l.failed
}

// Head is the newest entry's.
func (l *Log) Head() Head {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

// Entries returns at most limit entries after seq, oldest first.
func (l *Log) Entries(ctx context.Context, after uint64, limit int) ([]Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries := []Entry{}
	for i := after; i < uint64(len(l.ends)) && len(entries) < limit; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := l.entryAt(int(i))
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func (l *Log) entryAt(i int) (Entry, error) {
	start := int64(0)
	if i > 0 {
		start = l.ends[i-1]
	}
	line := make([]byte, l.ends[i]-start)
	if _, err := l.file.ReadAt(line, start); err != nil {
		return Entry{}, fmt.Errorf("read audit entry %d: %w", i+1, err)
	}
	e, err := parse(line)
	if err != nil {
		return Entry{}, brokenAt(uint64(i)+1, "%w", err)
	}
	return e, nil
}

// Close gives the log back. Entries are durable without it.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.failed, ErrClosed) {
		return nil
	}
	l.failed = ErrClosed
	return l.file.Close()
}
