package request

import (
	"context"
	"math"
	"slices"
	"strconv"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// maxMediaType is the longest media type that is taken, in bytes (RFC 6838, section 4.2).
const maxMediaType = 127

type msgServer struct{ keeper Keeper }

// NewMsgServer answers the module's transactions.
func NewMsgServer(k Keeper) requestv1.MsgServer { return msgServer{k} }

// Submit escrows the fee and opens a request under the NFT's present rules.
func (s msgServer) Submit(goCtx context.Context, msg *requestv1.MsgSubmit) (*requestv1.MsgSubmitResponse, error) {
	k, ctx := s.keeper, sdk.UnwrapSDKContext(goCtx)
	requester, err := k.addresses.StringToBytes(msg.Requester)
	if err != nil {
		return nil, sdkerrors.ErrInvalidAddress.Wrapf("requester: %s", err)
	}
	requesterText, err := k.addresses.BytesToString(requester)
	if err != nil {
		return nil, err
	}
	nft, err := k.nfts.NFT(ctx, msg.NFTID)
	if err != nil {
		return nil, err
	}
	rules, err := k.nfts.Rules(ctx, nft.Id, nft.RulesVersion)
	if err != nil {
		return nil, err
	}
	if err := validateSubmit(msg, rules); err != nil {
		return nil, err
	}
	id, err := k.nextID.Next(ctx)
	if err != nil {
		return nil, err
	}
	r := requestv1.Request{
		Id: id, NFTID: nft.Id, RulesVersion: rules.Version, Requester: requesterText,
		Purpose: msg.Purpose, Instruction: msg.Instruction,
		PayloadDigest: msg.PayloadDigest, PayloadSize: msg.PayloadSize, MediaType: msg.MediaType, Inline: len(msg.Payload) > 0,
		Escrow: msg.Escrow, State: requestv1.STATE_OPEN, SubmittedHeight: ctx.BlockHeight(), Quorum: rules.Quorum,
	}
	shown, err := r.ShownAs(ctx.ChainID(), nft, rules.PoH())
	if err != nil {
		return nil, err
	}
	digest := shown.Digest()
	r.Shown = digest[:]
	if err := k.bank.SendCoinsFromAccountToModule(ctx, requester, ModuleName, sdk.NewCoins(msg.Escrow)); err != nil {
		return nil, err
	}
	// A deadline is at most poh.MaxDeadline blocks, so the sum cannot overflow.
	if err := k.setDeadline(ctx, &r, ctx.BlockHeight()+int64(rules.DeadlineBlocks)); err != nil {
		return nil, err
	}
	if r.Inline {
		if err := k.payloads.Set(ctx, id, msg.Payload); err != nil {
			return nil, err
		}
	}
	if err := k.requests.Set(ctx, id, r); err != nil {
		return nil, err
	}
	announce(ctx, r)
	return &requestv1.MsgSubmitResponse{Id: id}, nil
}

// validateSubmit checks a message against the rules it will be judged by.
func validateSubmit(msg *requestv1.MsgSubmit, rules ainftv1.Rules) error {
	if !slices.Contains(rules.Purposes, msg.Purpose) {
		return ErrPurpose.Wrapf("%q is none of %q", msg.Purpose, rules.Purposes)
	}
	if msg.Instruction == "" || len(msg.Instruction) > poh.MaxInstruction {
		return ErrInstruction.Wrapf("the instruction has %d bytes, want 1 to %d", len(msg.Instruction), poh.MaxInstruction)
	}
	if msg.MediaType == "" || len(msg.MediaType) > maxMediaType {
		return ErrInstruction.Wrapf("the media type has %d bytes, want 1 to %d", len(msg.MediaType), maxMediaType)
	}
	if err := validatePayload(msg.Payload, msg.PayloadDigest, msg.PayloadSize); err != nil {
		return err
	}
	if err := msg.Escrow.Validate(); err != nil {
		return ErrEscrow.Wrap(err.Error())
	}
	if msg.Escrow.Denom != rules.Price.Denom || msg.Escrow.Amount.LT(rules.Price.Amount) {
		return ErrEscrow.Wrapf("%s: escrow at least the price, %s", msg.Escrow, rules.Price)
	}
	return nil
}

// validatePayload checks the bytes that travel inline, or the name of those that do not.
func validatePayload(content, digest []byte, size uint64) error {
	want, err := poh.DigestFromBytes(digest)
	switch {
	case err != nil:
		return ErrPayload.Wrap(err.Error())
	case size == 0:
		return ErrPayload.Wrap("the size is 0: there is nothing to judge")
	case size > math.MaxInt64:
		return ErrPayload.Wrapf("a size of %d bytes is impossible", size)
	case len(content) == 0:
		return nil
	case len(content) > poh.MaxPayload:
		return ErrPayload.Wrapf("%d bytes inline, at most %d: send the digest and the size alone", len(content), poh.MaxPayload)
	case uint64(len(content)) != size:
		return ErrPayload.Wrapf("%d bytes inline and a size of %d", len(content), size)
	}
	if got := poh.Sum(content); got != want {
		return ErrPayload.Wrapf("the payload has the digest %s, the message says %s", got, want)
	}
	return nil
}

// announce tells people who watch events. Nothing may act on it: events are not proved.
func announce(ctx sdk.Context, r requestv1.Request) {
	ctx.EventManager().EmitEvent(sdk.NewEvent("request",
		sdk.NewAttribute("id", strconv.FormatUint(r.Id, 10)), sdk.NewAttribute("state", r.State.String())))
}
