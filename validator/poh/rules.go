package poh

import "fmt"

// Bounds of an AI's rules. They keep what a human must read readable and a block's work bounded.
const (
	MaxRules       = 32
	MaxRuleText    = 500 // bytes
	MaxPurposes    = 16
	MaxQuorum      = 101 // votes
	MaxDeadline    = 100_000
	BasisPoints    = 10_000
	MaxPayload     = 128 << 10 // bytes that travel inside a request
	MaxInstruction = 2000      // bytes
	MaxOutput      = 8 << 10   // bytes of output that a receipt carries
)

// RuleKind says who decides whether a rule is kept.
type RuleKind uint8

// A rule is decided by the human's judgement, or checked by the machine with evidence shown.
const (
	Judgement RuleKind = iota + 1
	MachineChecked
)

// Rule is one sentence that a request must keep.
type Rule struct {
	ID   string // short and stable: "no-third-party-voice"
	Text string // what the human reads
	Kind RuleKind
}

// Split shares a request's price, in basis points; the four add up to [BasisPoints].
type Split struct {
	Owner, Voters, Worker, Network uint32
}

// Rules are what the owner of an AI demands of each request. They have versions; a request keeps
// the version it was made under.
type Rules struct {
	Version  uint64
	Purposes []string // what the AI may be used for; a request names one of them
	Rules    []Rule
	Quorum   uint32 // approvals needed; the same number of rejections rejects
	Price    string // an SDK coin: "1000000aheart"
	Deadline uint64 // blocks after submission within which the quorum must be reached
	Split    Split
}

// Validate reports the first field that cannot govern a vote, wrapping [ErrRules].
func (r Rules) Validate() error {
	switch {
	case r.Version == 0:
		return fmt.Errorf("%w: version starts at 1", ErrRules)
	case len(r.Purposes) == 0 || len(r.Purposes) > MaxPurposes:
		return fmt.Errorf("%w: want 1 to %d purposes, got %d", ErrRules, MaxPurposes, len(r.Purposes))
	case len(r.Rules) == 0 || len(r.Rules) > MaxRules:
		return fmt.Errorf("%w: want 1 to %d rules, got %d", ErrRules, MaxRules, len(r.Rules))
	case r.Quorum == 0 || r.Quorum > MaxQuorum:
		return fmt.Errorf("%w: want a quorum of 1 to %d votes, got %d", ErrRules, MaxQuorum, r.Quorum)
	case r.Deadline == 0 || r.Deadline > MaxDeadline:
		return fmt.Errorf("%w: want a deadline of 1 to %d blocks, got %d", ErrRules, MaxDeadline, r.Deadline)
	}
	s := r.Split
	if sum := uint64(s.Owner) + uint64(s.Voters) + uint64(s.Worker) + uint64(s.Network); sum != BasisPoints {
		return fmt.Errorf("%w: the split adds up to %d of %d basis points", ErrRules, sum, BasisPoints)
	}
	for i, p := range r.Purposes {
		if p == "" || len(p) > MaxRuleText {
			return fmt.Errorf("%w: purpose %d has %d bytes, want 1 to %d", ErrRules, i+1, len(p), MaxRuleText)
		}
	}
	seen := make(map[string]bool, len(r.Rules))
	for i, q := range r.Rules {
		switch {
		case q.ID == "" || seen[q.ID]:
			return fmt.Errorf("%w: rule %d has the id %q, which is empty or taken", ErrRules, i+1, q.ID)
		case q.Text == "" || len(q.Text) > MaxRuleText:
			return fmt.Errorf("%w: rule %q has %d bytes of text, want 1 to %d", ErrRules, q.ID, len(q.Text), MaxRuleText)
		case q.Kind != Judgement && q.Kind != MachineChecked:
			return fmt.Errorf("%w: rule %q is neither a judgement nor machine-checked", ErrRules, q.ID)
		}
		seen[q.ID] = true
	}
	return nil
}

// Digest commits to the rules as a human reads them.
func (r Rules) Digest() Digest {
	e := encode("vouch/rules/1")
	e.uint(r.Version)
	e.uint(uint64(len(r.Purposes)))
	for _, p := range r.Purposes {
		e.text(p)
	}
	e.uint(uint64(len(r.Rules)))
	for _, q := range r.Rules {
		e.text(q.ID)
		e.text(q.Text)
		e.uint(uint64(q.Kind))
	}
	e.uint(uint64(r.Quorum))
	e.text(r.Price)
	e.uint(r.Deadline)
	for _, v := range [...]uint32{r.Split.Owner, r.Split.Voters, r.Split.Worker, r.Split.Network} {
		e.uint(uint64(v))
	}
	return e.sum()
}
