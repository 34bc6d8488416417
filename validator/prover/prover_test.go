package prover_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/light/lighttest"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/prover"
	"github.com/vouchbox/vouch/validator/tx"
)

var errCrash = errors.New("power cut")

// power counts the steps of a run and cuts it at one of them: everything after fails.
type power struct {
	mu    sync.Mutex
	steps int
	cut   int // 0: never
}

func (p *power) step() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.steps++
	if p.cut != 0 && p.steps >= p.cut {
		return errCrash
	}
	return nil
}

// disk is a store that survives the power.
type disk struct {
	mu sync.Mutex
	m  map[string][]byte
}

type store struct {
	*disk
	power *power
}

func (s store) Update(_ context.Context, key string, f func([]byte) ([]byte, error)) error {
	if err := s.power.step(); err != nil {
		return err
	}
	s.mu.Lock()
	next, err := f(bytes.Clone(s.m[key]))
	if err == nil {
		s.m[key] = bytes.Clone(next)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.power.step()
}

func (s store) Get(_ context.Context, key string) ([]byte, error) {
	if err := s.power.step(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.m[key]), nil
}

// chip is a vote key; it counts its signatures.
type chip struct {
	key    *ecdsa.PrivateKey
	power  *power
	signed *int
}

func (c chip) Compressed() [33]byte {
	raw, err := c.key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	var out [33]byte
	out[0] = 2 + raw[64]&1
	copy(out[1:], raw[1:33])
	return out
}

func (c chip) SignCompact(_ context.Context, digest [32]byte) ([64]byte, error) {
	var out [64]byte
	if err := c.power.step(); err != nil {
		return out, err
	}
	*c.signed++
	r, s, err := ecdsa.Sign(rand.Reader, c.key, digest[:])
	if err != nil {
		return out, err
	}
	if n := elliptic.P256().Params().N; s.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
		s.Sub(n, s)
	}
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, c.power.step()
}

// eye is the light client under the power, which keeps what left the box.
type eye struct {
	*light.Client
	power *power
	left  *[][]byte
}

func (e eye) Broadcast(ctx context.Context, raw []byte) error {
	if err := e.power.step(); err != nil {
		return err
	}
	if !slices.ContainsFunc(*e.left, func(b []byte) bool { return bytes.Equal(b, raw) }) {
		*e.left = append(*e.left, bytes.Clone(raw))
	}
	if err := e.Client.Broadcast(ctx, raw); err != nil {
		return err
	}
	return e.power.step()
}

func (e eye) Inclusion(ctx context.Context, hash [32]byte) (*light.Inclusion, error) {
	if err := e.power.step(); err != nil {
		return nil, err
	}
	return e.Client.Inclusion(ctx, hash)
}

func (e eye) Read(ctx context.Context, store string, key []byte) (light.Value, error) {
	if err := e.power.step(); err != nil {
		return light.Value{}, err
	}
	return e.Client.Read(ctx, store, key)
}

type match struct {
	ok        bool
	challenge [32]byte
	at        time.Time
}

func (m match) Matched() bool       { return m.ok }
func (m match) Challenge() [32]byte { return m.challenge }
func (m match) At() time.Time       { return m.at }

// world is a chain with an open request and a registered human at a box.
type world struct {
	chain  *lighttest.Chain
	light  *light.Client
	disk   *disk
	key    *ecdsa.PrivateKey
	shown  poh.Shown
	signed int
	left   [][]byte
	fail   uint32 // code that the chain answers votes with
}

func newWorld(t *testing.T, key *ecdsa.PrivateKey) *world {
	t.Helper()
	w := &world{chain: lighttest.New(t, 1), disk: &disk{m: map[string][]byte{}}, key: key, shown: poh.Shown{ChainID: lighttest.ID, RequestID: 7, NFT: 1, Purpose: "test"}}
	w.chain.Auto = true
	w.chain.App = w.deliver
	addr := w.human()
	digest := w.shown.Digest()
	w.put(t, requestv1.StoreKey, requestv1.RequestKey(7), &requestv1.Request{Id: 7, State: requestv1.STATE_OPEN, DeadlineHeight: 1000, Shown: digest[:], Escrow: sdk.NewInt64Coin("aheart", 1)})
	point := chip{key: key}.Compressed()
	w.put(t, humanv1.StoreKey, humanv1.HumanKey(addr), &humanv1.Human{Address: addr.String(), Owner: tx.Address(bytes.Repeat([]byte{1}, 20)).String(), VoteKey: point[:], Bond: sdk.NewInt64Coin("aheart", 1)})
	account, err := codectypes.NewAnyWithValue(&authtypes.BaseAccount{Address: addr.String(), AccountNumber: 42})
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, "acc", tx.AccountKey(addr), account)
	w.chain.Commit(2)
	w.light = w.chain.Client(t, nil)
	return w
}

func (w *world) put(t *testing.T, store string, key []byte, m interface{ Marshal() ([]byte, error) }) {
	t.Helper()
	raw, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	w.chain.Set(store, key, raw)
}

func (w *world) human() tx.Address {
	return tx.PublicKey{Curve: tx.P256, Point: chip{key: w.key}.Compressed()}.Address()
}

// deliver is the chain's rule: one vote per human and request, signed, in time.
func (w *world) deliver(s lighttest.State, raw []byte) uint32 {
	p, err := tx.ParseSigned(raw)
	if err != nil || p.Verify(lighttest.ID, 42) != nil || s.Time().After(p.Timeout) {
		return 2
	}
	if w.fail != 0 {
		return w.fail
	}
	var m requestv1.MsgVote
	if err := p.Only(&m); err != nil {
		return 3
	}
	key := requestv1.VoteKey(m.RequestID, p.Signer.Address())
	if s.Get(requestv1.StoreKey, key) != nil {
		return 4
	}
	vote := &requestv1.Vote{RequestID: m.RequestID, Human: m.Human, Decision: m.Decision, Shown: m.Shown, AnchorHeight: m.AnchorHeight, AnchorHash: m.AnchorHash, Height: s.Height()}
	value, err := vote.Marshal()
	if err != nil {
		return 5
	}
	s.Set(requestv1.StoreKey, key, value)
	return 0
}

func (w *world) boot(t *testing.T, p *power) *prover.Prover {
	t.Helper()
	pr, err := prover.New(prover.Config{ChainID: lighttest.ID, Gas: 200_000, Poll: time.Millisecond}, eye{w.light, p, &w.left}, chip{w.key, p, &w.signed}, store{w.disk, p}, w.chain.Now)
	if err != nil {
		t.Fatal(err)
	}
	return pr
}

func (w *world) touch(in prover.Intent) match { return match{true, in.Challenge, w.chain.Now()} }

// vote runs the whole flow.
func (w *world) vote(ctx context.Context, p *prover.Prover, d poh.Decision) (prover.Record, error) {
	in, err := p.Begin(ctx, w.shown, d, w.human())
	if err != nil {
		return prover.Record{}, err
	}
	r, err := p.Release(ctx, in, w.touch(in))
	if err != nil {
		return prover.Record{}, err
	}
	return p.Settle(ctx, r)
}

func (w *world) chainVote(t *testing.T) *requestv1.Vote {
	t.Helper()
	v, err := w.light.Read(t.Context(), requestv1.StoreKey, requestv1.VoteKey(7, w.human()))
	if err != nil {
		t.Fatal(err)
	}
	if v.Absent() {
		return nil
	}
	vote := new(requestv1.Vote)
	if err := vote.Unmarshal(v.Bytes()); err != nil {
		t.Fatal(err)
	}
	return vote
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

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
