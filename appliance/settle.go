package appliance

import (
	"context"
	"fmt"
	"time"
)

// settleEvery is the pause between two attempts to settle what is open.
const settleEvery = 2 * time.Second

// leaveOpen hands a vote that its ceremony could not settle to [Appliance.settleAll].
func (a *Appliance) leaveOpen() {
	select {
	case a.unsettled <- struct{}{}:
	default: // it is told already
	}
}

// settleAll finishes, until ctx ends, the votes that no ceremony looks after: those of before the last
// stop, and those that the chain did not answer for. What was signed is settled with the same bytes;
// what was not signed has not left the box, and needs a new touch.
func (a *Appliance) settleAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.unsettled:
		}
		for !a.settleOpen(ctx) {
			if !pause(ctx, settleEvery) {
				return nil
			}
		}
	}
}

// settleOpen reports whether nothing is left to do.
func (a *Appliance) settleOpen(ctx context.Context) bool {
	if a.ceremony.active() {
		return false // it settles its own vote
	}
	const code = "vote.unsettled"
	all := true
	for _, p := range a.people.list() {
		votes, err := p.prover.Pending(ctx)
		for _, r := range votes {
			if err != nil && !r.State.Final() {
				continue // it comes again
			}
			a.note(ctx, "vote.resumed", map[string]string{
				"request": fmt.Sprint(r.Shown.RequestID), "person": p.ID.String(), "tx": r.Hash.String(), "state": string(r.State),
			})
		}
		if err != nil && ctx.Err() == nil {
			all = false
			a.problems.raise(code, "A vote of "+p.Name+" is not settled on the chain yet.", "The box tries again by itself: "+err.Error())
		}
	}
	if all {
		a.problems.clear(code)
	}
	return all
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
