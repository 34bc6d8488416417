package light

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/types"
	"google.golang.org/protobuf/encoding/protowire"
)

// Read proves what a key of a store holds after the last block but one: its header is the newest
// that commits to state.
func (c *Client) Read(ctx context.Context, store string, key []byte) (Value, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	h, err := c.Latest(ctx)
	if err != nil {
		return Value{}, err
	}
	return c.read(ctx, h, store, key)
}

// ReadAt proves what a key of a store held after the block of a height. The block after it must
// exist; nodes prune old state.
func (c *Client) ReadAt(ctx context.Context, height int64, store string, key []byte) (Value, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	h, err := c.Header(ctx, height+1)
	if err != nil {
		return Value{}, err
	}
	return c.read(ctx, h, store, key)
}

func (c *Client) read(ctx context.Context, h Header, store string, key []byte) (Value, error) {
	// cosmos-sdk's baseapp proves no state of height 1.
	if h.Height < 3 {
		return Value{}, fmt.Errorf("%w: state can be proven from block 3 on, the newest is %d", ErrStale, h.Height)
	}
	if len(key) == 0 || len(key) > MaxKey {
		return Value{}, fmt.Errorf("a key has 1 to %d bytes, got %d", MaxKey, len(key))
	}
	r, err := c.primary.value(ctx, store, key, h.Height-1)
	if err != nil {
		return Value{}, err
	}
	if r.Code != 0 {
		return Value{}, fmt.Errorf("the node cannot read %s/%X at height %d (code %d: %s); it may have pruned that height", store, key, h.Height-1, r.Code, r.Log)
	}
	if !bytes.Equal(r.Key, key) {
		return Value{}, lie("key", nil, "asked for %s/%X, got the key %X", store, key, r.Key)
	}
	if r.Height != h.Height-1 {
		return Value{}, lie("height", nil, "asked for %s/%X at height %d, got height %d", store, key, h.Height-1, r.Height)
	}
	p, err := proofOf(r.ProofOps, Proof{Height: r.Height, Store: store, Key: key, Value: r.Value, Absent: len(r.Value) == 0})
	if err != nil {
		return Value{}, err
	}
	return p.Verify(h, store, key)
}

// Inclusion proves that a block carries the transaction with this SHA-256 hash, and what came of
// it. It fails with ErrNotIncluded until the block after it exists, which commits to the result.
func (c *Client) Inclusion(ctx context.Context, txHash [32]byte) (*Inclusion, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	r, err := c.primary.tx(ctx, txHash)
	if err != nil {
		return nil, err
	}
	latest, err := c.Latest(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Height <= 0:
		return nil, lie("height", nil, "the node says that transaction %X is in block %d", txHash, r.Height)
	case r.Height >= latest.Height:
		return nil, fmt.Errorf("%w: block %d is said to carry it: %w", ErrNotIncluded, r.Height, ErrUnconfirmed)
	}
	next, err := c.Header(ctx, r.Height+1)
	if err != nil {
		return nil, err
	}
	h, err := c.Header(ctx, r.Height)
	if err != nil {
		return nil, err
	}
	path, err := encodePath(r.Proof)
	if err != nil {
		return nil, lie("transaction", err, "the proof of transaction %X cannot be read", txHash)
	}
	results, err := c.primary.results(ctx, r.Height)
	if err != nil {
		return nil, err
	}
	return include(h, next, txHash, TxProof{Height: r.Height, Tx: r.Proof.Data, Path: path}, results)
}

// Txs returns all transactions of a block, proven by its data hash, each with its own proof.
func (c *Client) Txs(ctx context.Context, height int64) ([]TxProof, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	h, err := c.Header(ctx, height)
	if err != nil {
		return nil, err
	}
	txs, err := c.primary.txs(ctx, height)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(txs.Hash(), h.DataHash) {
		return nil, lie("transaction", nil, "the transactions of block %d do not hash to its data hash", height)
	}
	out := make([]TxProof, len(txs))
	for i := range txs {
		path, err := encodePath(txs.Proof(i))
		if err != nil {
			return nil, fmt.Errorf("proof of transaction %d of block %d: %w", i, height, err)
		}
		out[i] = TxProof{Height: height, Tx: txs[i], Path: path}
	}
	return out, nil
}

func encodePath(p types.TxProof) ([]byte, error) { return p.Proof.ToProto().Marshal() }

// Broadcast hands a transaction to the primary. Its answer is a node's word: only
// [Client.Inclusion] says that the chain has it. A node that has the transaction already is fine.
func (c *Client) Broadcast(ctx context.Context, tx []byte) error {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	return c.primary.broadcast(ctx, tx)
}

// Keys returns keys of a store that begin with prefix, as the node lists them. Nothing proves the
// list: it is a hint of what to Read, and a count that is proven elsewhere must say if it is whole.
func (c *Client) Keys(ctx context.Context, store string, prefix []byte) ([][]byte, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	r, err := c.primary.subspace(ctx, store, prefix)
	if err != nil {
		return nil, err
	}
	if r.Code != 0 {
		return nil, fmt.Errorf("the node cannot list %s/%X (code %d: %s)", store, prefix, r.Code, r.Log)
	}
	return parseKeys(r, prefix)
}

// maxKeys bounds a node's list.
const maxKeys = 4096

// parseKeys reads cosmos-sdk's internal kv.Pairs: repeated Pair{key=1, value=2} as field 1.
func parseKeys(r *abci.ResponseQuery, prefix []byte) ([][]byte, error) {
	var keys [][]byte
	err := fields(r.Value, func(num protowire.Number, pair []byte) error {
		if num != 1 || len(keys) == maxKeys {
			return errors.New("unexpected field or too many keys")
		}
		return fields(pair, func(num protowire.Number, b []byte) error {
			if num == 1 && bytes.HasPrefix(b, prefix) && len(b) <= MaxKey {
				keys = append(keys, bytes.Clone(b))
			}
			return nil
		})
	})
	if err != nil {
		return nil, lie("answer", err, "the node's list of keys cannot be read")
	}
	return keys, nil
}

// fields calls f for each field of a protobuf message that has length-delimited fields only.
func fields(b []byte, f func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if typ != protowire.BytesType {
			return fmt.Errorf("field %d has wire type %d", num, typ)
		}
		v, m := protowire.ConsumeBytes(b[n:])
		if m < 0 {
			return protowire.ParseError(m)
		}
		if err := f(num, v); err != nil {
			return err
		}
		b = b[n+m:]
	}
	return nil
}
