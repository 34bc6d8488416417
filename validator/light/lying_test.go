package light_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/types"

	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/light/lighttest"
)

// TestLyingNode lets an otherwise honest node change one thing; each must be refused by name.
func TestLyingNode(t *testing.T) {
	t.Parallel()
	read := func(ctx context.Context, c *light.Client, _ [32]byte) error {
		_, err := c.Read(ctx, "request", key)
		return err
	}
	absent := func(ctx context.Context, c *light.Client, _ [32]byte) error {
		_, err := c.Read(ctx, "request", append(bytes.Clone(key), 1))
		return err
	}
	include := func(ctx context.Context, c *light.Client, hash [32]byte) error {
		_, err := c.Inclusion(ctx, hash)
		return err
	}
	txs := func(ctx context.Context, c *light.Client, _ [32]byte) error {
		_, err := c.Txs(ctx, 4)
		return err
	}
	latest := func(ctx context.Context, c *light.Client, _ [32]byte) error {
		_, err := c.Latest(ctx)
		return err
	}
	query := func(f func(r *ctypes.ResultABCIQuery)) lighttest.Lie {
		return func(a any) {
			if r, ok := a.(*ctypes.ResultABCIQuery); ok {
				f(r)
			}
		}
	}
	tx := func(f func(r *ctypes.ResultTx)) lighttest.Lie {
		return func(a any) {
			if r, ok := a.(*ctypes.ResultTx); ok {
				f(r)
			}
		}
	}
	results := func(f func(r *ctypes.ResultBlockResults)) lighttest.Lie {
		return func(a any) {
			if r, ok := a.(*ctypes.ResultBlockResults); ok {
				f(r)
			}
		}
	}
	header := func(f func(r *ctypes.ResultCommit)) lighttest.Lie {
		return func(a any) {
			if r, ok := a.(*ctypes.ResultCommit); ok && r.Height > 1 {
				f(r)
			}
		}
	}
	other := func(t *testing.T) *cmtcrypto.ProofOps {
		c := lighttest.New(t, 4)
		c.Set("request", key, []byte("approved"))
		c.Commit(4)
		v, err := c.Client(t, nil).Read(t.Context(), "request", key)
		if err != nil {
			t.Fatal(err)
		}
		p := v.Proof()
		return &cmtcrypto.ProofOps{Ops: []cmtcrypto.ProofOp{{Type: "ics23:iavl", Key: key, Data: p.Tree}, {Type: "ics23:simple", Key: []byte("request"), Data: p.Root}}}
	}
	foreign := other(t)
	for name, tt := range map[string]struct {
		lie  lighttest.Lie
		do   func(context.Context, *light.Client, [32]byte) error
		link string
	}{
		"another value":                  {query(func(r *ctypes.ResultABCIQuery) { r.Response.Value = []byte("approved") }), read, "value"},
		"another key":                    {query(func(r *ctypes.ResultABCIQuery) { r.Response.Key = []byte{1} }), read, "key"},
		"another height":                 {query(func(r *ctypes.ResultABCIQuery) { r.Response.Height-- }), read, "height"},
		"no proof":                       {query(func(r *ctypes.ResultABCIQuery) { r.Response.ProofOps = nil }), read, "proof"},
		"half a proof":                   {query(func(r *ctypes.ResultABCIQuery) { r.Response.ProofOps.Ops = r.Response.ProofOps.Ops[:1] }), read, "proof"},
		"a broken proof":                 {query(func(r *ctypes.ResultABCIQuery) { r.Response.ProofOps.Ops[0].Data[9] ^= 1 }), read, "value"},
		"the proof of another store":     {query(func(r *ctypes.ResultABCIQuery) { r.Response.ProofOps.Ops[1].Key = []byte("human") }), read, "store"},
		"the proof of another key":       {query(func(r *ctypes.ResultABCIQuery) { r.Response.ProofOps.Ops[0].Key = []byte{2} }), read, "key"},
		"the value of another chain":     {query(func(r *ctypes.ResultABCIQuery) { r.Response.Value, r.Response.ProofOps = []byte("approved"), foreign }), read, "value"},
		"a value called absent":          {query(func(r *ctypes.ResultABCIQuery) { r.Response.Value = nil }), read, "proof"},
		"an absent key with a value":     {query(func(r *ctypes.ResultABCIQuery) { r.Response.Value = []byte("approved") }), absent, "proof"},
		"absence without neighbours":     {query(func(r *ctypes.ResultABCIQuery) { r.Response.ProofOps.Ops[0].Data = []byte{0x12, 0} }), absent, "proof"},
		"a transaction not asked for":    {tx(func(r *ctypes.ResultTx) { r.Proof.Data = types.Tx("one") }), include, "transaction"},
		"a transaction in another block": {tx(func(r *ctypes.ResultTx) { r.Height++ }), include, "transaction"},
		"a transaction at no height":     {tx(func(r *ctypes.ResultTx) { r.Height = -1 }), include, "height"},
		"another index":                  {tx(func(r *ctypes.ResultTx) { r.Proof.Proof.Index = 0 }), include, "transaction"},
		"another number of transactions": {tx(func(r *ctypes.ResultTx) { r.Proof.Proof.Total = 4 }), include, "transaction"},
		"no Merkle path":                 {tx(func(r *ctypes.ResultTx) { r.Proof.Proof.Aunts = nil }), include, "transaction"},
		"another result code":            {results(func(r *ctypes.ResultBlockResults) { r.TxsResults[1].Code = 0 }), include, "result"},
		"swapped results": {results(func(r *ctypes.ResultBlockResults) {
			r.TxsResults[0], r.TxsResults[1] = r.TxsResults[1], r.TxsResults[0]
		}), include, "result"},
		"a missing result":         {results(func(r *ctypes.ResultBlockResults) { r.TxsResults = r.TxsResults[:2] }), include, "result"},
		"an empty result":          {results(func(r *ctypes.ResultBlockResults) { r.TxsResults[1] = nil }), include, "result"},
		"results of another block": {results(func(r *ctypes.ResultBlockResults) { r.Height++ }), include, "height"},
		"a block with a transaction changed": {func(a any) {
			if r, ok := a.(*ctypes.ResultBlock); ok {
				r.Block.Txs[0] = types.Tx("two")
			}
		}, txs, "transaction"},
		"a block with a transaction left out": {func(a any) {
			if r, ok := a.(*ctypes.ResultBlock); ok {
				r.Block.Txs = r.Block.Txs[:2]
			}
		}, txs, "transaction"},
		"a header with another app hash": {header(func(r *ctypes.ResultCommit) { r.AppHash[0] ^= 1 }), latest, "header"},
		"a header of another chain":      {header(func(r *ctypes.ResultCommit) { r.ChainID = "vouch-test-2" }), latest, "header"},
		"a header without signatures":    {header(func(r *ctypes.ResultCommit) { r.Commit.Signatures = r.Commit.Signatures[:1] }), latest, "header"},
		"a header with one bad signature of four and one absent": {header(func(r *ctypes.ResultCommit) {
			r.Commit.Signatures[0] = types.NewCommitSigAbsent()
			r.Commit.Signatures[1].Signature[0] ^= 1
		}), latest, "header"},
		"a header re-signed by strangers": {func(a any) {
			switch r := a.(type) {
			case *ctypes.ResultValidators:
				if r.BlockHeight > 1 {
					r.Validators = types.NewValidatorSet([]*types.Validator{types.NewValidator(ed25519.GenPrivKey().PubKey(), 10)}).Validators
					r.Count, r.Total = 1, 1
				}
			}
		}, latest, "header"},
		"too many validators": {func(a any) {
			if r, ok := a.(*ctypes.ResultValidators); ok && r.BlockHeight > 1 {
				r.Total = 1 << 30
			}
		}, latest, "header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, hash := newChain(t)
			lc := c.Client(t, tt.lie)
			err := tt.do(t.Context(), lc, hash)
			lying, ok := errors.AsType[*light.LyingError](err)
			if !ok || !errors.Is(err, light.ErrLying) {
				t.Fatalf("got %v, want a named lie", err)
			}
			if lying.Link != tt.link {
				t.Errorf("the failed link is %q, want %q: %v", lying.Link, tt.link, err)
			}
			if strings.Contains(name, "header") {
				if s, err := lc.Status(t.Context()); err != nil || s.Newest != c.Block(1) {
					t.Errorf("the client moved to %v, %v", s.Newest, err)
				}
			}
		})
	}
}
