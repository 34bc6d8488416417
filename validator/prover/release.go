package prover

import (
	"context"
	"fmt"
	"time"

	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// clockSkew is how far ahead of the box's clock a match may claim to be.
const clockSkew = 2 * time.Second

// Release spends a match on the intent: it returns the signed vote, which nobody else has seen yet.
// An intent is released once, whether that succeeds or not; after a failure begin again.
func (p *Prover) Release(ctx context.Context, in Intent, m Match) (Record, error) {
	if m == nil || !m.Matched() {
		return Record{}, ErrNoMatch
	}
	if in.Challenge.IsZero() || poh.Digest(m.Challenge()) != in.Challenge {
		return Record{}, ErrChallenge
	}
	now := p.now()
	if age := now.Sub(m.At()); age > p.cfg.MatchAge || age < -clockSkew {
		return Record{}, fmt.Errorf("%w: it is %s old", ErrStaleMatch, age.Round(time.Second))
	}
	p.releasing.Lock()
	defer p.releasing.Unlock()
	key := recordKey(in.RequestID, p.Human().String())
	rec, from, err := p.load(ctx, key)
	if err != nil {
		return Record{}, err
	}
	if rec == nil || rec.State != Intended || rec.Attempt != in.Attempt || rec.Challenge != in.Challenge {
		return Record{}, ErrUsed
	}
	// The challenge is computed anew: the document below says what it commits to.
	if poh.Challenge(rec.Shown.Digest(), rec.Decision, rec.Anchor, p.Human()) != in.Challenge {
		return Record{}, ErrChallenge
	}
	if now.Sub(rec.Begun) > p.cfg.IntentAge || m.At().Add(clockSkew).Before(rec.Begun) {
		return Record{}, fmt.Errorf("%w: the vote was begun at %s", ErrStaleMatch, rec.Begun.Format(time.RFC3339))
	}
	next := *rec
	next.State, next.Timeout = Committed, now.Add(p.cfg.Lifetime).UTC()
	doc, err := p.document(next)
	if err != nil {
		return Record{}, err
	}
	next.Document = doc.SignBytes()
	if err := p.list(ctx, key, true); err != nil {
		return Record{}, fmt.Errorf("write down the vote: %w", err)
	}
	if err := p.move(ctx, key, from, next); err != nil {
		return Record{}, fmt.Errorf("write down the document: %w", err)
	}
	signed, err := doc.Sign(ctx, p.signer)
	if err != nil {
		return Record{}, fmt.Errorf("sign the vote: %w", err)
	}
	if from, err = encodeRecord(next); err != nil {
		return Record{}, err
	}
	next.State, next.Tx, next.Hash = Signed, signed.Raw, poh.Digest(signed.Hash)
	if err := p.move(ctx, key, from, next); err != nil {
		return Record{}, fmt.Errorf("write down the signed vote: %w", err)
	}
	return next, nil
}

// document is the one transaction of a record.
func (p *Prover) document(r Record) (*tx.Unsigned, error) {
	var granter tx.Address
	if r.Granter != "" {
		var err error
		if granter, err = tx.ParseAddress(r.Granter); err != nil {
			return nil, err
		}
	}
	return tx.Build(p.cfg.ChainID, r.Account, p.key, []tx.Message{message(r)}, tx.Options{
		Gas: p.cfg.Gas, Fee: p.cfg.Fee, Granter: granter, Timeout: r.Timeout,
	})
}

func message(r Record) *requestv1.MsgVote {
	shown := r.Shown.Digest()
	return &requestv1.MsgVote{
		Human: r.Human, RequestID: r.Shown.RequestID, Decision: requestv1.Decision(r.Decision),
		Shown: shown[:], AnchorHeight: r.Anchor.Height, AnchorHash: r.Anchor.Hash[:],
	}
}
