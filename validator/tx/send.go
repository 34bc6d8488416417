package tx

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vouchbox/vouch/validator/light"
)

// Chain takes transactions and proves their inclusion: *light.Client, with its errors.
type Chain interface {
	Broadcast(ctx context.Context, tx []byte) error
	Inclusion(ctx context.Context, hash [32]byte) (*light.Inclusion, error)
	Latest(ctx context.Context) (light.Header, error)
}

// rebroadcast is after how many polls a transaction is handed to the node again: it may have
// restarted and lost its mempool.
const rebroadcast = 10

// Send broadcasts a transaction and waits for the proof that a block carries it, asking every poll.
// It returns the inclusion whatever the result code is; look at Code. Sending twice is harmless. It
// ends with ErrTimedOut when the chain passed the timeout, with light.ErrRefused when the node does
// not take it and knows no block with it, or with ctx. These are a node's word: nothing proves that
// no block carries a transaction, so who must know reads the state that it would have changed.
func Send(ctx context.Context, c Chain, s Signed, poll time.Duration) (*light.Inclusion, error) {
	p, err := ParseSigned(s.Raw)
	if err != nil {
		return nil, err
	}
	if poll <= 0 {
		poll = time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, 2*MaxTimeout)
	defer cancel()
	var last error
	late := false
	for n := 0; ; n++ {
		if n%rebroadcast == 0 {
			last = c.Broadcast(ctx, s.Raw)
		}
		inc, err := c.Inclusion(ctx, s.Hash)
		switch {
		case err == nil:
			return inc, nil
		case errors.Is(err, light.ErrNotIncluded):
			if errors.Is(err, light.ErrUnconfirmed) {
				break
			}
			if late {
				return nil, fmt.Errorf("%w: transaction %X was to be taken before %s", ErrTimedOut, s.Hash, p.Timeout.Format(time.RFC3339))
			}
			if n == 0 && errors.Is(last, light.ErrRefused) {
				return nil, last
			}
			// One more look after the timeout: the last block may have come between the two answers.
			if h, err := c.Latest(ctx); err == nil && h.Time.After(p.Timeout) {
				late = true
			}
		case errors.Is(err, light.ErrUnreachable), errors.Is(err, light.ErrStale), errors.Is(err, light.ErrNoWitness):
			last = err
		default:
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("transaction %X is not proven to be in a block: %w", s.Hash, errors.Join(ctx.Err(), last))
		case <-time.After(poll):
		}
	}
}
