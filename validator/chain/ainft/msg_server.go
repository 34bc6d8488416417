package ainft

import (
	"context"
	"strconv"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// Bounds of an NFT's texts, in bytes.
const (
	MaxName        = 100
	MaxDescription = 2000
)

type msgServer struct{ keeper Keeper }

// NewMsgServer answers the module's transactions.
func NewMsgServer(k Keeper) ainftv1.MsgServer { return msgServer{k} }

// Mint makes an NFT with version 1 of its rules.
func (s msgServer) Mint(goCtx context.Context, msg *ainftv1.MsgMint) (*ainftv1.MsgMintResponse, error) {
	k, ctx := s.keeper, sdk.UnwrapSDKContext(goCtx)
	owner, err := canonical(k, msg.Owner)
	if err != nil {
		return nil, err
	}
	nft := ainftv1.NFT{
		Owner: owner, Name: msg.Name, Description: msg.Description, Model: msg.Model,
		RulesVersion: 1, MintedHeight: ctx.BlockHeight(),
	}
	if err := validateNFT(nft); err != nil {
		return nil, err
	}
	rules := msg.Rules
	rules.Version = 1
	if err := validateRules(rules); err != nil {
		return nil, err
	}
	if nft.Id, err = k.nextID.Next(ctx); err != nil {
		return nil, err
	}
	if err := k.nfts.Set(ctx, nft.Id, nft); err != nil {
		return nil, err
	}
	if err := k.rules.Set(ctx, collections.Join(nft.Id, rules.Version), rules); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent("ainft_minted", sdk.NewAttribute("id", strconv.FormatUint(nft.Id, 10)), sdk.NewAttribute("owner", owner)))
	return &ainftv1.MsgMintResponse{Id: nft.Id}, nil
}

// SetRules adds the next version. Open requests keep the version they were made under.
func (s msgServer) SetRules(goCtx context.Context, msg *ainftv1.MsgSetRules) (*ainftv1.MsgSetRulesResponse, error) {
	k, ctx := s.keeper, sdk.UnwrapSDKContext(goCtx)
	owner, err := canonical(k, msg.Owner)
	if err != nil {
		return nil, err
	}
	nft, err := k.NFT(ctx, msg.NFTID)
	if err != nil {
		return nil, err
	}
	if nft.Owner != owner {
		return nil, ErrNotOwner.Wrapf("id %d belongs to %s", nft.Id, nft.Owner)
	}
	rules := msg.Rules
	rules.Version = nft.RulesVersion + 1
	if err := validateRules(rules); err != nil {
		return nil, err
	}
	nft.RulesVersion = rules.Version
	if err := k.nfts.Set(ctx, nft.Id, nft); err != nil {
		return nil, err
	}
	if err := k.rules.Set(ctx, collections.Join(nft.Id, rules.Version), rules); err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent("ainft_rules", sdk.NewAttribute("id", strconv.FormatUint(nft.Id, 10)),
		sdk.NewAttribute("version", strconv.FormatUint(rules.Version, 10))))
	return &ainftv1.MsgSetRulesResponse{Version: rules.Version}, nil
}

// canonical gives the one lower-case text of an address.
func canonical(k Keeper, text string) (string, error) {
	addr, err := k.addresses.StringToBytes(text)
	if err != nil {
		return "", sdkerrors.ErrInvalidAddress.Wrapf("owner: %s", err)
	}
	return k.addresses.BytesToString(addr)
}

func validateNFT(nft ainftv1.NFT) error {
	if nft.Name == "" || len(nft.Name) > MaxName {
		return ErrText.Wrapf("the name has %d bytes, want 1 to %d", len(nft.Name), MaxName)
	}
	if len(nft.Description) > MaxDescription {
		return ErrText.Wrapf("the description has %d bytes, want at most %d", len(nft.Description), MaxDescription)
	}
	if _, err := poh.DigestFromBytes(nft.Model); err != nil {
		return ErrModel.Wrap(err.Error())
	}
	return nil
}

// validateRules also wants a price in the chain's money: an escrow of nothing pays nobody for the work.
func validateRules(rules ainftv1.Rules) error {
	if err := rules.Price.Validate(); err != nil {
		return ErrRules.Wrapf("price: %s", err)
	}
	// A kind beyond 8 bits would be cut to another kind in the protocol's words.
	for _, q := range rules.Rules {
		if _, known := ainftv1.RuleKind_name[int32(q.Kind)]; !known {
			return ErrRules.Wrapf("rule %q has the unknown kind %d", q.Id, q.Kind)
		}
	}
	if err := rules.PoH().Validate(); err != nil {
		return ErrRules.Wrap(err.Error())
	}
	if rules.Price.Denom != poh.Denom || !rules.Price.IsPositive() {
		return ErrRules.Wrapf("the price %s is not a positive amount of %s", rules.Price, poh.Denom)
	}
	return nil
}
