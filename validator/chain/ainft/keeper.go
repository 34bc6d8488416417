package ainft

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	"cosmossdk.io/core/store"

	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
)

// ModuleName names the module and its codespace.
const ModuleName = ainftv1.StoreKey

// Keeper reads and writes the module's store.
type Keeper struct {
	addresses address.Codec

	nextID collections.Sequence
	nfts   collections.Map[uint64, ainftv1.NFT]
	rules  collections.Map[collections.Pair[uint64, uint64], ainftv1.Rules]
}

// NewKeeper lays the module's records out under the keys of ainftv1.
func NewKeeper(cdc codec.BinaryCodec, service store.KVStoreService, addresses address.Codec) (Keeper, error) {
	sb := collections.NewSchemaBuilder(service)
	k := Keeper{
		addresses: addresses,
		nextID:    collections.NewSequence(sb, collections.NewPrefix([]byte{ainftv1.NextIDPrefix}), "next_id"),
		nfts: collections.NewMap(sb, collections.NewPrefix([]byte{ainftv1.NFTsPrefix}), "nfts",
			collections.Uint64Key, codec.CollValue[ainftv1.NFT](cdc)),
		rules: collections.NewMap(sb, collections.NewPrefix([]byte{ainftv1.RulesPrefix}), "rules",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key), codec.CollValue[ainftv1.Rules](cdc)),
	}
	if _, err := sb.Build(); err != nil {
		return Keeper{}, err
	}
	return k, nil
}

// NFT returns an AI NFT, or [ErrUnknown].
func (k Keeper) NFT(ctx context.Context, id uint64) (ainftv1.NFT, error) {
	nft, err := k.nfts.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return ainftv1.NFT{}, ErrUnknown.Wrapf("id %d", id)
	}
	return nft, err
}

// Rules returns one version of an NFT's rules, or [ErrUnknown].
func (k Keeper) Rules(ctx context.Context, id, version uint64) (ainftv1.Rules, error) {
	rules, err := k.rules.Get(ctx, collections.Join(id, version))
	if errors.Is(err, collections.ErrNotFound) {
		return ainftv1.Rules{}, ErrUnknown.Wrapf("id %d has no version %d of its rules", id, version)
	}
	return rules, err
}
