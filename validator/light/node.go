package light

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	ctypes "github.com/cometbft/cometbft/rpc/core/types"
	jsonrpc "github.com/cometbft/cometbft/rpc/jsonrpc/client"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"
)

// maxResponse bounds one answer of a node: a block of 1 MiB with its results, as JSON in base64.
const maxResponse = 16 << 20

// node speaks JSON-RPC to one untrusted node, within a deadline and a size.
type node struct {
	url string
	rpc *rpchttp.HTTP
}

func dialNode(rawURL string, timeout time.Duration) (*node, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme == "" || (u.Host == "" && u.Path == "") {
		return nil, fmt.Errorf("%w: %q is not an RPC address; want one like http://127.0.0.1:26657", ErrConfig, rawURL)
	}
	c, err := jsonrpc.DefaultHTTPClient(rawURL)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrConfig, rawURL, err)
	}
	c.Timeout = timeout
	c.Transport = bounded{c.Transport}
	rpc, err := rpchttp.NewWithClient(rawURL, "/websocket", c)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrConfig, rawURL, err)
	}
	return &node{url: rawURL, rpc: rpc}, nil
}

// bounded cuts long answers off, which the JSON decoder then refuses.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxResponse), resp.Body}
	return resp, nil
}

// fail sorts an RPC error: the context's own, the node's answer (an *rpctypes.RPCError, kept), no
// answer at all, or an answer that is none.
func (n *node) fail(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %s: %s did not answer before the deadline: %w", ErrUnreachable, what, n.url, ctx.Err())
	}
	if rpcErr, ok := errors.AsType[*rpctypes.RPCError](err); ok {
		return fmt.Errorf("%s: %s answered: %w", what, n.url, rpcErr)
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, what, err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, what, err)
	}
	return lie("answer", err, "%s did not answer %s in its own protocol", n.url, what)
}

func (n *node) value(ctx context.Context, store string, key []byte, height int64) (*abci.ResponseQuery, error) {
	opts := rpcclient.ABCIQueryOptions{Height: height, Prove: true}
	r, err := n.rpc.ABCIQueryWithOptions(ctx, "/store/"+store+"/key", key, opts)
	if err != nil {
		return nil, n.fail(ctx, "abci_query", err)
	}
	return &r.Response, nil
}

func (n *node) subspace(ctx context.Context, store string, prefix []byte) (*abci.ResponseQuery, error) {
	r, err := n.rpc.ABCIQueryWithOptions(ctx, "/store/"+store+"/subspace", prefix, rpcclient.DefaultABCIQueryOptions)
	if err != nil {
		return nil, n.fail(ctx, "abci_query", err)
	}
	return &r.Response, nil
}

func (n *node) tx(ctx context.Context, hash [32]byte) (*ctypes.ResultTx, error) {
	r, err := n.rpc.Tx(ctx, hash[:], true)
	if err == nil {
		return r, nil
	}
	if rpcErr, ok := errors.AsType[*rpctypes.RPCError](err); ok && strings.Contains(rpcErr.Data+rpcErr.Message, "not found") {
		return nil, ErrNotIncluded
	}
	return nil, n.fail(ctx, "tx", err)
}

func (n *node) results(ctx context.Context, height int64) ([]*abci.ExecTxResult, error) {
	r, err := n.rpc.BlockResults(ctx, &height)
	if err != nil {
		return nil, n.fail(ctx, "block_results", err)
	}
	if r.Height != height {
		return nil, lie("height", nil, "asked for the results of block %d, got those of %d", height, r.Height)
	}
	return r.TxsResults, nil
}

func (n *node) txs(ctx context.Context, height int64) (types.Txs, error) {
	r, err := n.rpc.Block(ctx, &height)
	if err != nil {
		return nil, n.fail(ctx, "block", err)
	}
	if r.Block == nil {
		return nil, lie("height", nil, "%s answered with no block %d", n.url, height)
	}
	return r.Block.Txs, nil
}

func (n *node) broadcast(ctx context.Context, tx []byte) error {
	r, err := n.rpc.BroadcastTxSync(ctx, tx)
	if err != nil {
		rpcErr, ok := errors.AsType[*rpctypes.RPCError](err)
		if ok && strings.Contains(rpcErr.Data+rpcErr.Message, "already exists in cache") {
			return nil
		}
		return n.fail(ctx, "broadcast_tx_sync", err)
	}
	if r.Code != 0 {
		return &RefusedError{Codespace: r.Codespace, Code: r.Code, Log: r.Log}
	}
	return nil
}
