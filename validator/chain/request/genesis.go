package request

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// DefaultGenesis has no request; the first id is 1.
func DefaultGenesis() *requestv1.GenesisState { return &requestv1.GenesisState{NextId: 1} }

// ValidateGenesis checks what a genesis state can tell without a store: the order of the requests,
// their payloads, and that the votes add up to each count.
func ValidateGenesis(gs *requestv1.GenesisState, addresses address.Codec) error {
	if gs.NextId == 0 {
		return ErrGenesis.Wrap("next_id starts at 1")
	}
	byID := make(map[uint64]requestv1.Request, len(gs.Requests))
	last := uint64(0)
	for _, r := range gs.Requests {
		if r.Id <= last || r.Id >= gs.NextId {
			return ErrGenesis.Wrapf("request %d stands after %d, below next_id %d", r.Id, last, gs.NextId)
		}
		last = r.Id
		if err := r.Escrow.Validate(); err != nil || r.Escrow.Denom != poh.Denom {
			return ErrGenesis.Wrapf("request %d: the escrow is not in %s", r.Id, poh.Denom)
		}
		if _, err := addresses.StringToBytes(r.Requester); err != nil {
			return ErrGenesis.Wrapf("request %d: requester: %s", r.Id, err)
		}
		if _, known := requestv1.State_name[int32(r.State)]; !known || r.State == requestv1.STATE_UNSPECIFIED {
			return ErrGenesis.Wrapf("request %d has the unknown state %d", r.Id, r.State)
		}
		if r.DeadlineHeight <= 0 || r.Quorum == 0 {
			return ErrGenesis.Wrapf("request %d has no deadline or no quorum", r.Id)
		}
		byID[r.Id] = r
	}
	for _, p := range gs.Payloads {
		r, ok := byID[p.RequestID]
		if !ok || !r.Inline || len(p.Content) == 0 {
			return ErrGenesis.Wrapf("a payload belongs to request %d, which carries none", p.RequestID)
		}
		if err := validatePayload(p.Content, r.PayloadDigest, r.PayloadSize); err != nil {
			return ErrGenesis.Wrapf("request %d: %s", p.RequestID, err)
		}
	}
	counts := make(map[uint64]poh.Count, len(gs.Requests))
	for _, v := range gs.Votes {
		d, err := decision(v.Decision)
		if err != nil {
			return ErrGenesis.Wrapf("a vote on request %d: %s", v.RequestID, err)
		}
		if _, err := addresses.StringToBytes(v.Human); err != nil {
			return ErrGenesis.Wrapf("a vote on request %d: human: %s", v.RequestID, err)
		}
		if counts[v.RequestID], err = counts[v.RequestID].Add(d); err != nil {
			return ErrGenesis.Wrapf("a vote on request %d: %s", v.RequestID, err)
		}
	}
	for _, r := range gs.Requests {
		if got, want := counts[r.Id], (poh.Count{Approvals: r.Approvals, Rejections: r.Rejections, Abstentions: r.Abstentions}); got != want {
			return ErrGenesis.Wrapf("request %d counts %+v, its votes are %+v", r.Id, want, got)
		}
		delete(counts, r.Id)
	}
	if len(counts) > 0 {
		return ErrGenesis.Wrapf("%d requests have votes and do not exist", len(counts))
	}
	for _, receipt := range gs.Receipts {
		if byID[receipt.RequestID].State != requestv1.STATE_FINAL {
			return ErrGenesis.Wrapf("a receipt belongs to request %d, which is not final", receipt.RequestID)
		}
	}
	return nil
}

// InitGenesis writes a genesis state and rebuilds the index of deadlines. The anchors belong to the
// blocks of one chain and start empty. The module's account must hold exactly what is left of the escrows.
func (k Keeper) InitGenesis(ctx context.Context, gs *requestv1.GenesisState) error {
	if err := ValidateGenesis(gs, k.addresses); err != nil {
		return err
	}
	if err := k.nextID.Set(ctx, gs.NextId); err != nil {
		return err
	}
	escrows := math.ZeroInt()
	for _, r := range gs.Requests {
		left, err := k.held(ctx, r)
		if err != nil {
			return err
		}
		escrows = escrows.Add(left)
		if r.State == requestv1.STATE_OPEN || r.State == requestv1.STATE_APPROVED {
			if err := k.deadlines.Set(ctx, collections.Join(uint64(r.DeadlineHeight), r.Id), true); err != nil {
				return err
			}
		}
		if err := k.requests.Set(ctx, r.Id, r); err != nil {
			return err
		}
	}
	if held := k.bank.GetBalance(ctx, authtypes.NewModuleAddress(ModuleName), poh.Denom); !held.Amount.Equal(escrows) {
		return ErrGenesis.Wrapf("the escrows are %s and the module's account holds %s", escrows, held.Amount)
	}
	for _, p := range gs.Payloads {
		if err := k.payloads.Set(ctx, p.RequestID, p.Content); err != nil {
			return err
		}
	}
	for _, v := range gs.Votes {
		human, err := k.addresses.StringToBytes(v.Human)
		if err != nil {
			return err
		}
		if err := k.votes.Set(ctx, collections.Join(v.RequestID, sdk.AccAddress(human)), v); err != nil {
			return err
		}
	}
	for _, r := range gs.Receipts {
		if err := k.receipts.Set(ctx, r.RequestID, r); err != nil {
			return err
		}
	}
	return nil
}

// ExportGenesis reads the whole state, each list in the order of its keys.
func (k Keeper) ExportGenesis(ctx context.Context) (*requestv1.GenesisState, error) {
	gs := &requestv1.GenesisState{}
	var err error
	if gs.NextId, err = k.nextID.Peek(ctx); err != nil {
		return nil, err
	}
	if err := k.requests.Walk(ctx, nil, func(_ uint64, r requestv1.Request) (bool, error) {
		gs.Requests = append(gs.Requests, r)
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.payloads.Walk(ctx, nil, func(id uint64, content []byte) (bool, error) {
		gs.Payloads = append(gs.Payloads, requestv1.Payload{RequestID: id, Content: content})
		return false, nil
	}); err != nil {
		return nil, err
	}
	if err := k.votes.Walk(ctx, nil, func(_ voteKey, v requestv1.Vote) (bool, error) {
		gs.Votes = append(gs.Votes, v)
		return false, nil
	}); err != nil {
		return nil, err
	}
	err = k.receipts.Walk(ctx, nil, func(_ uint64, r requestv1.Receipt) (bool, error) {
		gs.Receipts = append(gs.Receipts, r)
		return false, nil
	})
	return gs, err
}
