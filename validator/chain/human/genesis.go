package human

import (
	"bytes"
	"context"

	"cosmossdk.io/core/address"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// DefaultGenesis has no humans and a bond of 100 HEART.
func DefaultGenesis() *humanv1.GenesisState {
	return &humanv1.GenesisState{Params: humanv1.Params{MinBond: sdk.NewCoin(poh.Denom, math.NewIntWithDecimal(100, 18))}}
}

// ValidateGenesis checks what a genesis state can tell without a store.
func ValidateGenesis(gs *humanv1.GenesisState, addresses address.Codec) error {
	if err := gs.Params.MinBond.Validate(); err != nil {
		return ErrGenesis.Wrapf("min_bond: %s", err)
	}
	var last []byte
	for i, h := range gs.Humans {
		key, err := parseVoteKey(h.VoteKey)
		if err != nil {
			return ErrGenesis.Wrapf("human %d: %s", i, err)
		}
		addr, err := addresses.StringToBytes(h.Address)
		if err != nil || !bytes.Equal(addr, key.Address()) {
			return ErrGenesis.Wrapf("human %d: %q is not the address of its vote key", i, h.Address)
		}
		if _, err := addresses.StringToBytes(h.Owner); err != nil {
			return ErrGenesis.Wrapf("human %d: owner: %s", i, err)
		}
		if err := h.Bond.Validate(); err != nil || h.Bond.Denom != gs.Params.MinBond.Denom {
			return ErrGenesis.Wrapf("human %d: the bond %s is not in %s", i, h.Bond, gs.Params.MinBond.Denom)
		}
		if last != nil && bytes.Compare(last, addr) >= 0 {
			return ErrGenesis.Wrapf("human %d: humans stand in the order of their addresses, once each", i)
		}
		last = addr
	}
	return nil
}

// InitGenesis writes a genesis state. The module's account must hold exactly the bonds.
func (k Keeper) InitGenesis(ctx context.Context, gs *humanv1.GenesisState) error {
	if err := ValidateGenesis(gs, k.addresses); err != nil {
		return err
	}
	if err := k.params.Set(ctx, gs.Params); err != nil {
		return err
	}
	bonds := math.ZeroInt()
	for _, h := range gs.Humans {
		addr, err := k.addresses.StringToBytes(h.Address)
		if err != nil {
			return err
		}
		owner, err := k.addresses.StringToBytes(h.Owner)
		if err != nil {
			return err
		}
		if err := k.setHuman(ctx, addr, owner, h); err != nil {
			return err
		}
		bonds = bonds.Add(h.Bond.Amount)
	}
	if held := k.bank.GetBalance(ctx, authtypes.NewModuleAddress(ModuleName), gs.Params.MinBond.Denom); !held.Amount.Equal(bonds) {
		return ErrGenesis.Wrapf("the bonds are %s and the module's account holds %s", bonds, held.Amount)
	}
	return nil
}

// ExportGenesis reads the whole state, humans in the order of their addresses.
func (k Keeper) ExportGenesis(ctx context.Context) (*humanv1.GenesisState, error) {
	params, err := k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	gs := &humanv1.GenesisState{Params: params}
	err = k.humans.Walk(ctx, nil, func(_ sdk.AccAddress, h humanv1.Human) (bool, error) {
		gs.Humans = append(gs.Humans, h)
		return false, nil
	})
	return gs, err
}
