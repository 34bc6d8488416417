package prover_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/prover"
)

// TestPowerCut cuts the power at every step of a vote, restarts, and lets the human try to vote the
// opposite. Whatever happens: one document at most leaves, and what was signed and written down is
// what the chain counts.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	whole := &power{}
	w := newWorld(t, key)
	if _, err := w.vote(t.Context(), w.boot(t, whole), poh.Approve); err != nil {
		t.Fatal(err)
	}
	if whole.steps < 20 {
		t.Fatalf("a vote has %d steps; the power is not cut everywhere", whole.steps)
	}
	outcomes := map[requestv1.Decision]int{}
	for cut := 1; cut <= whole.steps; cut++ {
		w := newWorld(t, key)
		if _, err := w.vote(t.Context(), w.boot(t, &power{cut: cut}), poh.Approve); !errors.Is(err, errCrash) {
			t.Fatalf("cut %d: %v", cut, err)
		}
		written := false
		for k, v := range w.disk.m {
			written = written || strings.HasPrefix(k, "vote/7/") && bytes.Contains(v, []byte(`"tx":`))
		}
		if len(w.left) > 0 && !written {
			t.Fatalf("cut %d: a transaction left that is not on disk", cut)
		}
		p := w.boot(t, nil)
		records, err := p.Pending(t.Context())
		if err != nil {
			t.Fatalf("cut %d: pending: %v", cut, err)
		}
		_, err = w.vote(t.Context(), p, poh.Reject)
		if written != errors.Is(err, prover.ErrVoted) || !written && err != nil {
			t.Errorf("cut %d: signed and written=%v, the opposite vote: %v", cut, written, err)
		}
		vote := w.chainVote(t)
		if vote == nil {
			t.Fatalf("cut %d: the chain has no vote", cut)
		}
		if want := requestv1.DECISION_APPROVE; written && vote.Decision != want {
			t.Errorf("cut %d: a signed vote was forgotten; the chain has %s, records %v", cut, vote.Decision, records)
		}
		if len(w.left) != 1 {
			t.Errorf("cut %d: %d documents left the box", cut, len(w.left))
		}
		outcomes[vote.Decision]++
	}
	if outcomes[requestv1.DECISION_APPROVE] == 0 || outcomes[requestv1.DECISION_REJECT] == 0 {
		t.Errorf("the cuts do not cover both sides of the signature: %v", outcomes)
	}
}

// TestPowerCutTwice cuts the recovery too.
func TestPowerCutTwice(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for first := 18; first <= 34; first += 2 {
		for second := 1; ; second++ {
			w := newWorld(t, key)
			_, err := w.vote(t.Context(), w.boot(t, &power{cut: first}), poh.Approve)
			if err == nil {
				return
			}
			again := &power{cut: second}
			_, err = w.boot(t, again).Pending(t.Context())
			if err == nil {
				break
			}
			if !errors.Is(err, errCrash) {
				t.Fatalf("cuts %d, %d: %v", first, second, err)
			}
			p := w.boot(t, nil)
			if _, err := p.Pending(t.Context()); err != nil {
				t.Fatalf("cuts %d, %d: %v", first, second, err)
			}
			if _, err := w.vote(t.Context(), p, poh.Reject); err != nil && !errors.Is(err, prover.ErrVoted) {
				t.Fatalf("cuts %d, %d: %v", first, second, err)
			}
			if len(w.left) != 1 {
				t.Errorf("cuts %d, %d: %d documents left the box", first, second, len(w.left))
			}
		}
	}
}
