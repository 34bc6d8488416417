package prover

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/tx"
)

// Settle sends a signed vote and waits until the chain proves what became of it. It may be called
// again at any time: the same bytes are sent, a final record is returned as it is. An error leaves
// the record signed; settle it later. A record in Conflict comes with ErrConflict.
func (p *Prover) Settle(ctx context.Context, r Record) (Record, error) {
	key := recordKey(r.Shown.RequestID, p.Human().String())
	rec, from, err := p.load(ctx, key)
	if err != nil {
		return Record{}, err
	}
	switch {
	case rec == nil || rec.Attempt != r.Attempt:
		return Record{}, ErrUsed
	case rec.State.Final():
		return p.finish(ctx, key, *rec)
	case rec.State != Signed:
		return Record{}, fmt.Errorf("%w: the vote is not signed", ErrNoMatch)
	}
	inc, sendErr := tx.Send(ctx, p.light, rec.signed(), p.cfg.Poll)
	if sendErr != nil && !errors.Is(sendErr, tx.ErrTimedOut) && !errors.Is(sendErr, light.ErrRefused) {
		return *rec, fmt.Errorf("send the vote: %w", sendErr)
	}
	next, err := p.judge(ctx, *rec, inc)
	if err != nil {
		return *rec, err
	}
	if next.State == Signed {
		return *rec, fmt.Errorf("send the vote: %w", sendErr)
	}
	if err := p.move(ctx, key, from, next); err != nil {
		return *rec, fmt.Errorf("write down the vote's end: %w", err)
	}
	return p.finish(ctx, key, next)
}

// judge compares the chain's vote with the record. inc is nil when no inclusion was found.
func (p *Prover) judge(ctx context.Context, r Record, inc *light.Inclusion) (Record, error) {
	v, err := p.light.Read(ctx, requestv1.StoreKey, requestv1.VoteKey(r.Shown.RequestID, p.Human()))
	if err != nil {
		return r, fmt.Errorf("read this human's vote: %w", err)
	}
	r.Height = v.Height()
	if !v.Absent() {
		same, err := matches(v, r)
		if err != nil {
			return r, err
		}
		r.State = Conflict
		// A vote is this record's only if its signed document can have left.
		if same && len(r.Tx) != 0 {
			r.State = Included
		}
		return r, nil
	}
	switch {
	case inc != nil && inc.Code() == 0:
		r.State = Conflict
	case inc != nil:
		r.State, r.Code, r.Height = Rejected, inc.Code(), inc.Height()
	case len(r.Tx) != 0 && v.Block().Time.After(r.Timeout):
		r.State = Expired
	}
	return r, nil
}

func matches(v light.Value, r Record) (bool, error) {
	var vote requestv1.Vote
	if err := vote.Unmarshal(v.Bytes()); err != nil {
		return false, fmt.Errorf("%w: the chain's vote on request %d: %w", ErrRecord, r.Shown.RequestID, err)
	}
	want := message(r)
	return vote.RequestID == want.RequestID && vote.Human == want.Human && vote.Decision == want.Decision && bytes.Equal(vote.Shown, want.Shown) &&
		vote.AnchorHeight == want.AnchorHeight && bytes.Equal(vote.AnchorHash, want.AnchorHash), nil
}

// finish takes a final record off the list of open ones.
func (p *Prover) finish(ctx context.Context, key string, r Record) (Record, error) {
	if err := p.list(ctx, key, false); err != nil {
		return r, fmt.Errorf("close the vote: %w", err)
	}
	if r.State == Conflict {
		return r, fmt.Errorf("%w: request %d", ErrConflict, r.Shown.RequestID)
	}
	return r, nil
}

// Pending finishes after a restart what was left open and returns those records. A signed vote is
// settled with the bytes it has. One that was begun or written down and not signed has not left the
// box: it is returned as it is, and voting needs a new Begin and a new match. Votes that cannot be
// finished now stay open and are joined into the error; call Pending again.
func (p *Prover) Pending(ctx context.Context) ([]Record, error) {
	keys, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	var done []Record
	var errs []error
	for _, key := range keys {
		r, err := p.resume(ctx, key)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
		}
		if r != nil {
			done = append(done, *r)
		}
	}
	return done, errors.Join(errs...)
}

func (p *Prover) resume(ctx context.Context, key string) (*Record, error) {
	r, from, err := p.load(ctx, key)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, p.list(ctx, key, false)
	}
	if r.Human != p.Human().String() {
		return r, fmt.Errorf("%w: the vote is of %s", ErrNotRegistered, r.Human)
	}
	if r.State == Signed || r.State.Final() {
		settled, err := p.Settle(ctx, *r)
		return &settled, err
	}
	p.releasing.Lock()
	defer p.releasing.Unlock()
	next, err := p.judge(ctx, *r, nil)
	if err != nil {
		return r, err
	}
	if next.State != r.State {
		if err := p.move(ctx, key, from, next); err != nil {
			return r, err
		}
		r = &next
	}
	if _, now, err := p.load(ctx, key); err != nil || !r.State.Final() && !bytes.Equal(now, from) {
		return r, errors.Join(err, ErrUsed)
	}
	closed, err := p.finish(ctx, key, *r)
	return &closed, err
}
