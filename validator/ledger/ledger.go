// Package ledger reads the chain's records as of one block, each proved by the light client, and
// turns them into the words of validator/poh. The box, the command line and the receipt builder
// import it. A record that the chain proves not to have is [ErrAbsent]; any other error means that
// nothing was proved.
package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cosmos/gogoproto/proto"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/poh"
)

// ErrAbsent means that the chain proved that there is no such record.
var ErrAbsent = errors.New("the chain proves that there is none")

// Reader proves single values. *light.Client is one.
type Reader interface {
	ReadAt(ctx context.Context, height int64, store string, key []byte) (light.Value, error)
}

// View is the chain's state as of one block, so that all that is read through it is of one moment.
type View struct {
	reader Reader
	height int64
}

// At is the state after the block of that height.
func At(r Reader, height int64) View { return View{r, height} }

// Height of the block whose state this is.
func (v View) Height() int64 { return v.height }

// Human is the registration of the account address.
func (v View) Human(ctx context.Context, address []byte) (h humanv1.Human, err error) {
	err = v.record(ctx, humanv1.StoreKey, humanv1.HumanKey(address), "the human's registration", &h)
	return h, err
}

// HumanParams are the parameters of registration.
func (v View) HumanParams(ctx context.Context) (p humanv1.Params, err error) {
	err = v.record(ctx, humanv1.StoreKey, []byte{humanv1.ParamsPrefix}, "the parameters of registration", &p)
	return p, err
}

// NextNFT is the id that the next AI NFT gets; ids start at 1.
func (v View) NextNFT(ctx context.Context) (uint64, error) {
	return v.sequence(ctx, ainftv1.StoreKey, ainftv1.NextIDKey(), "the number of AI NFTs")
}

// NFT is one AI NFT.
func (v View) NFT(ctx context.Context, id uint64) (n ainftv1.NFT, err error) {
	err = v.record(ctx, ainftv1.StoreKey, ainftv1.NFTKey(id), fmt.Sprintf("AI NFT %d", id), &n)
	return n, err
}

// Rules are one version of an NFT's rules, validated.
func (v View) Rules(ctx context.Context, nft, version uint64) (poh.Rules, error) {
	var p ainftv1.Rules
	what := fmt.Sprintf("version %d of the rules of AI NFT %d", version, nft)
	if err := v.record(ctx, ainftv1.StoreKey, ainftv1.RulesKey(nft, version), what, &p); err != nil {
		return poh.Rules{}, err
	}
	r := p.PoH()
	if err := r.Validate(); err != nil {
		return poh.Rules{}, fmt.Errorf("%s: %w", what, err)
	}
	return r, nil
}

// NextRequest is the id that the next request gets; ids start at 1.
func (v View) NextRequest(ctx context.Context) (uint64, error) {
	return v.sequence(ctx, requestv1.StoreKey, requestv1.NextIDKey(), "the number of requests")
}

// Request is one request.
func (v View) Request(ctx context.Context, id uint64) (r requestv1.Request, err error) {
	err = v.record(ctx, requestv1.StoreKey, requestv1.RequestKey(id), fmt.Sprintf("request %d", id), &r)
	return r, err
}

// Payload is the artefact of a request that carries it inline. The caller compares its digest.
func (v View) Payload(ctx context.Context, id uint64) ([]byte, error) {
	return v.value(ctx, requestv1.StoreKey, requestv1.PayloadKey(id), fmt.Sprintf("the payload of request %d", id))
}

// Vote is what the human of that address answered.
func (v View) Vote(ctx context.Context, id uint64, human []byte) (w requestv1.Vote, err error) {
	err = v.record(ctx, requestv1.StoreKey, requestv1.VoteKey(id, human), fmt.Sprintf("the vote on request %d", id), &w)
	return w, err
}

// Receipt is what an edge worker posted.
func (v View) Receipt(ctx context.Context, id uint64) (r requestv1.Receipt, err error) {
	err = v.record(ctx, requestv1.StoreKey, requestv1.ReceiptKey(id), fmt.Sprintf("the receipt of request %d", id), &r)
	return r, err
}

func (v View) value(ctx context.Context, store string, key []byte, what string) ([]byte, error) {
	got, err := v.reader.ReadAt(ctx, v.height, store, key)
	if err != nil {
		return nil, fmt.Errorf("prove %s: %w", what, err)
	}
	if got.Absent() {
		return nil, fmt.Errorf("%s: %w", what, ErrAbsent)
	}
	return got.Bytes(), nil
}

func (v View) record(ctx context.Context, store string, key []byte, what string, into proto.Message) error {
	b, err := v.value(ctx, store, key, what)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(b, into); err != nil {
		return fmt.Errorf("decode %s: %w", what, err)
	}
	return nil
}

func (v View) sequence(ctx context.Context, store string, key []byte, what string) (uint64, error) {
	b, err := v.value(ctx, store, key, what)
	if errors.Is(err, ErrAbsent) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%s has %d bytes, want 8", what, len(b))
	}
	return binary.BigEndian.Uint64(b), nil
}
