package prover

import "errors"

var (
	// ErrNoMatch means that no live match allows a signature.
	ErrNoMatch = errors.New("there is no live match; touch the sensor again")
	// ErrChallenge means that the match answered another challenge than this vote's.
	ErrChallenge = errors.New("the match was made for something else")
	// ErrStaleMatch means that match or intent are too old, or from the future.
	ErrStaleMatch = errors.New("the match is not fresh; begin again")
	// ErrUsed means that the intent was released or replaced before. One match, one signature.
	ErrUsed = errors.New("the vote was already released or begun anew")
	// ErrPending means that a signed vote is under way: settle it first.
	ErrPending = errors.New("an earlier vote on this request is still under way")
	// ErrVoted means that the chain has this human's vote. There is one for ever.
	ErrVoted = errors.New("this human has voted on the request")
	// ErrWait means that an earlier vote failed, and could still be counted until its timeout.
	ErrWait = errors.New("an earlier vote on this request can still be counted")
	// ErrShown means that the chain's request is not the one that was shown. Show it again.
	ErrShown = errors.New("what was shown is not the chain's request")
	// ErrClosed means that the request takes no votes.
	ErrClosed = errors.New("the request is not open for votes")
	// ErrNotRegistered means that the chain knows no human with this box's vote key.
	ErrNotRegistered = errors.New("this box's vote key is not registered")
	// ErrRecord means that a stored record cannot be read. Nothing is signed for its request.
	ErrRecord = errors.New("the record of a vote cannot be read")
	// ErrConflict means that the chain holds a vote of this human that this box has no record of,
	// or holds none where its result says so. A person must look before this box votes again.
	ErrConflict = errors.New("the chain and this box's record disagree")
	// ErrConfig means that a prover cannot be made as asked.
	ErrConfig = errors.New("invalid prover configuration")
)
