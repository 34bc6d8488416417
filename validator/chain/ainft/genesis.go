package ainft

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
)

// DefaultGenesis has no NFT; the first id is 1.
func DefaultGenesis() *ainftv1.GenesisState { return &ainftv1.GenesisState{NextId: 1} }

// ValidateGenesis checks that NFTs stand in the order of their ids below next_id, and that each has
// all its versions of rules, in order.
func ValidateGenesis(gs *ainftv1.GenesisState, addresses address.Codec) error {
	if gs.NextId == 0 {
		return ErrGenesis.Wrap("next_id starts at 1")
	}
	rules, last := gs.Rules, uint64(0)
	for _, nft := range gs.NFTs {
		switch err := validateNFT(nft); {
		case err != nil:
			return ErrGenesis.Wrapf("id %d: %s", nft.Id, err)
		case nft.Id <= last || nft.Id >= gs.NextId:
			return ErrGenesis.Wrapf("id %d stands after %d, below next_id %d", nft.Id, last, gs.NextId)
		case nft.RulesVersion == 0:
			return ErrGenesis.Wrapf("id %d has no rules", nft.Id)
		}
		if _, err := addresses.StringToBytes(nft.Owner); err != nil {
			return ErrGenesis.Wrapf("id %d: owner: %s", nft.Id, err)
		}
		for version := uint64(1); version <= nft.RulesVersion; version++ {
			if len(rules) == 0 || rules[0].NFTID != nft.Id || rules[0].Rules.Version != version {
				return ErrGenesis.Wrapf("id %d: version %d of its rules is missing or out of order", nft.Id, version)
			}
			if err := validateRules(rules[0].Rules); err != nil {
				return ErrGenesis.Wrapf("id %d: %s", nft.Id, err)
			}
			rules = rules[1:]
		}
		last = nft.Id
	}
	if len(rules) > 0 {
		return ErrGenesis.Wrapf("rules of id %d, version %d, belong to no NFT", rules[0].NFTID, rules[0].Rules.Version)
	}
	return nil
}

// InitGenesis writes a genesis state.
func (k Keeper) InitGenesis(ctx context.Context, gs *ainftv1.GenesisState) error {
	if err := ValidateGenesis(gs, k.addresses); err != nil {
		return err
	}
	if err := k.nextID.Set(ctx, gs.NextId); err != nil {
		return err
	}
	for _, nft := range gs.NFTs {
		if err := k.nfts.Set(ctx, nft.Id, nft); err != nil {
			return err
		}
	}
	for _, r := range gs.Rules {
		if err := k.rules.Set(ctx, collections.Join(r.NFTID, r.Rules.Version), r.Rules); err != nil {
			return err
		}
	}
	return nil
}

// ExportGenesis reads the whole state in the order that [ValidateGenesis] wants.
func (k Keeper) ExportGenesis(ctx context.Context) (*ainftv1.GenesisState, error) {
	gs := &ainftv1.GenesisState{}
	var err error
	if gs.NextId, err = k.nextID.Peek(ctx); err != nil {
		return nil, err
	}
	if err := k.nfts.Walk(ctx, nil, func(_ uint64, nft ainftv1.NFT) (bool, error) {
		gs.NFTs = append(gs.NFTs, nft)
		return false, nil
	}); err != nil {
		return nil, err
	}
	err = k.rules.Walk(ctx, nil, func(key collections.Pair[uint64, uint64], r ainftv1.Rules) (bool, error) {
		gs.Rules = append(gs.Rules, ainftv1.VersionedRules{NFTID: key.K1(), Rules: r})
		return false, nil
	})
	return gs, err
}
