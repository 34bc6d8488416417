package receipt

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// State proves values: *light.Client, with its errors.
type State interface {
	Latest(ctx context.Context) (light.Header, error)
	ReadAt(ctx context.Context, height int64, store string, key []byte) (light.Value, error)
	// Keys is a hint that nothing proves.
	Keys(ctx context.Context, store string, prefix []byte) ([][]byte, error)
}

// Blocks proves transactions and headers: *light.Client, with its errors.
type Blocks interface {
	Txs(ctx context.Context, height int64) ([]light.TxProof, error)
	Path(ctx context.Context, trusted poh.Block, heights []int64, period time.Duration) (light.Path, error)
}

// Chain is *light.Client.
type Chain interface {
	State
	Blocks
	ChainID() string
}

// Options of a file.
type Options struct {
	// Payload puts the artefact into the file, if the chain has it.
	Payload bool
}

// Build makes the file of a final request for who trusts one block. It verifies what it made.
func Build(ctx context.Context, c Chain, request uint64, trust poh.Block, opts Options) ([]byte, error) {
	latest, err := c.Latest(ctx)
	if err != nil {
		return nil, err
	}
	b := builder{ctx: ctx, chain: c, at: latest.Height - 1}
	f := file{Format: format, ChainID: c.ChainID(), RequestID: request, Trusted: trusted(trust), At: b.at}
	var r requestv1.Request
	if f.Request, err = b.record(requestv1.StoreKey, requestv1.RequestKey(request), &r); err != nil {
		return nil, fmt.Errorf("request %d: %w", request, err)
	}
	if r.State != requestv1.STATE_FINAL {
		return nil, fmt.Errorf("%w: request %d is %s", ErrNotFinal, request, r.State)
	}
	if f.NFT, err = b.record(ainftv1.StoreKey, ainftv1.NFTKey(r.NFTID), new(ainftv1.NFT)); err != nil {
		return nil, fmt.Errorf("AI NFT %d: %w", r.NFTID, err)
	}
	if f.Rules, err = b.record(ainftv1.StoreKey, ainftv1.RulesKey(r.NFTID, r.RulesVersion), new(ainftv1.Rules)); err != nil {
		return nil, fmt.Errorf("version %d of the rules of AI NFT %d: %w", r.RulesVersion, r.NFTID, err)
	}
	if f.Params, err = b.record(humanv1.StoreKey, []byte{humanv1.ParamsPrefix}, new(humanv1.Params)); err != nil {
		return nil, fmt.Errorf("the least bond: %w", err)
	}
	var done requestv1.Receipt
	if f.Receipt, err = b.record(requestv1.StoreKey, requestv1.ReceiptKey(request), &done); err != nil {
		return nil, fmt.Errorf("the execution of request %d: %w", request, err)
	}
	f.Output = string(done.Execution.Output)
	if opts.Payload && r.Inline {
		v, err := c.ReadAt(ctx, b.at, requestv1.StoreKey, requestv1.PayloadKey(request))
		if err != nil {
			return nil, fmt.Errorf("the payload of request %d: %w", request, err)
		}
		f.Payload = v.Bytes()
	}
	heights, err := b.votes(&f, r)
	if err != nil {
		return nil, err
	}
	if err := b.path(&f, append(heights, b.at+1)); err != nil {
		return nil, err
	}
	raw, err := encodeFile(f)
	if err != nil {
		return nil, err
	}
	if _, _, err := Verify(raw, trust, c.ChainID()); err != nil {
		return nil, fmt.Errorf("the receipt of request %d was not written: %w", request, err)
	}
	return raw, nil
}

type builder struct {
	ctx   context.Context
	chain Chain
	at    int64
}

func (b builder) record(store string, key []byte, into interface{ Unmarshal([]byte) error }) (light.Proof, error) {
	v, err := b.chain.ReadAt(b.ctx, b.at, store, key)
	if err != nil {
		return light.Proof{}, err
	}
	if v.Absent() {
		return light.Proof{}, fmt.Errorf("%w: the chain proves that there is no such record", ErrNotFinal)
	}
	return v.Proof(), into.Unmarshal(v.Bytes())
}

// Read makes the builder a tx.Reader at its height.
func (b builder) Read(ctx context.Context, store string, key []byte) (light.Value, error) {
	return b.chain.ReadAt(ctx, b.at, store, key)
}

// votes finds the voters by the node's list, which is only a hint: each vote is proven, and the
// count that the chain keeps says whether one was left out.
func (b builder) votes(f *file, r requestv1.Request) (heights []int64, err error) {
	prefix := requestv1.VoteKey(r.Id, nil)
	keys, err := b.chain.Keys(b.ctx, requestv1.StoreKey, prefix)
	if err != nil {
		return nil, fmt.Errorf("find the voters: %w", err)
	}
	slices.SortFunc(keys, bytes.Compare)
	keys = slices.CompactFunc(keys, bytes.Equal)
	var count poh.Count
	for _, key := range keys {
		human := tx.Address(key[len(prefix):])
		var v vote
		var record requestv1.Vote
		if v.Vote, err = b.record(requestv1.StoreKey, key, &record); err != nil {
			return nil, fmt.Errorf("vote of %s: %w", human, err)
		}
		if v.Human, err = b.record(humanv1.StoreKey, humanv1.HumanKey(human), new(humanv1.Human)); err != nil {
			return nil, fmt.Errorf("registration of %s: %w", human, err)
		}
		if v.AccountNumber, err = tx.AccountNumber(b.ctx, b, human); err != nil {
			return nil, err
		}
		if v.Tx, err = b.transaction(record); err != nil {
			return nil, fmt.Errorf("vote of %s: %w", human, err)
		}
		if count, err = add(count, record.Decision); err != nil {
			return nil, fmt.Errorf("vote of %s: %w", human, err)
		}
		f.Votes = append(f.Votes, v)
		heights = append(heights, record.Height)
	}
	if want := (poh.Count{Approvals: r.Approvals, Rejections: r.Rejections, Abstentions: r.Abstentions}); count != want {
		return nil, fmt.Errorf("%w: found %+v, the chain counted %+v", ErrVoters, count, want)
	}
	return heights, nil
}

// transaction finds the one that cast a vote in its block.
func (b builder) transaction(v requestv1.Vote) (light.TxProof, error) {
	txs, err := b.chain.Txs(b.ctx, v.Height)
	if err != nil {
		return light.TxProof{}, err
	}
	for _, p := range txs {
		signed, err := tx.ParseSigned(p.Tx)
		if err != nil {
			continue
		}
		var m requestv1.MsgVote
		if err := signed.Only(&m); err != nil || m.RequestID != v.RequestID || m.Human != v.Human || m.Decision != v.Decision || !bytes.Equal(m.AnchorHash, v.AnchorHash) {
			continue
		}
		return p, nil
	}
	return light.TxProof{}, fmt.Errorf("block %d has no transaction with it", v.Height)
}

func (b builder) path(f *file, heights []int64) error {
	p, err := b.chain.Path(b.ctx, poh.Block(f.Trusted), heights, Period)
	if err != nil {
		return fmt.Errorf("lead from block %d to the receipt: %w", f.Trusted.Height, err)
	}
	for _, lb := range p.Blocks {
		raw, err := encodeBlock(lb)
		if err != nil {
			return fmt.Errorf("block %d: %w", lb.Height, err)
		}
		f.Blocks = append(f.Blocks, raw)
	}
	for _, h := range p.Links {
		raw, err := h.ToProto().Marshal()
		if err != nil {
			return fmt.Errorf("header %d: %w", h.Height, err)
		}
		f.Links = append(f.Links, raw)
	}
	return nil
}
