package cli

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/light"
)

const (
	watchEvery = time.Second
	// watchPatience is how many looks in a row may fail while a node restarts or lags.
	watchPatience = 20
)

func (c *command) watch() *cobra.Command {
	return c.about("watch ID", "Follow a request until it ends", func(ctx context.Context, n chain, id uint64) error {
		v, err := c.follow(ctx, n, id)
		if err != nil {
			return err
		}
		return c.print(v, func(w io.Writer) { writeRequest(w, v) })
	})
}

// follow looks at a request until it has ended. A node that does not answer for a while is forgiven; one
// that lies is not.
func (c *command) follow(ctx context.Context, n chain, id uint64) (requestView, error) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	state, failures := "", 0
	for {
		v, err := n.request(ctx, id)
		switch {
		case err == nil:
			failures = 0
			if v.State != state {
				c.progress("block %d: %s", v.Height, v.State)
				state = v.State
			}
			if state == "final" || state == "rejected" || state == "expired" {
				return v, nil
			}
		case ctx.Err() == nil && failures < watchPatience && (errors.Is(err, light.ErrUnreachable) || errors.Is(err, light.ErrStale)):
			if failures == 0 {
				c.progress("the node does not show a recent block; trying again")
			}
			failures++
		default:
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-tick.C:
		}
	}
}

func (n chain) request(ctx context.Context, id uint64) (requestView, error) {
	view, err := n.view(ctx)
	if err != nil {
		return requestView{}, err
	}
	return readRequest(ctx, view, id)
}
