package request

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	"cosmossdk.io/core/store"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
)

// ModuleName names the module, its account and its codespace.
const ModuleName = requestv1.StoreKey

// Humans knows who may vote and who may work. Human returns an error for anybody else.
type Humans interface {
	Human(ctx context.Context, addr sdk.AccAddress) (humanv1.Human, error)
	Owns(ctx context.Context, owner sdk.AccAddress) (bool, error)
}

// NFTs knows the AIs and their rules; both return an error when there is none.
type NFTs interface {
	NFT(ctx context.Context, id uint64) (ainftv1.NFT, error)
	Rules(ctx context.Context, id, version uint64) (ainftv1.Rules, error)
}

// Bank holds the escrows.
type Bank interface {
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	SendCoinsFromAccountToModule(ctx context.Context, from sdk.AccAddress, module string, amount sdk.Coins) error
	SendCoinsFromModuleToAccount(ctx context.Context, module string, to sdk.AccAddress, amount sdk.Coins) error
	SendCoinsFromModuleToModule(ctx context.Context, from, to string, amount sdk.Coins) error
}

type (
	voteKey     = collections.Pair[uint64, sdk.AccAddress] // request, human
	deadlineKey = collections.Pair[uint64, uint64]         // height, request
)

// Keeper reads and writes the module's store.
type Keeper struct {
	addresses address.Codec
	humans    Humans
	nfts      NFTs
	bank      Bank

	nextID   collections.Sequence
	requests collections.Map[uint64, requestv1.Request]
	payloads collections.Map[uint64, []byte]
	votes    collections.Map[voteKey, requestv1.Vote]
	receipts collections.Map[uint64, requestv1.Receipt]
	// deadlines is an index. Its values hold a byte because a proof of absence leans on the neighbours
	// of the absent key, and ICS-23 proves no empty value.
	deadlines collections.Map[deadlineKey, bool]
	anchors   collections.Map[uint64, []byte] // height to header hash
}

// NewKeeper lays the module's records out under the keys of requestv1.
func NewKeeper(cdc codec.BinaryCodec, service store.KVStoreService, addresses address.Codec, humans Humans, nfts NFTs, bank Bank) (Keeper, error) {
	sb := collections.NewSchemaBuilder(service)
	prefix := func(b byte) collections.Prefix { return collections.NewPrefix([]byte{b}) }
	k := Keeper{
		addresses: addresses, humans: humans, nfts: nfts, bank: bank,
		nextID: collections.NewSequence(sb, prefix(requestv1.NextIDPrefix), "next_id"),
		requests: collections.NewMap(sb, prefix(requestv1.RequestsPrefix), "requests",
			collections.Uint64Key, codec.CollValue[requestv1.Request](cdc)),
		payloads: collections.NewMap(sb, prefix(requestv1.PayloadsPrefix), "payloads", collections.Uint64Key, collections.BytesValue),
		votes: collections.NewMap(sb, prefix(requestv1.VotesPrefix), "votes",
			collections.PairKeyCodec(collections.Uint64Key, sdk.AccAddressKey), codec.CollValue[requestv1.Vote](cdc)),
		receipts: collections.NewMap(sb, prefix(requestv1.ReceiptsPrefix), "receipts",
			collections.Uint64Key, codec.CollValue[requestv1.Receipt](cdc)),
		deadlines: collections.NewMap(sb, prefix(requestv1.DeadlinesPrefix), "deadlines",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key), collections.BoolValue),
		anchors: collections.NewMap(sb, prefix(requestv1.AnchorsPrefix), "anchors", collections.Uint64Key, collections.BytesValue),
	}
	if _, err := sb.Build(); err != nil {
		return Keeper{}, err
	}
	return k, nil
}

// Request returns a request, or [ErrUnknown].
func (k Keeper) Request(ctx context.Context, id uint64) (requestv1.Request, error) {
	r, err := k.requests.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return requestv1.Request{}, ErrUnknown.Wrapf("id %d", id)
	}
	return r, err
}

// setDeadline moves a request's deadline in the record and in the index. The caller stores the record.
func (k Keeper) setDeadline(ctx context.Context, r *requestv1.Request, height int64) error {
	if r.DeadlineHeight != 0 {
		if err := k.clearDeadline(ctx, *r); err != nil {
			return err
		}
	}
	r.DeadlineHeight = height
	return k.deadlines.Set(ctx, collections.Join(uint64(height), r.Id), true)
}

func (k Keeper) clearDeadline(ctx context.Context, r requestv1.Request) error {
	return k.deadlines.Remove(ctx, collections.Join(uint64(r.DeadlineHeight), r.Id))
}
