package light

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	cmtlight "github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/types"

	"github.com/vouchbox/vouch/validator/poh"
)

// maxDrift is how far a header's time may be ahead of the clock.
const maxDrift = 10 * time.Second

// Root checks that b is the block that the caller trusts, with the validators that it names.
func Root(chainID string, trusted poh.Block, b *types.LightBlock) error {
	if b == nil {
		return lie("trusted-block", nil, "block %d is missing", trusted.Height)
	}
	if err := b.ValidateBasic(chainID); err != nil {
		return lie("trusted-block", err, "block %d is malformed", trusted.Height)
	}
	if b.Height != trusted.Height || !bytes.Equal(b.Hash(), trusted.Hash[:]) {
		return lie("trusted-block", nil, "want block %d with hash %s, got block %d with hash %X", trusted.Height, trusted.Hash, b.Height, b.Hash())
	}
	return nil
}

// Forward verifies a later block from a verified one: adjacent, or skipping while a third of the
// old validators still sign. The trusted block must not be older than period at now.
func Forward(trusted, next *types.LightBlock, period time.Duration, now time.Time) error {
	if err := next.ValidateBasic(trusted.ChainID); err != nil {
		return lie("header", err, "block %d is malformed", next.Height)
	}
	err := cmtlight.Verify(trusted.SignedHeader, trusted.ValidatorSet, next.SignedHeader, next.ValidatorSet, period, now, maxDrift, cmtlight.DefaultTrustLevel)
	if err == nil {
		return nil
	}
	if expired, ok := errors.AsType[cmtlight.ErrOldHeaderExpired](err); ok {
		return fmt.Errorf("%w at %s", ErrExpired, expired.At.UTC().Format(time.RFC3339))
	}
	return lie("header", err, "block %d does not follow from block %d", next.Height, trusted.Height)
}

// Backward verifies the block before a verified one by its hash.
func Backward(trusted, before *types.Header) error {
	if before == nil {
		return lie("header", nil, "the block before %d is missing", trusted.Height)
	}
	if before.Height != trusted.Height-1 {
		return lie("header", nil, "want block %d, got %d", trusted.Height-1, before.Height)
	}
	if err := cmtlight.VerifyBackwards(before, trusted); err != nil {
		return lie("header", err, "block %d is not the one before block %d", before.Height, trusted.Height)
	}
	return nil
}

// Fetch gets a light block that nobody verified yet.
type Fetch func(ctx context.Context, height int64) (*types.LightBlock, error)

// Bridge returns the blocks that lead from a verified block to a height, the last one of that
// height, each following from the one before by [Forward] at the time of its own header. It halves
// the way where validators changed too much to skip.
func Bridge(ctx context.Context, trusted *types.LightBlock, height int64, period time.Duration, fetch Fetch) ([]*types.LightBlock, error) {
	target, err := fetch(ctx, height)
	if err != nil {
		return nil, err
	}
	if target.Height != height {
		return nil, lie("header", nil, "asked for block %d, got %d", height, target.Height)
	}
	err = Forward(trusted, target, period, target.Time)
	if err == nil {
		return []*types.LightBlock{target}, nil
	}
	_, changed := errors.AsType[cmtlight.ErrNewValSetCantBeTrusted](err)
	if !changed && !errors.Is(err, ErrExpired) || height == trusted.Height+1 {
		return nil, err
	}
	first, err := Bridge(ctx, trusted, (trusted.Height+height)/2, period, fetch)
	if err != nil {
		return nil, err
	}
	rest, err := Bridge(ctx, first[len(first)-1], height, period, fetch)
	if err != nil {
		return nil, err
	}
	return append(first, rest...), nil
}
