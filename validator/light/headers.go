package light

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	cmtlight "github.com/cometbft/cometbft/light"
	cmtstore "github.com/cometbft/cometbft/light/store"
	"github.com/cometbft/cometbft/types"

	"github.com/vouchbox/vouch/validator/poh"
)

const (
	// maxBack bounds how many headers are fetched to walk back by hash links.
	maxBack = 5_000
	// nearBack is up to how many hash links are cheaper than a block's signatures.
	nearBack = 16
)

// Latest verifies and returns the newest block, or ErrStale if it is older than MaxAge.
func (c *Client) Latest(ctx context.Context) (Header, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	var h Header
	err := c.verify(ctx, func(lc *cmtlight.Client) error {
		if _, err := lc.Update(ctx, c.now()); err != nil {
			return err
		}
		lb, err := lc.TrustedLightBlock(0)
		if err != nil {
			return err
		}
		h = HeaderOf(lb.Header)
		if age := c.now().Sub(h.Time); age > c.cfg.MaxAge {
			return fmt.Errorf("%w: block %d is %s old", ErrStale, h.Height, age.Round(time.Second))
		}
		return nil
	})
	if err != nil {
		return Header{}, err
	}
	return h, nil
}

// Header verifies and returns the block of a height.
func (c *Client) Header(ctx context.Context, height int64) (Header, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	return c.header(ctx, height)
}

func (c *Client) header(ctx context.Context, height int64) (Header, error) {
	if height <= 0 {
		return Header{}, fmt.Errorf("there is no block %d; heights start at 1", height)
	}
	var h Header
	err := c.verify(ctx, func(lc *cmtlight.Client) error {
		lb, err := c.store.LightBlock(height)
		if err == nil {
			h = HeaderOf(lb.Header)
			return nil
		}
		if !errors.Is(err, cmtstore.ErrLightBlockNotFound) {
			return err
		}
		above, err := c.store.after(height)
		if err != nil {
			return err
		}
		if above == nil || above.Height-height > nearBack {
			lb, err := lc.VerifyLightBlockAtHeight(ctx, height, c.now())
			if err == nil {
				h = HeaderOf(lb.Header)
				return nil
			}
			if !errors.As(err, new(cmtlight.ErrOldHeaderExpired)) || above == nil {
				return err
			}
		}
		links, err := c.walkBack(ctx, above.Header, height)
		if err != nil {
			return err
		}
		h = HeaderOf(links[len(links)-1])
		return nil
	})
	if err != nil {
		return Header{}, err
	}
	return h, nil
}

// walkBack returns the headers before a verified one down to a height, verified by hash links.
func (c *Client) walkBack(ctx context.Context, from *types.Header, height int64) ([]*types.Header, error) {
	if from.Height-height > maxBack {
		return nil, fmt.Errorf("block %d lies %d blocks before a trusted one; the most that is walked back is %d", height, from.Height-height, maxBack)
	}
	src := &source{node: c.primary, chainID: c.cfg.ChainID}
	var links []*types.Header
	for from.Height > height {
		before, err := src.header(ctx, from.Height-1)
		if err != nil {
			return nil, c.name(ctx, err, src)
		}
		if err := Backward(from, before.Header); err != nil {
			return nil, err
		}
		from = before.Header
		links = append(links, from)
	}
	return links, nil
}

// Path is what leads an offline verifier from one trusted block to other headers.
type Path struct {
	// Blocks ascend; the first is the trusted one, each follows from the one before by [Forward] at
	// the time of its own header.
	Blocks []*types.LightBlock
	// Links descend from the header before the trusted one, each verified by [Backward].
	Links []*types.Header
}

// Path leads from a trusted block to each of the heights.
func (c *Client) Path(ctx context.Context, trusted poh.Block, heights []int64, period time.Duration) (Path, error) {
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	src := &source{node: c.primary, chainID: c.cfg.ChainID}
	fetch := func(ctx context.Context, height int64) (*types.LightBlock, error) {
		lb, err := src.LightBlock(ctx, height)
		if err != nil {
			return nil, c.name(ctx, err, src)
		}
		return lb, nil
	}
	start, err := fetch(ctx, trusted.Height)
	if err != nil {
		return Path{}, err
	}
	if err := Root(c.cfg.ChainID, trusted, start); err != nil {
		return Path{}, err
	}
	p := Path{Blocks: []*types.LightBlock{start}}
	heights = slices.Clone(heights)
	slices.Sort(heights)
	for _, h := range heights {
		from := p.Blocks[len(p.Blocks)-1]
		if h <= from.Height {
			continue
		}
		next, err := Bridge(ctx, from, h, period, fetch)
		if err != nil {
			return Path{}, err
		}
		p.Blocks = append(p.Blocks, next...)
	}
	if len(heights) > 0 && heights[0] < trusted.Height {
		if heights[0] <= 0 {
			return Path{}, fmt.Errorf("there is no block %d; heights start at 1", heights[0])
		}
		if p.Links, err = c.walkBack(ctx, start.Header, heights[0]); err != nil {
			return Path{}, err
		}
	}
	return p, nil
}
