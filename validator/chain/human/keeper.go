package human

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	"cosmossdk.io/core/store"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
)

// ModuleName names the module, its account and its codespace.
const ModuleName = humanv1.StoreKey

// Accounts makes the account that a vote key signs with.
type Accounts interface {
	GetAccount(ctx context.Context, addr sdk.AccAddress) sdk.AccountI
	NewAccountWithAddress(ctx context.Context, addr sdk.AccAddress) sdk.AccountI
	SetAccount(ctx context.Context, account sdk.AccountI)
}

// Bank holds the bonds.
type Bank interface {
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	SendCoinsFromAccountToModule(ctx context.Context, from sdk.AccAddress, module string, amount sdk.Coins) error
}

// Keeper reads and writes the module's store.
type Keeper struct {
	addresses address.Codec
	accounts  Accounts
	bank      Bank

	params collections.Item[humanv1.Params]
	humans collections.Map[sdk.AccAddress, humanv1.Human]
	// owners is an index. Its values hold a byte because a proof of absence leans on the neighbours of
	// the absent key, and ICS-23 proves no empty value.
	owners collections.Map[collections.Pair[sdk.AccAddress, sdk.AccAddress], bool]
}

// NewKeeper lays the module's records out under the keys of humanv1.
func NewKeeper(cdc codec.BinaryCodec, service store.KVStoreService, addresses address.Codec, accounts Accounts, bank Bank) (Keeper, error) {
	sb := collections.NewSchemaBuilder(service)
	k := Keeper{
		addresses: addresses,
		accounts:  accounts,
		bank:      bank,
		params:    collections.NewItem(sb, collections.NewPrefix([]byte{humanv1.ParamsPrefix}), "params", codec.CollValue[humanv1.Params](cdc)),
		humans: collections.NewMap(sb, collections.NewPrefix([]byte{humanv1.HumansPrefix}), "humans",
			sdk.AccAddressKey, codec.CollValue[humanv1.Human](cdc)),
		owners: collections.NewMap(sb, collections.NewPrefix([]byte{humanv1.OwnersPrefix}), "owners",
			collections.PairKeyCodec(sdk.AccAddressKey, sdk.AccAddressKey), collections.BoolValue),
	}
	if _, err := sb.Build(); err != nil {
		return Keeper{}, err
	}
	return k, nil
}

// Human returns the human with this account address, or [ErrUnknown].
func (k Keeper) Human(ctx context.Context, addr sdk.AccAddress) (humanv1.Human, error) {
	h, err := k.humans.Get(ctx, addr)
	if errors.Is(err, collections.ErrNotFound) {
		text, err := k.addresses.BytesToString(addr)
		if err != nil {
			return humanv1.Human{}, err
		}
		return humanv1.Human{}, ErrUnknown.Wrapf("%s: register its vote key first", text)
	}
	return h, err
}

// Owns reports whether the account bonded at least one human.
func (k Keeper) Owns(ctx context.Context, owner sdk.AccAddress) (bool, error) {
	found := false
	err := k.owners.Walk(ctx, collections.NewPrefixedPairRange[sdk.AccAddress, sdk.AccAddress](owner),
		func(collections.Pair[sdk.AccAddress, sdk.AccAddress], bool) (bool, error) {
			found = true
			return true, nil
		})
	return found, err
}

func (k Keeper) setHuman(ctx context.Context, addr, owner sdk.AccAddress, h humanv1.Human) error {
	if err := k.humans.Set(ctx, addr, h); err != nil {
		return err
	}
	return k.owners.Set(ctx, collections.Join(owner, addr), true)
}
