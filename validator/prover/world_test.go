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
