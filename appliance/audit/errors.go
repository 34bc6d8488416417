package audit

import (
	"errors"
	"fmt"
)

var (
	// ErrBroken means that the log is not what was written. Its text names the entry.
	ErrBroken = errors.New("audit log is broken")
	// ErrTorn means that the last line is unfinished: the power failed while it was written, and
	// whoever appended it was never told that it was there.
	ErrTorn = errors.New("the last line of the audit log is unfinished")
	// ErrEntry means that an entry is out of bounds; the text says which part.
	ErrEntry = errors.New("invalid audit entry")
	// ErrLocked means that another process writes the log.
	ErrLocked = errors.New("audit log is in use")
	// ErrClosed means that the log was closed.
	ErrClosed = errors.New("audit log is closed")
)

func brokenAt(seq uint64, format string, args ...any) error {
	return fmt.Errorf("%w at entry %d: %w; keep the file for inspection and start a new one", ErrBroken, seq, fmt.Errorf(format, args...))
}
