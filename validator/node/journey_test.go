package node_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"maps"
	"math/big"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/chain/chaintest"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/node"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/prover"
	"github.com/vouchbox/vouch/validator/receipt"
	"github.com/vouchbox/vouch/validator/tx"
)

// TestJourney is a request's life on a real node, seen only through the light client: people
// register, one AI is minted, a request is voted on with live matches, executed, and the receipt
// holds offline from block 1.
func TestJourney(t *testing.T) {
	n := newNet(t)
	n.start()
	n.waitHeight(4)
	ctx := n.ctx()
	first, err := n.rpc.Commit(ctx, new(int64(1)))
	if err != nil {
		t.Fatal(err)
	}
	trust := poh.Block{Height: 1, Hash: poh.Digest(first.Hash())}
	lc, err := light.New(ctx, light.Config{
		ChainID: node.DevnetChainID, Trust: trust, TrustPeriod: receipt.Period, Primary: n.node.RPC(), AllowNoWitness: true, Dir: t.TempDir(),
	}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	open := func(name string) *account.Account {
		key, err := tx.ReadKeyFile(n.devnet.KeyFile(name))
		if err != nil {
			t.Fatal(err)
		}
		return account.New(lc, node.DevnetChainID, tx.Secp256k1, key, time.Now)
	}
	author, requester, treasury := open("author"), open("requester"), open("treasury")

	rules := chaintest.Rules()
	rules.DeadlineBlocks = poh.MaxDeadline
	model := poh.Sum([]byte("model"))
	nft, _, err := author.Mint(ctx, "Speech", "writes down what it hears", model, rules)
	if err != nil {
		t.Fatal(err)
	}
	var humans []softKey
	var boxes []*account.Account
	for range rules.Quorum {
		key := newSoftKey(t)
		file, err := tx.NewKeyFile(filepath.Join(t.TempDir(), "box.json"))
		if err != nil {
			t.Fatal(err)
		}
		box := account.New(lc, node.DevnetChainID, tx.Secp256k1, file, time.Now)
		if _, err := treasury.Transfer(ctx, box.String(), chaintest.Heart(1000)); err != nil {
			t.Fatal(err)
		}
		if err := box.RegisterHuman(ctx, key, chaintest.Heart(100)); err != nil {
			t.Fatal(err)
		}
		humans, boxes = append(humans, key), append(boxes, box)
	}
	payload := []byte("RIFF a spoken sentence")
	request, _, err := requester.Submit(ctx, account.Submission{
		NFT: nft, Purpose: rules.Purposes[0], Instruction: "Write it down.", Payload: payload, MediaType: "audio/wav", Escrow: rules.Price,
	})
	if err != nil {
		t.Fatal(err)
	}
	shown := n.shown(ctx, lc, request)
	for _, key := range humans {
		p, err := prover.New(prover.Config{ChainID: node.DevnetChainID, Gas: account.GasVote, Fee: account.Fee(account.GasVote), Poll: 20 * time.Millisecond}, lc, key, &memory{}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		in, err := p.Begin(ctx, shown, poh.Approve, p.Human())
		if err != nil {
			t.Fatal(err)
		}
		r, err := p.Release(ctx, in, touch{in.Challenge})
		if err != nil {
			t.Fatal(err)
		}
		if r, err = p.Settle(ctx, r); err != nil || r.State != prover.Included {
			t.Fatalf("vote: %s with code %d, %v", r.State, r.Code, err)
		}
		if _, err := p.Begin(ctx, shown, poh.Reject, p.Human()); !errors.Is(err, prover.ErrVoted) {
			t.Errorf("a second vote: %v", err)
		}
	}
	if err := boxes[0].PostReceipt(ctx, request, account.Execution{
		Model: model, Input: poh.Sum(payload), Output: []byte(`{"text":"hello"}`), Runtime: poh.Sum([]byte("runtime")), Engine: "onnxruntime 1.25.0", Device: "amd64-cpu", Duration: time.Second,
	}); err != nil {
		t.Fatal(err)
	}
	raw, err := receipt.Build(ctx, lc, request, trust, receipt.Options{Payload: true})
	if err != nil {
		t.Fatal(err)
	}
	v, links, err := receipt.Verify(raw, trust, node.DevnetChainID)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		t.Logf("%-16s %s", l.Name, l.Detail)
	}
	if string(v.Output) != `{"text":"hello"}` || v.Count.Approvals != rules.Quorum || v.Shown != shown {
		t.Errorf("verified %+v", v)
	}
	t.Logf("the receipt has %d bytes", len(raw))
}

func (n *net) shown(ctx context.Context, lc *light.Client, id uint64) poh.Shown {
	n.t.Helper()
	h, err := lc.Latest(ctx)
	if err != nil {
		n.t.Fatal(err)
	}
	view := ledger.At(lc, h.Height-1)
	r, err := view.Request(ctx, id)
	if err != nil {
		n.t.Fatal(err)
	}
	nft, err := view.NFT(ctx, r.NFTID)
	if err != nil {
		n.t.Fatal(err)
	}
	rules, err := view.Rules(ctx, r.NFTID, r.RulesVersion)
	if err != nil {
		n.t.Fatal(err)
	}
	shown, err := r.ShownAs(node.DevnetChainID, nft, rules)
	if err != nil {
		n.t.Fatal(err)
	}
	return shown
}

// touch is a match that was made now.
type touch struct{ challenge poh.Digest }

func (touch) Matched() bool         { return true }
func (m touch) Challenge() [32]byte { return m.challenge }
func (touch) At() time.Time         { return time.Now() }

// softKey is a vote key outside a TPM.
type softKey struct{ *ecdsa.PrivateKey }

func newSoftKey(t *testing.T) softKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return softKey{key}
}

func (k softKey) Compressed() [33]byte {
	raw, err := k.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	var out [33]byte
	out[0] = 2 + raw[64]&1
	copy(out[1:], raw[1:33])
	return out
}

func (k softKey) SignCompact(_ context.Context, digest [32]byte) ([64]byte, error) {
	var out [64]byte
	r, s, err := ecdsa.Sign(rand.Reader, k.PrivateKey, digest[:])
	if err != nil {
		return out, err
	}
	if order := elliptic.P256().Params().N; s.Cmp(new(big.Int).Rsh(order, 1)) > 0 {
		s.Sub(order, s)
	}
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}

// memory is a prover's store.
type memory struct {
	mu sync.Mutex
	m  map[string][]byte
}

func (s *memory) Update(_ context.Context, key string, f func([]byte) ([]byte, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, err := f(slices.Clone(s.m[key]))
	if err != nil {
		return err
	}
	s.m = maps.Clone(s.m)
	if s.m == nil {
		s.m = map[string][]byte{}
	}
	s.m[key] = next
	return nil
}

func (s *memory) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.m[key]), nil
}
