package request

import (
	"context"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// shares are the parts of an escrow. They add up to it: network takes the remainders.
type shares struct {
	owner, voters, worker, network math.Int
}

func share(escrow math.Int, s ainftv1.Split) shares {
	part := func(basisPoints uint32) math.Int {
		return escrow.Mul(math.NewInt(int64(basisPoints))).QuoRaw(poh.BasisPoints)
	}
	out := shares{owner: part(s.Owner), voters: part(s.Voters), worker: part(s.Worker)}
	out.network = escrow.Sub(out.owner).Sub(out.voters).Sub(out.worker)
	return out
}

// divide gives each of n voters the same, and the remainder to the network.
func divide(pool math.Int, n int64) (each, rest math.Int) {
	each = pool.QuoRaw(n)
	return each, pool.Sub(each.MulRaw(n))
}

// decide pays the voters, then refunds the rest or opens the time for a receipt. The caller stores r.
func (k Keeper) decide(ctx sdk.Context, r *requestv1.Request, outcome poh.Outcome) error {
	rules, err := k.nfts.Rules(ctx, r.NFTID, r.RulesVersion)
	if err != nil {
		return err
	}
	pool := share(r.Escrow.Amount, rules.Split).voters
	if err := k.payVoters(ctx, *r, pool); err != nil {
		return err
	}
	if outcome == poh.Approved {
		r.State = requestv1.STATE_APPROVED
		announce(ctx, *r)
		return k.setDeadline(ctx, r, ctx.BlockHeight()+int64(rules.DeadlineBlocks))
	}
	if err := k.pay(ctx, r.Requester, r.Escrow.Denom, r.Escrow.Amount.Sub(pool)); err != nil {
		return err
	}
	return k.close(ctx, r, requestv1.STATE_REJECTED)
}

// finish pays for an execution. The voters have theirs since the verdict.
func (k Keeper) finish(ctx sdk.Context, r *requestv1.Request, nftOwner, worker string) error {
	rules, err := k.nfts.Rules(ctx, r.NFTID, r.RulesVersion)
	if err != nil {
		return err
	}
	s := share(r.Escrow.Amount, rules.Split)
	if err := k.pay(ctx, nftOwner, r.Escrow.Denom, s.owner); err != nil {
		return err
	}
	if err := k.pay(ctx, worker, r.Escrow.Denom, s.worker); err != nil {
		return err
	}
	if err := k.payNetwork(ctx, r.Escrow.Denom, s.network); err != nil {
		return err
	}
	return k.close(ctx, r, requestv1.STATE_FINAL)
}

// expire refunds what is left of a request whose deadline has passed.
func (k Keeper) expire(ctx sdk.Context, r *requestv1.Request) error {
	left, err := k.held(ctx, *r)
	if err != nil {
		return err
	}
	if err := k.pay(ctx, r.Requester, r.Escrow.Denom, left); err != nil {
		return err
	}
	return k.close(ctx, r, requestv1.STATE_EXPIRED)
}

// close ends a request: nothing waits for its deadline any more. The caller stores r.
func (k Keeper) close(ctx sdk.Context, r *requestv1.Request, end requestv1.State) error {
	r.State = end
	announce(ctx, *r)
	return k.clearDeadline(ctx, *r)
}

// held is what the module's account still holds of a request's escrow.
func (k Keeper) held(ctx context.Context, r requestv1.Request) (math.Int, error) {
	switch r.State {
	case requestv1.STATE_OPEN:
		return r.Escrow.Amount, nil
	case requestv1.STATE_APPROVED:
		rules, err := k.nfts.Rules(ctx, r.NFTID, r.RulesVersion)
		if err != nil {
			return math.Int{}, err
		}
		return r.Escrow.Amount.Sub(share(r.Escrow.Amount, rules.Split).voters), nil
	}
	return math.ZeroInt(), nil
}

// payVoters divides a pool equally among the owners of those who approved or rejected: at least one
// did, since a quorum was reached.
func (k Keeper) payVoters(ctx context.Context, r requestv1.Request, pool math.Int) error {
	each, rest := divide(pool, int64(r.Approvals)+int64(r.Rejections))
	err := k.votes.Walk(ctx, collections.NewPrefixedPairRange[uint64, sdk.AccAddress](r.Id), func(key voteKey, v requestv1.Vote) (bool, error) {
		if v.Decision == requestv1.DECISION_ABSTAIN {
			return false, nil
		}
		human, err := k.humans.Human(ctx, key.K2())
		if err != nil {
			return true, err
		}
		return false, k.pay(ctx, human.Owner, r.Escrow.Denom, each)
	})
	if err != nil {
		return err
	}
	return k.payNetwork(ctx, r.Escrow.Denom, rest)
}

func (k Keeper) pay(ctx context.Context, to, denom string, amount math.Int) error {
	if !amount.IsPositive() {
		return nil
	}
	addr, err := k.addresses.StringToBytes(to)
	if err != nil {
		return err
	}
	return k.bank.SendCoinsFromModuleToAccount(ctx, ModuleName, addr, sdk.NewCoins(sdk.NewCoin(denom, amount)))
}

func (k Keeper) payNetwork(ctx context.Context, denom string, amount math.Int) error {
	if !amount.IsPositive() {
		return nil
	}
	return k.bank.SendCoinsFromModuleToModule(ctx, ModuleName, authtypes.FeeCollectorName, sdk.NewCoins(sdk.NewCoin(denom, amount)))
}
