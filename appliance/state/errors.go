package state

import "errors"

var (
	// ErrCorrupt means that a record is there and is not what was written. The text names the key and
	// what to do.
	ErrCorrupt = errors.New("corrupt record")
	// ErrLocked means that another process has the store open.
	ErrLocked = errors.New("state directory is in use")
	// ErrKey means that a key cannot name a record; the text says why.
	ErrKey = errors.New("invalid key")
	// ErrTooLarge means that a value is longer than MaxValue.
	ErrTooLarge = errors.New("value too large")
	// ErrClosed means that the store was closed.
	ErrClosed = errors.New("state store is closed")
)
