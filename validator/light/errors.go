package light

import (
	"errors"
	"fmt"
)

var (
	// ErrLying means that the node's answer does not fit what the chain's validators signed. The
	// cause is a [*LyingError]. Use another node; keep the error, it is the evidence.
	ErrLying = errors.New("the node's answer is not what the chain signed")
	// ErrAttack means that two nodes showed different blocks that both carry enough signatures: a
	// third or more of the validators signed twice. Nothing is read until a person has looked: the
	// evidence is in the client's folder, and stays there over restarts.
	ErrAttack = errors.New("light client attack: two signed versions of the chain")
	// ErrNoWitness means that no second node confirmed a header. Nothing is known to be wrong, but
	// nothing was cross-checked: bring a witness back, or name another.
	ErrNoWitness = errors.New("no witness confirmed the header")
	// ErrUnreachable means that the node did not answer in time. Try again, or name another.
	ErrUnreachable = errors.New("the node cannot be reached")
	// ErrExpired means that the newest trusted block is older than the trust period: its validators
	// may have left with their stake. Pin a newer block from a source that you trust.
	ErrExpired = errors.New("the trusted block has expired")
	// ErrStale means that the newest block that the node shows is old: the node lags, hides blocks,
	// or the chain has halted. Try again, then another node.
	ErrStale = errors.New("the node shows no recent block")
	// ErrTrustChanged means that the configured trust root contradicts the stored one. If the change
	// is meant, remove the client's folder; if not, somebody changed the configuration.
	ErrTrustChanged = errors.New("the trust root differs from the one in use")
	// ErrNotIncluded means that no block is proven to carry the transaction yet. Ask again.
	ErrNotIncluded = errors.New("the transaction is not proven to be in a block")
	// ErrUnconfirmed comes with ErrNotIncluded when a block is said to carry the transaction and the
	// block after it, which commits to the result, is awaited.
	ErrUnconfirmed = errors.New("the next block is awaited")
	// ErrRefused means that a node does not take a transaction; the cause is a [*RefusedError]. It
	// is a node's word, not the chain's.
	ErrRefused = errors.New("the node refused the transaction")
	// ErrConfig means that a client cannot be made from its configuration.
	ErrConfig = errors.New("invalid light client configuration")
	// ErrStore means that the folder of trusted blocks cannot be read or written.
	ErrStore = errors.New("the store of trusted blocks failed")
)

// LyingError names the proof that failed.
type LyingError struct {
	Link string // which step: "header", "value", "key", "height", "transaction", "result", …
	What string // a sentence for a person
	Err  error  // the verifier's own words, may be nil
}

func (e *LyingError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s: %s; use another node", e.Link, e.What)
	}
	return fmt.Sprintf("%s: %s: %v; use another node", e.Link, e.What, e.Err)
}

// Unwrap lets errors.Is find [ErrLying] and the cause.
func (e *LyingError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrLying}
	}
	return []error{ErrLying, e.Err}
}

func lie(link string, err error, format string, args ...any) error {
	return &LyingError{Link: link, What: fmt.Sprintf(format, args...), Err: err}
}

// RefusedError is what a node answered to a broadcast.
type RefusedError struct {
	Codespace string
	Code      uint32 // ABCI code, never 0
	Log       string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the node refused the transaction with code %d of %q: %s", e.Code, e.Codespace, e.Log)
}

// Unwrap lets errors.Is find [ErrRefused].
func (e *RefusedError) Unwrap() error { return ErrRefused }
