package poh

import "fmt"

// Decision is what a human answered.
type Decision uint8

// Abstain is for a conflict of interest or a lack of competence; it counts towards no side.
const (
	Approve Decision = iota + 1
	Reject
	Abstain
)

func (d Decision) String() string {
	switch d {
	case Approve:
		return "approve"
	case Reject:
		return "reject"
	case Abstain:
		return "abstain"
	}
	return fmt.Sprintf("decision(%d)", uint8(d))
}

// ParseDecision reads "approve", "reject" or "abstain".
func ParseDecision(s string) (Decision, error) {
	for _, d := range [...]Decision{Approve, Reject, Abstain} {
		if s == d.String() {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%w: %q is none of approve, reject, abstain", ErrDecision, s)
}

// MarshalText writes the word.
func (d Decision) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the word.
func (d *Decision) UnmarshalText(b []byte) error {
	v, err := ParseDecision(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// Shown is all that a human is shown of a request before answering. Its digest is what the vote
// signs: a box that shows one thing and signs another cannot be accepted by the chain, which
// computes the same digest from its own state.
type Shown struct {
	ChainID      string
	RequestID    uint64
	NFT          uint64
	Model        Digest // of the model's manifest
	RulesVersion uint64
	Rules        Digest
	Requester    string // bech32
	Purpose      string // one of the rules' purposes
	Instruction  string // what the requester wants, in words
	Payload      Digest
	PayloadSize  uint64 // bytes
	MediaType    string // RFC 6838, "audio/wav"
	Escrow       string // an SDK coin
}

// Digest commits to everything shown.
func (s Shown) Digest() Digest {
	e := encode("vouch/shown/1")
	e.text(s.ChainID)
	e.uint(s.RequestID)
	e.uint(s.NFT)
	e.bytes(s.Model[:])
	e.uint(s.RulesVersion)
	e.bytes(s.Rules[:])
	e.text(s.Requester)
	e.text(s.Purpose)
	e.text(s.Instruction)
	e.bytes(s.Payload[:])
	e.uint(s.PayloadSize)
	e.text(s.MediaType)
	e.text(s.Escrow)
	return e.sum()
}

// Block names a block that was verified by its committee's signatures.
type Block struct {
	Height int64
	Hash   Digest
}

// Challenge is what a live match answers: this human, this decision, on this request as shown,
// after this block. It is fresh because nobody knows a block's hash before the block.
func Challenge(shown Digest, d Decision, anchor Block, human []byte) Digest {
	e := encode("vouch/challenge/1")
	e.bytes(shown[:])
	e.uint(uint64(d))
	e.uint(uint64(anchor.Height))
	e.bytes(anchor.Hash[:])
	e.bytes(human)
	return e.sum()
}

// Possession is what a vote key signs once, at registration, to show that the registrant holds it.
// Binding the owner stops anybody from registering a key seen on another registration.
func Possession(chainID, owner string, voteKey [33]byte) Digest {
	e := encode("vouch/possession/1")
	e.text(chainID)
	e.text(owner)
	e.bytes(voteKey[:])
	return e.sum()
}

// Count is the number of votes of each kind.
type Count struct {
	Approvals, Rejections, Abstentions uint32
}

// Add counts one more vote.
func (c Count) Add(d Decision) (Count, error) {
	switch d {
	case Approve:
		c.Approvals++
	case Reject:
		c.Rejections++
	case Abstain:
		c.Abstentions++
	default:
		return c, fmt.Errorf("%w: %d", ErrDecision, d)
	}
	return c, nil
}

// Outcome is where a tally stands.
type Outcome uint8

// A tally is undecided until one side reaches the quorum.
const (
	Undecided Outcome = iota
	Approved
	Rejected
)

// Tally decides at quorum. The first side to reach it wins; abstentions never decide.
func Tally(c Count, quorum uint32) Outcome {
	switch {
	case quorum == 0:
		return Undecided
	case c.Approvals >= quorum:
		return Approved
	case c.Rejections >= quorum:
		return Rejected
	}
	return Undecided
}
