package request

import (
	"bytes"
	"context"

	"cosmossdk.io/collections"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// maxAbstentions bounds what a verdict must read. An abstention counts towards no side, so a refused
// one changes nothing.
const maxAbstentions = poh.MaxQuorum

// Vote counts one human's answer; at quorum the request is decided in the same block.
func (s msgServer) Vote(goCtx context.Context, msg *requestv1.MsgVote) (*requestv1.MsgVoteResponse, error) {
	k, ctx := s.keeper, sdk.UnwrapSDKContext(goCtx)
	addr, err := k.addresses.StringToBytes(msg.Human)
	if err != nil {
		return nil, sdkerrors.ErrInvalidAddress.Wrapf("human: %s", err)
	}
	human, err := k.humans.Human(ctx, addr)
	if err != nil {
		return nil, err
	}
	r, err := k.Request(ctx, msg.RequestID)
	if err != nil {
		return nil, err
	}
	nft, err := k.nfts.NFT(ctx, r.NFTID)
	if err != nil {
		return nil, err
	}
	count, err := k.admit(ctx, msg, r, nft, human)
	if err != nil {
		return nil, err
	}
	err = k.votes.Set(ctx, collections.Join(r.Id, sdk.AccAddress(addr)), requestv1.Vote{
		RequestID: r.Id, Human: human.Address, Decision: msg.Decision, Shown: msg.Shown,
		AnchorHeight: msg.AnchorHeight, AnchorHash: msg.AnchorHash, Height: ctx.BlockHeight(),
	})
	if err != nil {
		return nil, err
	}
	r.Approvals, r.Rejections, r.Abstentions = count.Approvals, count.Rejections, count.Abstentions
	if outcome := poh.Tally(count, r.Quorum); outcome != poh.Undecided {
		// The vote that reaches the quorum must not cost its human more gas than any other; the work
		// is bounded by the largest quorum.
		if err := k.decide(ctx.WithGasMeter(storetypes.NewInfiniteGasMeter()), &r, outcome); err != nil {
			return nil, err
		}
	}
	if err := k.requests.Set(ctx, r.Id, r); err != nil {
		return nil, err
	}
	return &requestv1.MsgVoteResponse{State: r.State}, nil
}

// admit checks that this human may give this answer now, and returns the count with it.
func (k Keeper) admit(ctx sdk.Context, msg *requestv1.MsgVote, r requestv1.Request, nft ainftv1.NFT, human humanv1.Human) (poh.Count, error) {
	if r.State != requestv1.STATE_OPEN {
		return poh.Count{}, ErrState.Wrapf("request %d is %s", r.Id, r.State)
	}
	if ctx.BlockHeight() > r.DeadlineHeight {
		return poh.Count{}, ErrDeadline.Wrapf("request %d took votes until block %d", r.Id, r.DeadlineHeight)
	}
	for _, party := range [...]string{nft.Owner, r.Requester} {
		if human.Address == party || human.Owner == party {
			return poh.Count{}, ErrInterest.Wrapf("request %d, %s", r.Id, party)
		}
	}
	addr, err := k.addresses.StringToBytes(human.Address)
	if err != nil {
		return poh.Count{}, err
	}
	switch voted, err := k.votes.Has(ctx, collections.Join(r.Id, sdk.AccAddress(addr))); {
	case err != nil:
		return poh.Count{}, err
	case voted:
		return poh.Count{}, ErrVoted.Wrapf("request %d, %s", r.Id, human.Address)
	}
	if !bytes.Equal(msg.Shown, r.Shown) {
		return poh.Count{}, ErrShown.Wrapf("request %d is %x, the vote is about %x", r.Id, r.Shown, msg.Shown)
	}
	if err := k.checkAnchor(ctx, msg.AnchorHeight, msg.AnchorHash); err != nil {
		return poh.Count{}, err
	}
	decision, err := decision(msg.Decision)
	if err != nil {
		return poh.Count{}, err
	}
	count, err := poh.Count{Approvals: r.Approvals, Rejections: r.Rejections, Abstentions: r.Abstentions}.Add(decision)
	if err != nil {
		return poh.Count{}, ErrDecision.Wrap(err.Error())
	}
	if count.Abstentions > maxAbstentions {
		return poh.Count{}, ErrDecision.Wrapf("request %d has %d abstentions already", r.Id, maxAbstentions)
	}
	return count, nil
}

func decision(d requestv1.Decision) (poh.Decision, error) {
	switch d {
	case requestv1.DECISION_APPROVE:
		return poh.Approve, nil
	case requestv1.DECISION_REJECT:
		return poh.Reject, nil
	case requestv1.DECISION_ABSTAIN:
		return poh.Abstain, nil
	}
	return 0, ErrDecision.Wrapf("%d is none of approve, reject, abstain", d)
}
