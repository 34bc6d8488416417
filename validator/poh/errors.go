package poh

import "errors"

var (
	// ErrDigest means that bytes or a text are not a SHA-256 digest.
	ErrDigest = errors.New("not a digest")
	// ErrRules means that an AI's rules cannot govern a vote; the text says which field and why.
	ErrRules = errors.New("invalid rules")
	// ErrDecision means that a decision is none of approve, reject, abstain.
	ErrDecision = errors.New("invalid decision")
	// ErrAmount means that a text is not an amount of HEART.
	ErrAmount = errors.New("invalid amount")
)
