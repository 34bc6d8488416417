package lighttest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	rpcserver "github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/vouchbox/vouch/validator/light"
)

// Lie changes an answer before it is sent: *ctypes.ResultCommit, *ctypes.ResultABCIQuery, …
type Lie func(answer any)

// Serve runs a node of the chain and returns its address. A nil lie is an honest node.
func (c *Chain) Serve(tb testing.TB, lie Lie) string {
	tb.Helper()
	if lie == nil {
		lie = func(any) {}
	}
	n := node{c: c, lie: lie}
	mux := http.NewServeMux()
	rpcserver.RegisterRPCFuncs(mux, map[string]*rpcserver.RPCFunc{
		"commit":             rpcserver.NewRPCFunc(n.commit, "height"),
		"validators":         rpcserver.NewRPCFunc(n.validators, "height,page,per_page"),
		"abci_query":         rpcserver.NewRPCFunc(n.abciQuery, "path,data,height,prove"),
		"tx":                 rpcserver.NewRPCFunc(n.tx, "hash,prove"),
		"block":              rpcserver.NewRPCFunc(n.block, "height"),
		"block_results":      rpcserver.NewRPCFunc(n.blockResults, "height"),
		"broadcast_tx_sync":  rpcserver.NewRPCFunc(n.broadcast, "tx"),
		"broadcast_evidence": rpcserver.NewRPCFunc(n.evidence, "evidence"),
	}, cmtlog.NewNopLogger())
	s := httptest.NewServer(mux)
	tb.Cleanup(s.Close)
	return s.URL
}

// Client is a light client of one node that trusts block 1.
func (c *Chain) Client(tb testing.TB, lie Lie) *light.Client {
	tb.Helper()
	lc, err := light.New(context.Background(), c.Config(tb, c.Serve(tb, lie)), c.Now)
	if err != nil {
		tb.Fatal(err)
	}
	return lc
}

// Config of a light client of one node that trusts block 1.
func (c *Chain) Config(tb testing.TB, primary string) light.Config {
	return light.Config{
		ChainID: ID, Trust: c.Block(1), TrustPeriod: 14 * 24 * time.Hour, Primary: primary, AllowNoWitness: true,
		Dir: tb.TempDir(), Deadline: 20 * time.Second, Request: 10 * time.Second, Patience: 20 * time.Millisecond,
	}
}

type node struct {
	c   *Chain
	lie Lie
}

// at finds a block; the caller holds the chain. The texts are CometBFT's own (rpc/core/env.go).
func (n node) at(height *int64) (block, error) {
	last := int64(len(n.c.blocks))
	h := last
	if height != nil {
		h = *height
	}
	switch {
	case h <= 0:
		return block{}, fmt.Errorf("height must be greater than 0, but got %d", h)
	case h > last:
		return block{}, fmt.Errorf("height %d must be less than or equal to the current blockchain height %d", h, last)
	}
	return n.c.blocks[h-1], nil
}

func (n node) commit(_ *rpctypes.Context, height *int64) (*ctypes.ResultCommit, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	b, err := n.at(height)
	if err != nil {
		return nil, err
	}
	sh, err := types.SignedHeaderFromProto(b.signed.ToProto())
	if err != nil {
		return nil, err
	}
	r := ctypes.NewResultCommit(sh.Header, sh.Commit, true)
	n.lie(r)
	return r, nil
}

func (n node) validators(_ *rpctypes.Context, height *int64, _, _ *int) (*ctypes.ResultValidators, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	b, err := n.at(height)
	if err != nil {
		return nil, err
	}
	vals := b.vals.Copy()
	r := &ctypes.ResultValidators{BlockHeight: b.signed.Height, Validators: vals.Validators, Count: len(vals.Validators), Total: len(vals.Validators)}
	n.lie(r)
	return r, nil
}

func (n node) abciQuery(_ *rpctypes.Context, path string, data cmtbytes.HexBytes, height int64, prove bool) (*ctypes.ResultABCIQuery, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	r := &ctypes.ResultABCIQuery{Response: n.query(path, data, height, prove)}
	n.lie(r)
	return r, nil
}

func (n node) query(path string, data []byte, height int64, prove bool) abci.ResponseQuery {
	if height == 0 {
		height = int64(len(n.c.blocks))
	}
	if height <= 1 && prove {
		return abci.ResponseQuery{Code: 18, Log: "cannot query with proof when height <= 1; please provide a valid height"}
	}
	r, err := n.c.store.Query(&storetypes.RequestQuery{Path: strings.TrimPrefix(path, "/store"), Data: data, Height: height, Prove: prove})
	if err != nil {
		return abci.ResponseQuery{Code: 1, Log: err.Error()}
	}
	r.Height = height
	return abci.ResponseQuery(*r)
}

func (n node) find(hash []byte) (block, int, bool) {
	for _, b := range n.c.blocks {
		if i := b.txs.IndexByHash(hash); i >= 0 {
			return b, i, true
		}
	}
	return block{}, 0, false
}

func (n node) tx(_ *rpctypes.Context, hash []byte, _ bool) (*ctypes.ResultTx, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	b, i, ok := n.find(hash)
	if !ok {
		return nil, fmt.Errorf("tx (%X) not found", hash)
	}
	r := &ctypes.ResultTx{Hash: hash, Height: b.signed.Height, Index: uint32(i), TxResult: *b.results[i], Tx: bytes.Clone(b.txs[i]), Proof: b.txs.Proof(i)}
	n.lie(r)
	return r, nil
}

func (n node) block(_ *rpctypes.Context, height *int64) (*ctypes.ResultBlock, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	b, err := n.at(height)
	if err != nil {
		return nil, err
	}
	var txs types.Txs
	for _, tx := range b.txs {
		txs = append(txs, bytes.Clone(tx))
	}
	r := &ctypes.ResultBlock{Block: &types.Block{Header: *b.signed.Header, Data: types.Data{Txs: txs}, LastCommit: &types.Commit{}}}
	n.lie(r)
	return r, nil
}

func (n node) blockResults(_ *rpctypes.Context, height *int64) (*ctypes.ResultBlockResults, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	b, err := n.at(height)
	if err != nil {
		return nil, err
	}
	r := &ctypes.ResultBlockResults{Height: b.signed.Height}
	for _, x := range b.results {
		y := *x
		r.TxsResults = append(r.TxsResults, &y)
	}
	n.lie(r)
	return r, nil
}

func (n node) broadcast(_ *rpctypes.Context, tx types.Tx) (*ctypes.ResultBroadcastTx, error) {
	n.c.mu.Lock()
	defer n.c.mu.Unlock()
	hash := sha256.Sum256(tx)
	if n.c.cache[hash] {
		return nil, errors.New("tx already exists in cache")
	}
	r := &ctypes.ResultBroadcastTx{Hash: hash[:]}
	if n.c.Check != nil {
		r.Code = n.c.Check(tx)
	}
	n.lie(r)
	if r.Code != 0 {
		return r, nil
	}
	n.c.cache[hash] = true
	n.c.mempool = append(n.c.mempool, tx)
	if n.c.Auto {
		n.c.commit()
		n.c.commit()
	}
	return r, nil
}

func (n node) evidence(_ *rpctypes.Context, ev types.Evidence) (*ctypes.ResultBroadcastEvidence, error) {
	return &ctypes.ResultBroadcastEvidence{Hash: ev.Hash()}, nil
}
