package prover_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/light/lighttest"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/prover"
	"github.com/vouchbox/vouch/validator/tx"
)

func TestVoteIsIncluded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newKey(t))
	p := w.boot(t, nil)
	in, err := p.Begin(t.Context(), w.shown, poh.Reject, w.human())
	if err != nil {
		t.Fatal(err)
	}
	if want := poh.Challenge(w.shown.Digest(), poh.Reject, w.chain.Block(w.chain.Height()), w.human()); in.Challenge != want {
		t.Errorf("challenge %s, want %s from the newest block", in.Challenge, want)
	}
	r, err := p.Release(t.Context(), in, w.touch(in))
	if err != nil {
		t.Fatal(err)
	}
	if len(w.left) != 0 || r.State != prover.Signed {
		t.Errorf("%d transactions left before Settle, state %s", len(w.left), r.State)
	}
	parsed, err := tx.ParseSigned(r.Tx)
	if err != nil || parsed.Granter != tx.Address(bytes.Repeat([]byte{1}, 20)).String() {
		t.Errorf("granter %q, %v", parsed.Granter, err)
	}
	if doc, err := parsed.SignBytes(lighttest.ID, 42); err != nil || !bytes.Equal(doc, r.Document) {
		t.Errorf("the signature is over another document than the one written down: %v", err)
	}
	if r, err = p.Settle(t.Context(), r); err != nil || r.State != prover.Included {
		t.Fatalf("state %s, %v", r.State, err)
	}
	if v := w.chainVote(t); v == nil || v.Decision != requestv1.DECISION_REJECT {
		t.Errorf("the chain holds %v", v)
	}
	if again, err := p.Settle(t.Context(), r); err != nil || again.State != prover.Included {
		t.Errorf("settled twice: %s, %v", again.State, err)
	}
	if _, err := p.Begin(t.Context(), w.shown, poh.Approve, w.human()); !errors.Is(err, prover.ErrVoted) {
		t.Errorf("a second vote: %v", err)
	}
	if open, err := p.Pending(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("pending %v, %v", open, err)
	}
	// Another box's worth of state: the disk is gone, the chain is not.
	w.disk = &disk{m: map[string][]byte{}}
	if _, err := w.boot(t, nil).Begin(t.Context(), w.shown, poh.Approve, w.human()); !errors.Is(err, prover.ErrVoted) {
		t.Errorf("a second vote with a lost record: %v", err)
	}
}

func TestReleaseRefuses(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for name, tt := range map[string]struct {
		match func(w *world, in prover.Intent) prover.Match
		want  error
	}{
		"no match":         {func(*world, prover.Intent) prover.Match { return nil }, prover.ErrNoMatch},
		"no finger":        {func(w *world, in prover.Intent) prover.Match { m := w.touch(in); m.ok = false; return m }, prover.ErrNoMatch},
		"another question": {func(w *world, in prover.Intent) prover.Match { m := w.touch(in); m.challenge[0] ^= 1; return m }, prover.ErrChallenge},
		"an old match": {func(w *world, in prover.Intent) prover.Match {
			m := w.touch(in)
			w.chain.Sleep(31 * time.Second)
			return m
		}, prover.ErrStaleMatch},
		"a match from the future": {func(w *world, in prover.Intent) prover.Match {
			m := w.touch(in)
			m.at = m.at.Add(time.Minute)
			return m
		}, prover.ErrStaleMatch},
		"a match before the question": {func(w *world, in prover.Intent) prover.Match {
			m := w.touch(in)
			m.at = m.at.Add(-10 * time.Second)
			return m
		}, prover.ErrStaleMatch},
		"an old intent": {func(w *world, in prover.Intent) prover.Match {
			w.chain.Sleep(3 * time.Minute)
			return w.touch(in)
		}, prover.ErrStaleMatch},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, key)
			p := w.boot(t, nil)
			in, err := p.Begin(t.Context(), w.shown, poh.Approve, w.human())
			if err != nil {
				t.Fatal(err)
			}
			if r, err := p.Release(t.Context(), in, tt.match(w, in)); !errors.Is(err, tt.want) || r.Tx != nil {
				t.Errorf("got %v, %v; want %v", r.State, err, tt.want)
			}
			if w.signed != 0 {
				t.Error("the chip has signed")
			}
		})
	}
}

func TestOneMatchOneSignature(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newKey(t))
	p := w.boot(t, nil)
	first, err := p.Begin(t.Context(), w.shown, poh.Approve, w.human())
	if err != nil {
		t.Fatal(err)
	}
	in, err := p.Begin(t.Context(), w.shown, poh.Reject, w.human())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Release(t.Context(), first, w.touch(first)); !errors.Is(err, prover.ErrUsed) {
		t.Errorf("a replaced intent: %v", err)
	}
	var wg sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wg.Go(func() { _, results[i] = p.Release(context.Background(), in, w.touch(in)) })
	}
	wg.Wait()
	released := 0
	for _, err := range results {
		if err == nil {
			released++
		} else if !errors.Is(err, prover.ErrUsed) {
			t.Errorf("a second release: %v", err)
		}
	}
	if released != 1 || w.signed != 1 {
		t.Errorf("%d releases and %d signatures", released, w.signed)
	}
	if _, err := p.Begin(t.Context(), w.shown, poh.Approve, w.human()); !errors.Is(err, prover.ErrPending) {
		t.Errorf("a vote beside a signed one: %v", err)
	}
}

func TestBeginRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newKey(t))
	p := w.boot(t, nil)
	begin := func(change func(*poh.Shown)) error {
		s := w.shown
		change(&s)
		_, err := p.Begin(t.Context(), s, poh.Approve, w.human())
		return err
	}
	if err := begin(func(s *poh.Shown) { s.Instruction = "something else" }); !errors.Is(err, prover.ErrShown) {
		t.Errorf("another text: %v", err)
	}
	if err := begin(func(s *poh.Shown) { s.ChainID = "vouch-test-2" }); !errors.Is(err, prover.ErrShown) {
		t.Errorf("another chain: %v", err)
	}
	if err := begin(func(s *poh.Shown) { s.RequestID = 8 }); !errors.Is(err, prover.ErrClosed) {
		t.Errorf("no such request: %v", err)
	}
	if _, err := p.Begin(t.Context(), w.shown, 0, w.human()); !errors.Is(err, poh.ErrDecision) {
		t.Errorf("no decision: %v", err)
	}
	if _, err := p.Begin(t.Context(), w.shown, poh.Approve, bytes.Repeat([]byte{1}, 32)); !errors.Is(err, prover.ErrNotRegistered) {
		t.Errorf("another human: %v", err)
	}
	digest := w.shown.Digest()
	w.put(t, requestv1.StoreKey, requestv1.RequestKey(7), &requestv1.Request{Id: 7, State: requestv1.STATE_APPROVED, DeadlineHeight: 1000, Shown: digest[:], Escrow: sdk.NewInt64Coin("aheart", 1)})
	w.chain.Commit(2)
	if err := begin(func(*poh.Shown) {}); !errors.Is(err, prover.ErrClosed) {
		t.Errorf("a decided request: %v", err)
	}
	w.chain.Delete(humanv1.StoreKey, humanv1.HumanKey(w.human()))
	w.put(t, requestv1.StoreKey, requestv1.RequestKey(7), &requestv1.Request{Id: 7, State: requestv1.STATE_OPEN, DeadlineHeight: 1000, Shown: digest[:], Escrow: sdk.NewInt64Coin("aheart", 1)})
	w.chain.Commit(2)
	if err := begin(func(*poh.Shown) {}); !errors.Is(err, prover.ErrNotRegistered) {
		t.Errorf("a removed human: %v", err)
	}
	if len(w.disk.m) != 0 {
		t.Errorf("refused votes left records: %v", w.disk.m)
	}
}

func TestRejectedVoteWaitsForItsTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newKey(t))
	w.fail = 9
	p := w.boot(t, nil)
	r, err := w.vote(t.Context(), p, poh.Approve)
	if err != nil || r.State != prover.Rejected || r.Code != 9 {
		t.Fatalf("state %s with code %d, %v", r.State, r.Code, err)
	}
	w.fail = 0
	if _, err := w.vote(t.Context(), p, poh.Reject); !errors.Is(err, prover.ErrWait) {
		t.Errorf("before the timeout: %v", err)
	}
	w.chain.Sleep(6 * time.Minute)
	w.chain.Commit(2)
	if r, err = w.vote(t.Context(), p, poh.Reject); err != nil || r.State != prover.Included || r.Attempt != 2 {
		t.Errorf("after the timeout: attempt %d %s, %v", r.Attempt, r.State, err)
	}
}

func TestExpiredVote(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newKey(t))
	w.chain.Check = func([]byte) uint32 { return 11 }
	p := w.boot(t, nil)
	r, err := w.vote(t.Context(), p, poh.Approve)
	if !errors.Is(err, light.ErrRefused) || r.State != prover.Signed {
		t.Fatalf("a node that refuses: %s, %v", r.State, err)
	}
	if _, err := p.Begin(t.Context(), w.shown, poh.Approve, w.human()); !errors.Is(err, prover.ErrPending) {
		t.Errorf("a vote beside it: %v", err)
	}
	w.chain.Sleep(6 * time.Minute)
	w.chain.Commit(2)
	open, err := p.Pending(t.Context())
	if err != nil || len(open) != 1 || open[0].State != prover.Expired {
		t.Fatalf("after the timeout: %v, %v", open, err)
	}
	w.chain.Check = nil
	if r, err = w.vote(t.Context(), p, poh.Reject); err != nil || r.State != prover.Included {
		t.Errorf("a new vote: %s, %v", r.State, err)
	}
}

func TestForeignVoteIsConflict(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newKey(t))
	p := w.boot(t, nil)
	in, err := p.Begin(t.Context(), w.shown, poh.Approve, w.human())
	if err != nil {
		t.Fatal(err)
	}
	r, err := p.Release(t.Context(), in, w.touch(in))
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, requestv1.StoreKey, requestv1.VoteKey(7, w.human()), &requestv1.Vote{RequestID: 7, Human: w.human().String(), Decision: requestv1.DECISION_REJECT})
	w.chain.Commit(2)
	if r, err = p.Settle(t.Context(), r); !errors.Is(err, prover.ErrConflict) || r.State != prover.Conflict {
		t.Errorf("state %s, %v", r.State, err)
	}
}

func TestDamagedRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newKey(t))
	p := w.boot(t, nil)
	if _, err := p.Begin(t.Context(), w.shown, poh.Approve, w.human()); err != nil {
		t.Fatal(err)
	}
	for k, v := range w.disk.m {
		if strings.HasPrefix(k, "vote/7/") {
			w.disk.m[k] = bytes.Replace(v, []byte(`"intent"`), []byte(`"none"`), 1)
		}
	}
	if _, err := p.Begin(t.Context(), w.shown, poh.Approve, w.human()); !errors.Is(err, prover.ErrRecord) {
		t.Errorf("begin: %v", err)
	}
	if _, err := p.Pending(t.Context()); !errors.Is(err, prover.ErrRecord) {
		t.Errorf("pending: %v", err)
	}
}

// busy is a chip that does something else while it signs.
type busy struct {
	chip
	meanwhile func() error
}

func (b busy) SignCompact(ctx context.Context, digest [32]byte) ([64]byte, error) {
	if err := b.meanwhile(); err != nil {
		return [64]byte{}, err
	}
	return b.chip.SignCompact(ctx, digest)
}

func (w *world) bootBusy(t *testing.T, meanwhile func() error) *prover.Prover {
	t.Helper()
	p, err := prover.New(prover.Config{ChainID: lighttest.ID, Gas: 200_000, Poll: time.Millisecond}, eye{w.light, nil, &w.left}, busy{chip{w.key, nil, &w.signed}, meanwhile}, store{w.disk, nil}, w.chain.Now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestVoteReplacedWhileItIsSigned(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newKey(t))
	other := w.boot(t, nil)
	var second prover.Intent
	p := w.bootBusy(t, func() (err error) {
		second, err = other.Begin(t.Context(), w.shown, poh.Reject, w.human())
		return err
	})
	first, err := p.Begin(t.Context(), w.shown, poh.Approve, w.human())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Release(t.Context(), first, w.touch(first)); !errors.Is(err, prover.ErrUsed) {
		t.Errorf("a signature for a replaced vote: %v", err)
	}
	r, err := other.Release(t.Context(), second, w.touch(second))
	if err != nil {
		t.Fatal(err)
	}
	if r, err = other.Settle(t.Context(), r); err != nil || r.State != prover.Included || r.Decision != poh.Reject || len(w.left) != 1 {
		t.Errorf("%s %s, %d documents left, %v", r.Decision, r.State, len(w.left), err)
	}
}

func TestFailedSignatureSpendsTheMatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newKey(t))
	broken := errors.New("the chip does not answer")
	p := w.bootBusy(t, func() error { return broken })
	in, err := p.Begin(t.Context(), w.shown, poh.Approve, w.human())
	if err != nil {
		t.Fatal(err)
	}
	m := w.touch(in)
	if _, err := p.Release(t.Context(), in, m); !errors.Is(err, broken) {
		t.Fatalf("a broken chip: %v", err)
	}
	if r, ok, err := p.Record(t.Context(), 7); err != nil || !ok || r.State != prover.Committed || len(r.Document) == 0 {
		t.Errorf("the record is %v, %v, %v", r.State, ok, err)
	}
	if _, err := w.boot(t, nil).Release(t.Context(), in, m); !errors.Is(err, prover.ErrUsed) {
		t.Errorf("the same match again: %v", err)
	}
	if w.signed != 0 {
		t.Errorf("%d signatures", w.signed)
	}
}

func TestPendingBetweenBeginAndReleaseForgetsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, newKey(t))
	p := w.boot(t, nil)
	in, err := p.Begin(t.Context(), w.shown, poh.Approve, w.human())
	if err != nil {
		t.Fatal(err)
	}
	if open, err := p.Pending(t.Context()); err != nil || len(open) != 1 || open[0].State != prover.Intended {
		t.Errorf("pending %v, %v", open, err)
	}
	if _, err := p.Release(t.Context(), in, w.touch(in)); err != nil {
		t.Fatal(err)
	}
	open, err := w.boot(t, nil).Pending(t.Context())
	if err != nil || len(open) != 1 || open[0].State != prover.Included {
		t.Errorf("after a restart: %v, %v", open, err)
	}
}
