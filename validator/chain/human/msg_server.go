package human

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/poh"
)

type msgServer struct{ keeper Keeper }

// NewMsgServer answers the module's transactions.
func NewMsgServer(k Keeper) humanv1.MsgServer { return msgServer{k} }

// Register bonds a human and makes the vote key's account, so that its first vote can be an
// unordered transaction without the owner.
func (s msgServer) Register(goCtx context.Context, msg *humanv1.MsgRegister) (*humanv1.MsgRegisterResponse, error) {
	k, ctx := s.keeper, sdk.UnwrapSDKContext(goCtx)
	owner, err := k.addresses.StringToBytes(msg.Owner)
	if err != nil {
		return nil, sdkerrors.ErrInvalidAddress.Wrapf("owner: %s", err)
	}
	key, err := parseVoteKey(msg.VoteKey)
	if err != nil {
		return nil, err
	}
	// The canonical text is bound, whatever case the message was written in.
	ownerText, err := k.addresses.BytesToString(owner)
	if err != nil {
		return nil, err
	}
	if err := verifyPossession(key, poh.Possession(ctx.ChainID(), ownerText, [voteKeySize]byte(msg.VoteKey)), msg.Possession); err != nil {
		return nil, err
	}
	params, err := k.params.Get(ctx)
	if err != nil {
		return nil, err
	}
	if err := msg.Bond.Validate(); err != nil {
		return nil, ErrBond.Wrap(err.Error())
	}
	if msg.Bond.Denom != params.MinBond.Denom || msg.Bond.Amount.LT(params.MinBond.Amount) {
		return nil, ErrBond.Wrapf("%s: bond at least %s", msg.Bond, params.MinBond)
	}

	addr := sdk.AccAddress(key.Address())
	text, err := k.addresses.BytesToString(addr)
	if err != nil {
		return nil, err
	}
	switch known, err := k.humans.Has(ctx, addr); {
	case err != nil:
		return nil, err
	case known:
		return nil, ErrRegistered.Wrap(text)
	}
	if err := k.bank.SendCoinsFromAccountToModule(ctx, owner, ModuleName, sdk.NewCoins(msg.Bond)); err != nil {
		return nil, err
	}
	account := k.accounts.GetAccount(ctx, addr)
	if account == nil {
		account = k.accounts.NewAccountWithAddress(ctx, addr)
	}
	if account.GetPubKey() == nil {
		if err := account.SetPubKey(key); err != nil {
			return nil, err
		}
	}
	k.accounts.SetAccount(ctx, account)
	err = k.setHuman(ctx, addr, owner, humanv1.Human{
		Address: text, Owner: ownerText, VoteKey: msg.VoteKey, Bond: msg.Bond, RegisteredHeight: ctx.BlockHeight(),
	})
	if err != nil {
		return nil, err
	}
	ctx.EventManager().EmitEvent(sdk.NewEvent("human_registered", sdk.NewAttribute("address", text), sdk.NewAttribute("owner", ownerText)))
	return &humanv1.MsgRegisterResponse{Address: text}, nil
}
