package appliance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/poh"
)

// window is how many of the newest requests the box follows.
const window = 200

// queue is the box's proved view of the newest requests. A request that can change no more is not
// read again.
type queue struct {
	mu   sync.Mutex
	rows map[uint64]api.Summary
	born map[uint64]time.Time // header time of the block of submission
	// wanted are the payloads that travel by digest to requests that are not over.
	wanted map[uint64]poh.Digest
}

func newQueue() *queue {
	return &queue{rows: make(map[uint64]api.Summary), born: make(map[uint64]time.Time), wanted: make(map[uint64]poh.Digest)}
}

func (q *queue) list(limit int) []api.Summary {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]api.Summary, 0, len(q.rows))
	for _, s := range q.rows {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b api.Summary) int { return cmp.Compare(b.ID, a.ID) })
	return out[:min(limit, len(out))]
}

func (q *queue) ended(id uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch q.rows[id].State {
	case api.StateRejected, api.StateExpired, api.StateFinal:
		return true
	}
	return false
}

func (q *queue) put(s api.Summary) (changed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	changed = q.rows[s.ID] != s
	q.rows[s.ID] = s
	old := s.ID - min(s.ID, window)
	delete(q.rows, old)
	delete(q.born, old)
	return changed
}

// want notes which payload a request needs to be handed over, while it is not over.
func (q *queue) want(r requestv1.Request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if r.Inline || r.State != requestv1.STATE_OPEN && r.State != requestv1.STATE_APPROVED {
		delete(q.wanted, r.Id)
		return nil
	}
	d, err := poh.DigestFromBytes(r.PayloadDigest)
	if err != nil {
		return fmt.Errorf("the payload of request %d: %w", r.Id, err)
	}
	q.wanted[r.Id] = d
	return nil
}

func (q *queue) wants(d poh.Digest) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.wanted {
		if w == d {
			return true
		}
	}
	return false
}

// follow brings the queue up to a verified block. It returns the approved requests, which wait for an
// edge worker.
func (a *Appliance) follow(ctx context.Context, h light.Header) (approved []uint64, err error) {
	l := ledger.At(a.link, provable(h))
	next, err := l.NextRequest(ctx)
	if err != nil {
		return nil, err
	}
	changed := false
	first := uint64(1)
	if next > window {
		first = next - window
	}
	for id := first; id < next; id++ {
		if a.queue.ended(id) {
			continue
		}
		r, err := l.Request(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := a.queue.want(r); err != nil {
			return nil, err
		}
		n, err := l.NFT(ctx, r.NFTID)
		if err != nil {
			return nil, err
		}
		s, err := a.summarise(ctx, r, n.Name)
		if err != nil {
			return nil, err
		}
		changed = a.queue.put(s) || changed
		if r.State == requestv1.STATE_APPROVED {
			approved = append(approved, id)
		}
	}
	if changed {
		a.hub.publish(api.Event{Kind: "queue", Queue: a.queue.list(window)})
	}
	return approved, nil
}

func (a *Appliance) summarise(ctx context.Context, r requestv1.Request, ai string) (api.Summary, error) {
	answer, err := a.answered(ctx, r.Id)
	if err != nil {
		return api.Summary{}, err
	}
	return api.Summary{
		ID:          r.Id,
		AI:          ai,
		Purpose:     r.Purpose,
		Instruction: r.Instruction,
		State:       stateOf(r.State),
		Answer:      answer,
		Submitted:   a.submitted(ctx, r),
		BlocksLeft:  max(0, r.DeadlineHeight-a.link.seen().Height),
	}, nil
}

// answered is what this box's human answered, as the chain has it.
func (a *Appliance) answered(ctx context.Context, id uint64) (string, error) {
	for _, p := range a.people.list() {
		v, err := a.view().Vote(ctx, id, p.address)
		switch {
		case err == nil:
			return poh.Decision(v.Decision).String(), nil
		case !errors.Is(err, ledger.ErrAbsent):
			return "", err
		}
	}
	return "", nil
}

// submitted is the header time of the block that carries the request; zero while it cannot be proved.
func (a *Appliance) submitted(ctx context.Context, r requestv1.Request) time.Time {
	a.queue.mu.Lock()
	t, ok := a.queue.born[r.Id]
	a.queue.mu.Unlock()
	if ok {
		return t
	}
	h, err := a.link.Header(ctx, r.SubmittedHeight)
	if err != nil {
		return time.Time{}
	}
	a.queue.mu.Lock()
	defer a.queue.mu.Unlock()
	a.queue.born[r.Id] = h.Time
	return h.Time
}

func stateOf(s requestv1.State) api.RequestState {
	switch s {
	case requestv1.STATE_OPEN:
		return api.StateOpen
	case requestv1.STATE_APPROVED:
		return api.StateApproved
	case requestv1.STATE_REJECTED:
		return api.StateRejected
	case requestv1.STATE_EXPIRED:
		return api.StateExpired
	case requestv1.STATE_FINAL:
		return api.StateFinal
	}
	return api.RequestState(fmt.Sprintf("state-%d", s))
}

// opened remembers when a review was first opened, for the reading time.
type opened struct {
	mu sync.Mutex
	at map[poh.Digest]time.Time
}

func (o *opened) mark(d poh.Digest, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, ok := o.at[d]; !ok {
		o.at[d] = now
	}
}

var errUnread = errors.New("the request was not opened at this box")

func (o *opened) since(d poh.Digest, now time.Time) (time.Duration, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t, ok := o.at[d]
	if !ok {
		return 0, errUnread
	}
	return now.Sub(t), nil
}
