package appliance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/tpm/tpmtest"
	"github.com/vouchbox/vouch/validator/prover"
)

// dyingStore is a store whose n-th update is the last thing that happens: before or after it is on disk.
type dyingStore struct {
	store
	after bool

	mu   sync.Mutex
	left int
	dead chan struct{}
}

var errPower = errors.New("the power is cut")

func (s *dyingStore) Get(ctx context.Context, key string) ([]byte, error) {
	if s.isDead() {
		return nil, errPower
	}
	return s.store.Get(ctx, key)
}

func (s *dyingStore) Update(ctx context.Context, key string, fn func([]byte) ([]byte, error)) error {
	s.mu.Lock()
	s.left--
	last := s.left == 0
	s.mu.Unlock()
	if s.isDead() || last && !s.after {
		s.die()
		return errPower
	}
	err := s.store.Update(ctx, key, fn)
	if last {
		s.die()
		return errPower
	}
	return err
}

func (s *dyingStore) isDead() bool {
	select {
	case <-s.dead:
		return true
	default:
		return false
	}
}

func (s *dyingStore) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isDead() {
		close(s.dead)
	}
}

// into makes a box write its votes and tries through s.
func (s *dyingStore) into(t *testing.T) func(*Appliance) {
	return func(a *Appliance) {
		s.store = a.store
		a.votes, a.tries.store = s, s
		for id, p := range a.people.all {
			var err error
			if p.prover, err = a.voter(p.key); err != nil {
				t.Fatal(err)
			}
			a.people.all[id] = p
		}
	}
}

// complete brings a vote that a crash may have left half-done to its end, as a human would, and wants
// that one transaction at most ever left the box for it.
func (w *world) complete(what string, id uint64, before int) {
	w.t.Helper()
	w.awaitState(id, api.StateOpen, api.StateApproved)
	p := w.box.people.list()[0]
	r, ok, err := p.prover.Record(w.ctx(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	switch {
	case ok && (r.State == prover.Signed || r.State == prover.Included):
	default:
		if n := w.rpc.transactions() - before; n != 0 {
			w.t.Errorf("%s: %d transactions left though the record says %q", what, n, r.State)
		}
		w.vote(id, approval(w.read(id)))
	}
	w.awaitAnswer(id, "approve")
	if n := w.rpc.transactions() - before; n != 1 {
		w.t.Errorf("%s: %d different signed votes left the box, want 1", what, n)
	}
}

// The box loses power at each write of a vote, before and after it is on disk. Started again, it
// finishes what was signed and asks anew for what was not; nothing is signed and sent twice.
func TestPowerCutAtEachWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.open(nil)
	w.enrol()
	nft := w.mint(false, judged)
	const least = 6 // list, intent, list, document, signed vote, its end
	for n := 1; ; n++ {
		survived := false
		for _, after := range []bool{false, true} {
			what := fmt.Sprintf("write %d, on disk %t", n, after)
			w.close()
			s := &dyingStore{after: after, left: n, dead: make(chan struct{})}
			w.open(s.into(t))
			id := w.submit(nft, clip())
			before := w.rpc.transactions()
			a := approval(w.read(id))
			if _, err := w.client.Answer(w.ctx(), id, a); err == nil {
				w.put(touch(ada()))
				w.awaitCeremony("the ceremony ends", func(c api.Ceremony) bool { return c.Request == id && c.Stage.Ended() })
			}
			survived = !s.isDead()
			w.reopen()
			w.complete(what, id, before)
		}
		if survived {
			if n <= least {
				t.Errorf("a vote took %d writes, at least %d were expected", n-1, least)
			}
			return
		}
	}
}

// The box is stopped while it waits: for the finger, the TPM, the node.
func TestStopAtEachStage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.open(nil)
	w.enrol()
	nft := w.mint(false, judged)
	hold := func(want string, reached chan<- struct{}) func(context.Context, string) error {
		return func(ctx context.Context, method string) error {
			if method != want {
				return nil
			}
			select {
			case reached <- struct{}{}:
			default:
			}
			<-ctx.Done()
			return ctx.Err()
		}
	}
	for _, c := range []struct {
		name  string
		reach func(reached chan<- struct{})
	}{
		{"waiting for the finger", nil},
		{"the TPM signed and its answer is under way", func(reached chan<- struct{}) {
			before := w.signatures()
			w.bus.Inject(tpmtest.Fault{Command: signCommand, N: 1, Action: tpmtest.Hold})
			w.put(touch(ada()))
			w.awaitStage(api.StageSigning)
			w.awaitSignature(before + 1)
			reached <- struct{}{}
		}},
		{"signed and not sent", func(reached chan<- struct{}) {
			w.rpc.stand(hold("broadcast_tx_sync", reached))
			w.put(touch(ada()))
		}},
		{"sent and not proved", func(reached chan<- struct{}) {
			w.rpc.stand(hold("tx", reached))
			w.put(touch(ada()))
		}},
	} {
		id := w.submit(nft, clip())
		before := w.rpc.transactions()
		w.approve(id)
		if c.reach != nil {
			reached := make(chan struct{}, 1)
			c.reach(reached)
			select {
			case <-reached:
			case <-w.ctx().Done():
				t.Fatalf("%s was not reached", c.name)
			}
		}
		w.close()
		w.rpc.stand(nil)
		w.open(nil)
		w.complete(c.name, id, before)
	}

	// A TPM that fails leaves the request to be answered again in the same run.
	id := w.submit(nft, clip())
	before := w.rpc.transactions()
	w.bus.Inject(tpmtest.Fault{Command: signCommand, N: 1, Action: tpmtest.Drop})
	w.approve(id)
	w.put(touch(ada()))
	if s := w.awaitStage(api.StageFailed); s.TxHash != "" || s.Message == "" {
		t.Errorf("a TPM that failed: %+v", s)
	}
	w.complete("the TPM dropped the line", id, before)
}
