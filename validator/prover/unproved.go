package prover

import (
	"context"
	"slices"
)

// Unproved lists the requests whose vote is signed and whose end is not proved yet, in order. It reads
// the records only and asks nobody: [Prover.Pending] settles them.
func (p *Prover) Unproved(ctx context.Context) ([]uint64, error) {
	keys, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, key := range keys {
		r, _, err := p.load(ctx, key)
		if err != nil {
			return nil, err
		}
		if r != nil && r.State == Signed {
			out = append(out, r.Shown.RequestID)
		}
	}
	slices.Sort(out)
	return out, nil
}
