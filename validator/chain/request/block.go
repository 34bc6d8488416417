package request

import (
	"bytes"
	"context"
	"errors"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

const (
	// Anchors is how many of the last blocks a vote may name. It bounds how old a live match can be.
	Anchors = 200
	// expiriesPerBlock bounds the work of a block; the rest expires in the next ones.
	expiriesPerBlock = 100
)

// BeginBlock remembers this block's header hash and forgets the one that fell out of the ring. No
// vote can know the hash before the block is proposed.
func (k Keeper) BeginBlock(goCtx context.Context) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	height := uint64(ctx.BlockHeight())
	if err := k.anchors.Set(ctx, height, ctx.HeaderHash()); err != nil {
		return err
	}
	if height <= Anchors {
		return nil
	}
	return k.anchors.Remove(ctx, height-Anchors)
}

// checkAnchor checks that a height and a hash name one of the remembered blocks.
func (k Keeper) checkAnchor(ctx context.Context, height int64, hash []byte) error {
	if height <= 0 {
		return ErrAnchor.Wrapf("height %d", height)
	}
	want, err := k.anchors.Get(ctx, uint64(height))
	if errors.Is(err, collections.ErrNotFound) {
		return ErrAnchor.Wrapf("height %d is none of the last %d blocks: sign again after a new one", height, Anchors)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(want, hash) {
		return ErrAnchor.Wrapf("block %d is %X, the vote says %X", height, want, hash)
	}
	return nil
}

// EndBlock expires requests whose deadline is this block or an earlier one, oldest first.
func (k Keeper) EndBlock(goCtx context.Context) error {
	ctx := sdk.UnwrapSDKContext(goCtx)
	due := make([]uint64, 0, expiriesPerBlock)
	until := new(collections.Range[deadlineKey]).
		EndExclusive(collections.Join(uint64(ctx.BlockHeight())+1, uint64(0)))
	err := k.deadlines.Walk(ctx, until, func(key deadlineKey, _ bool) (bool, error) {
		due = append(due, key.K2())
		return len(due) == expiriesPerBlock, nil
	})
	if err != nil {
		return err
	}
	for _, id := range due {
		r, err := k.Request(ctx, id)
		if err != nil {
			return err
		}
		if err := k.expire(ctx, &r); err != nil {
			return err
		}
		if err := k.requests.Set(ctx, id, r); err != nil {
			return err
		}
	}
	return nil
}
