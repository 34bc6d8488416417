package prover

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// Light is the verified view of the chain: *light.Client, with its errors.
type Light interface {
	tx.Reader
	tx.Chain
}

// Match is the outcome of a live comparison: sensors.Decision. Challenge is what it answered, At
// when the finger was on the sensor.
type Match interface {
	Matched() bool
	Challenge() [32]byte
	At() time.Time
}

// Config of a [Prover]. Zero durations take the default in their comment.
type Config struct {
	ChainID string
	Gas     uint64
	Fee     sdk.Coins

	Lifetime  time.Duration // of a transaction: 5 min, at most tx.MaxTimeout
	MatchAge  time.Duration // until a match is spent: 30 s
	IntentAge time.Duration // from Begin to Release: 2 min
	Poll      time.Duration // between looks for the inclusion: 1 s
}

func (c Config) withDefaults() (Config, error) {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&c.Lifetime, 5 * time.Minute}, {&c.MatchAge, 30 * time.Second}, {&c.IntentAge, 2 * time.Minute}, {&c.Poll, time.Second}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	switch {
	case c.ChainID == "":
		return c, fmt.Errorf("%w: the chain id is missing", ErrConfig)
	case c.Gas == 0:
		return c, fmt.Errorf("%w: the gas limit is missing", ErrConfig)
	case c.Lifetime > tx.MaxTimeout:
		return c, fmt.Errorf("%w: a transaction may live %s, not %s", ErrConfig, tx.MaxTimeout, c.Lifetime)
	}
	return c, nil
}

// Prover votes for the human whose key the signer holds. It is safe for concurrent use.
type Prover struct {
	cfg    Config
	light  Light
	signer tx.Signer
	store  Store
	now    func() time.Time
	key    tx.PublicKey

	// releasing keeps Pending from closing a vote that is being released.
	releasing sync.Mutex
}

// New makes a prover for a P-256 vote key.
func New(cfg Config, l Light, s tx.Signer, st Store, now func() time.Time) (*Prover, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Prover{cfg: cfg, light: l, signer: s, store: st, now: now, key: tx.PublicKey{Curve: tx.P256, Point: s.Compressed()}}, nil
}

// Human is the address of the account that votes.
func (p *Prover) Human() tx.Address { return p.key.Address() }

// Intent is a vote that waits for its match.
type Intent struct {
	RequestID uint64
	Attempt   uint64
	Decision  poh.Decision
	Anchor    poh.Block
	// Challenge is what the match must answer.
	Challenge poh.Digest
}

// Begin writes down that the human wants to vote d on the request as shown, and returns the
// challenge for the match. It replaces an earlier intent. The box's human must be the one named.
func (p *Prover) Begin(ctx context.Context, shown poh.Shown, d poh.Decision, human []byte) (Intent, error) {
	if !bytes.Equal(human, p.Human()) {
		return Intent{}, fmt.Errorf("%w: the vote key is of %s, not of %s", ErrNotRegistered, p.Human(), tx.Address(human))
	}
	if _, err := (poh.Count{}).Add(d); err != nil {
		return Intent{}, err
	}
	if shown.ChainID != p.cfg.ChainID {
		return Intent{}, fmt.Errorf("%w: it is of chain %q", ErrShown, shown.ChainID)
	}
	key := recordKey(shown.RequestID, p.Human().String())
	old, from, err := p.load(ctx, key)
	if err != nil {
		return Intent{}, err
	}
	if err := p.free(ctx, shown.RequestID, old); err != nil {
		return Intent{}, err
	}
	next := Record{State: Intended, Attempt: 1, Shown: shown, Decision: d, Human: p.Human().String()}
	if old != nil {
		next.Attempt = old.Attempt + 1
	}
	if err := p.checkRequest(ctx, shown); err != nil {
		return Intent{}, err
	}
	if next.Granter, err = p.owner(ctx); err != nil {
		return Intent{}, err
	}
	if next.Account, err = tx.AccountNumber(ctx, p.light, p.Human()); err != nil {
		return Intent{}, err
	}
	anchor, err := p.light.Latest(ctx)
	if err != nil {
		return Intent{}, fmt.Errorf("find a fresh block to vote after: %w", err)
	}
	next.Anchor, next.Begun = anchor.Block, p.now().UTC()
	next.Challenge = poh.Challenge(shown.Digest(), d, next.Anchor, p.Human())
	if err := p.list(ctx, key, true); err != nil {
		return Intent{}, fmt.Errorf("write down the vote: %w", err)
	}
	if err := p.move(ctx, key, from, next); err != nil {
		return Intent{}, fmt.Errorf("write down the vote: %w", err)
	}
	return Intent{RequestID: shown.RequestID, Attempt: next.Attempt, Decision: d, Anchor: next.Anchor, Challenge: next.Challenge}, nil
}

// free proves that a new vote is allowed: the chain has none, and none that left can still count.
func (p *Prover) free(ctx context.Context, request uint64, old *Record) error {
	if old != nil {
		switch old.State {
		case Signed:
			return ErrPending
		case Included:
			return ErrVoted
		case Conflict:
			return ErrConflict
		}
	}
	v, err := p.light.Read(ctx, requestv1.StoreKey, requestv1.VoteKey(request, p.Human()))
	if err != nil {
		return fmt.Errorf("read this human's vote: %w", err)
	}
	if !v.Absent() {
		return ErrVoted
	}
	// The header that commits to the state is the first that could be past the timeout; so all
	// blocks that could carry the old transaction are in the state.
	if old != nil && len(old.Tx) != 0 && !v.Block().Time.After(old.Timeout) {
		return fmt.Errorf("%w; wait until %s", ErrWait, old.Timeout.Format(time.RFC3339))
	}
	return nil
}

func (p *Prover) checkRequest(ctx context.Context, shown poh.Shown) error {
	v, err := p.light.Read(ctx, requestv1.StoreKey, requestv1.RequestKey(shown.RequestID))
	if err != nil {
		return fmt.Errorf("read request %d: %w", shown.RequestID, err)
	}
	if v.Absent() {
		return fmt.Errorf("%w: the chain has no request %d", ErrClosed, shown.RequestID)
	}
	var r requestv1.Request
	if err := r.Unmarshal(v.Bytes()); err != nil {
		return fmt.Errorf("%w: request %d: %w", ErrRecord, shown.RequestID, err)
	}
	digest := shown.Digest()
	if r.Id != shown.RequestID || !bytes.Equal(r.Shown, digest[:]) {
		return fmt.Errorf("%w: request %d", ErrShown, shown.RequestID)
	}
	if r.State != requestv1.STATE_OPEN || v.Block().Height > r.DeadlineHeight {
		return fmt.Errorf("%w: request %d is %s, its last block is %d", ErrClosed, r.Id, r.State, r.DeadlineHeight)
	}
	return nil
}

// owner reads who pays the fees for this human; empty when the human does.
func (p *Prover) owner(ctx context.Context) (string, error) {
	v, err := p.light.Read(ctx, humanv1.StoreKey, humanv1.HumanKey(p.Human()))
	if err != nil {
		return "", fmt.Errorf("read the human's registration: %w", err)
	}
	if v.Absent() {
		return "", fmt.Errorf("%w: %s", ErrNotRegistered, p.Human())
	}
	var h humanv1.Human
	if err := h.Unmarshal(v.Bytes()); err != nil {
		return "", fmt.Errorf("%w: human %s: %w", ErrRecord, p.Human(), err)
	}
	if !bytes.Equal(h.VoteKey, p.key.Point[:]) || h.Address != p.Human().String() {
		return "", fmt.Errorf("%w: %s is registered with another key", ErrNotRegistered, p.Human())
	}
	if h.Owner == h.Address {
		return "", nil
	}
	return h.Owner, nil
}

// Record returns what is known of this human's vote on a request; ok is false for nothing.
func (p *Prover) Record(ctx context.Context, request uint64) (r Record, ok bool, err error) {
	rec, _, err := p.load(ctx, recordKey(request, p.Human().String()))
	if err != nil || rec == nil {
		return Record{}, false, err
	}
	return *rec, true, nil
}
