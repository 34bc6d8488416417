package receipt

import (
	"errors"
	"fmt"
)

var (
	// ErrInvalid means that a link of the file does not hold; the cause is a [*LinkError]. Do not
	// believe anything the file says.
	ErrInvalid = errors.New("the receipt does not hold")
	// ErrNotFinal means that the request has no receipt yet: it is open, rejected, expired, or
	// approved and not executed.
	ErrNotFinal = errors.New("the request is not final")
	// ErrVoters means that the node did not name all voters. Ask another node.
	ErrVoters = errors.New("the votes found are not the votes counted")
)

// LinkError names the link that failed.
type LinkError struct {
	Link string
	Err  error
}

func (e *LinkError) Error() string { return fmt.Sprintf("%s: %v", e.Link, e.Err) }

// Unwrap lets errors.Is find [ErrInvalid] and the cause.
func (e *LinkError) Unwrap() []error { return []error{ErrInvalid, e.Err} }
