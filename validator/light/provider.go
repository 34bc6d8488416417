package light

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cometbft/cometbft/light/provider"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"
)

const (
	validatorsPerPage = 100
	maxValidators     = 10_000
)

// source gives CometBFT's light client the blocks of one node, with the errors that its interface
// asks for. It replaces light/provider/http, whose retries sleep past a context's end.
type source struct {
	node    *node
	chainID string
	// patience is how long a node may lag behind the height that it is asked for. Nodes differ by
	// a block all the time, and the light client answers a lag by sleeping.
	patience time.Duration

	mu       sync.Mutex
	evidence []types.Evidence
	failure  error // the last reason of a failed fetch, as this package names it
}

var _ provider.Provider = (*source)(nil)

func (s *source) ChainID() string { return s.chainID }

func (s *source) String() string { return s.node.url }

// LightBlock fetches a block; height 0 is the newest.
func (s *source) LightBlock(ctx context.Context, height int64) (*types.LightBlock, error) {
	deadline := time.Now().Add(s.patience)
	for {
		lb, err := s.fetch(ctx, height)
		if !errors.Is(err, provider.ErrHeightTooHigh) || time.Now().After(deadline) {
			return lb, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(s.patience / 20):
		}
	}
}

// header fetches a header with its commit, without the validators.
func (s *source) header(ctx context.Context, height int64) (*types.SignedHeader, error) {
	var at *int64
	if height != 0 {
		at = &height
	}
	commit, err := s.node.rpc.Commit(ctx, at)
	if err != nil {
		return nil, s.sort(ctx, "commit", err)
	}
	sh := commit.SignedHeader
	if sh.Header == nil || sh.Commit == nil {
		return nil, provider.ErrHeightTooHigh
	}
	if height != 0 && sh.Height != height {
		return nil, s.bad("asked for block %d, got %d", height, sh.Height)
	}
	return &sh, nil
}

func (s *source) fetch(ctx context.Context, height int64) (*types.LightBlock, error) {
	sh, err := s.header(ctx, height)
	if err != nil {
		return nil, err
	}
	vals, err := s.validators(ctx, sh.Height)
	if err != nil {
		return nil, err
	}
	lb := &types.LightBlock{SignedHeader: sh, ValidatorSet: vals}
	if err := lb.ValidateBasic(s.chainID); err != nil {
		return nil, s.bad("block %d: %w", sh.Height, err)
	}
	return lb, nil
}

func (s *source) validators(ctx context.Context, height int64) (*types.ValidatorSet, error) {
	var vals []*types.Validator
	perPage := validatorsPerPage
	for page := 1; ; page++ {
		r, err := s.node.rpc.Validators(ctx, &height, &page, &perPage)
		if err != nil {
			return nil, s.sort(ctx, "validators", err)
		}
		if len(r.Validators) == 0 || r.Total <= 0 || r.Total > maxValidators {
			return nil, s.bad("%d of %d validators on page %d at height %d", len(r.Validators), r.Total, page, height)
		}
		for _, v := range r.Validators {
			if v == nil {
				return nil, s.bad("an empty validator on page %d at height %d", page, height)
			}
		}
		vals = append(vals, r.Validators...)
		if len(vals) > r.Total {
			return nil, s.bad("%d validators where %d were announced", len(vals), r.Total)
		}
		if len(vals) == r.Total {
			break
		}
	}
	set, err := types.ValidatorSetFromExistingValidators(vals)
	if err != nil {
		return nil, s.bad("validators at height %d: %w", height, err)
	}
	return set, nil
}

func (s *source) bad(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	s.remember(lie("header", err, "%s sent a malformed block", s.node.url))
	return provider.ErrBadLightBlock{Reason: err}
}

// sort names an RPC error as provider.Provider's contract does; the light client compares them by
// identity.
func (s *source) sort(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if rpcErr, ok := errors.AsType[*rpctypes.RPCError](err); ok {
		switch text := rpcErr.Data + rpcErr.Message; {
		case strings.Contains(text, "must be less than or equal to"):
			return provider.ErrHeightTooHigh
		case strings.Contains(text, "is not available"), strings.Contains(text, "could not find"):
			return provider.ErrLightBlockNotFound
		}
		s.remember(s.node.fail(ctx, what, err))
		return provider.ErrNoResponse
	}
	err = s.node.fail(ctx, what, err)
	s.remember(err)
	if errors.Is(err, ErrLying) {
		return provider.ErrBadLightBlock{Reason: err}
	}
	return provider.ErrNoResponse
}

func (s *source) remember(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failure = err
}

func (s *source) lastFailure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// ReportEvidence keeps the evidence and passes it on, so that validators are slashed.
func (s *source) ReportEvidence(ctx context.Context, ev types.Evidence) error {
	s.mu.Lock()
	s.evidence = append(s.evidence, ev)
	s.mu.Unlock()
	_, err := s.node.rpc.BroadcastEvidence(ctx, ev)
	return err
}

func (s *source) reported() []types.Evidence {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.evidence
}
