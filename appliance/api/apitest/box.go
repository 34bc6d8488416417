// Package apitest is a scripted box in memory and the suite that every implementation of the local
// interface passes. Tests of the api, the panel and the command line import it; production code must not.
package apitest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/vouchbox/vouch/appliance/api"
)

// Box is an [api.Box] whose state a test sets. Its ceremony stands still until the test moves it on.
type Box struct {
	mu        sync.Mutex
	state     State
	answers   []Answered
	reviews   map[uint64]int
	refusal   error
	listeners map[*listener]struct{}
}

// State is all that a box says.
type State struct {
	Status    api.Status
	Reviews   []api.Review
	Payloads  map[string][]byte // by digest
	Ceremony  api.Ceremony
	Enrolment api.Enrolment
	Receipts  map[uint64][]byte
	Audit     []api.Entry
}

// Answered is one answer that the box took.
type Answered struct {
	ID     uint64
	Answer api.Answer
}

type listener struct{ wake chan struct{} }

var _ api.Box = (*Box)(nil)

// New returns a box in that state.
func New(s State) *Box {
	if s.Ceremony.Stage == "" {
		s.Ceremony.Stage = api.StageIdle
	}
	return &Box{state: s, reviews: map[uint64]int{}, listeners: map[*listener]struct{}{}}
}

// Update changes the state and tells everybody who listens.
func (b *Box) Update(change func(*State)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.state)
	b.tell()
}

// RefuseAnswers makes each further answer fail with err; nil takes answers again.
func (b *Box) RefuseAnswers(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusal = err
}

// Answers lists what was answered.
func (b *Box) Answers() []Answered {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.answers)
}

// Listeners is how many event streams are open.
func (b *Box) Listeners() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.listeners)
}

// tell wakes the listeners; the lock is held.
func (b *Box) tell() {
	for l := range b.listeners {
		select {
		case l.wake <- struct{}{}:
		default: // it is awake already and will read the newest state
		}
	}
}

// Status implements [api.Box].
func (b *Box) Status(ctx context.Context) (api.Status, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.Status, ctx.Err()
}

// Requests implements [api.Box].
func (b *Box) Requests(ctx context.Context, limit int) ([]api.Summary, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queue(limit), ctx.Err()
}

func (b *Box) queue(limit int) []api.Summary {
	rows := make([]api.Summary, 0, len(b.state.Reviews))
	for _, r := range b.state.Reviews {
		rows = append(rows, r.Summary)
	}
	slices.SortFunc(rows, func(x, y api.Summary) int { return int(y.ID) - int(x.ID) })
	return rows[:min(limit, len(rows))]
}

func (b *Box) find(id uint64) (*api.Review, error) {
	for i := range b.state.Reviews {
		if b.state.Reviews[i].ID == id {
			return &b.state.Reviews[i], nil
		}
	}
	return nil, api.Errorf(api.CodeNotFound, "the chain has no request %d", id)
}

// Review implements [api.Box].
func (b *Box) Review(ctx context.Context, id uint64) (api.Review, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.find(id)
	if err != nil {
		return api.Review{}, err
	}
	b.reviews[id]++
	return *r, ctx.Err()
}

// Payload implements [api.Box].
func (b *Box) Payload(ctx context.Context, id uint64) (io.ReadCloser, api.Payload, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.find(id)
	if err != nil {
		return nil, api.Payload{}, err
	}
	raw, ok := b.state.Payloads[r.Payload.Digest]
	if !ok {
		return nil, api.Payload{}, api.Errorf(api.CodeUnready, "the payload of request %d is not on this box yet", id)
	}
	return io.NopCloser(bytes.NewReader(raw)), r.Payload, ctx.Err()
}

// PutPayload implements [api.Box].
func (b *Box) PutPayload(ctx context.Context, r io.Reader) (api.Payload, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return api.Payload{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := sha256.Sum256(raw)
	p := api.Payload{Digest: hex.EncodeToString(sum[:]), Size: uint64(len(raw)), MediaType: "application/octet-stream", Available: true}
	if b.state.Payloads == nil {
		b.state.Payloads = map[string][]byte{}
	}
	b.state.Payloads[p.Digest] = raw
	for i := range b.state.Reviews {
		if b.state.Reviews[i].Payload.Digest == p.Digest {
			b.state.Reviews[i].Payload.Available = true
		}
	}
	return p, ctx.Err()
}

// Answer implements [api.Box].
func (b *Box) Answer(ctx context.Context, id uint64, a api.Answer) (api.Ceremony, error) {
	if err := a.Validate(); err != nil {
		return api.Ceremony{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refusal != nil {
		return api.Ceremony{}, b.refusal
	}
	r, err := b.find(id)
	switch {
	case err != nil:
		return api.Ceremony{}, err
	case b.reviews[id] == 0:
		return api.Ceremony{}, api.Errorf(api.CodeConflict, "request %d was not opened for review", id)
	case !b.state.Ceremony.Stage.Ended():
		return api.Ceremony{}, api.Errorf(api.CodeConflict, "another answer is waiting for a finger; finish or cancel it")
	case r.Blocked != "":
		return api.Ceremony{}, api.Errorf(api.CodeBlocked, "%s", r.Blocked)
	case a.Digest != r.Digest:
		return api.Ceremony{}, api.Errorf(api.CodeConflict, "the request changed while it was on the screen; read it again")
	case a.Decision == "reject" && strings.TrimSpace(a.Reason) == "":
		return api.Ceremony{}, api.Errorf(api.CodeInvalid, "a rejection needs a reason")
	}
	for _, rule := range r.Rules {
		if rule.Judged && a.Rules[rule.ID] == "" {
			return api.Ceremony{}, api.Errorf(api.CodeInvalid, "the rule %q is not answered", rule.Text)
		}
	}
	b.answers = append(b.answers, Answered{id, a})
	b.state.Ceremony = api.Ceremony{
		Stage: api.StageTouch, Request: id, Decision: a.Decision, Words: r.Words, TriesLeft: 5,
		Message: "Touch the sensor with an enrolled finger.",
	}
	b.tell()
	return b.state.Ceremony, ctx.Err()
}

// Ceremony implements [api.Box].
func (b *Box) Ceremony(ctx context.Context) (api.Ceremony, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.Ceremony, ctx.Err()
}

// Cancel implements [api.Box].
func (b *Box) Cancel(ctx context.Context) (api.Ceremony, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Ceremony.Stage != api.StageTouch {
		return api.Ceremony{}, api.Errorf(api.CodeConflict, "no answer is waiting for a finger")
	}
	b.state.Ceremony.Stage = api.StageCancelled
	b.state.Ceremony.Message = "Cancelled. Nothing was signed."
	b.tell()
	return b.state.Ceremony, ctx.Err()
}

// Enrol implements [api.Box].
func (b *Box) Enrol(ctx context.Context, r api.EnrolRequest) (api.Enrolment, error) {
	if err := r.Validate(); err != nil {
		return api.Enrolment{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.Enrolment.Active {
		return api.Enrolment{}, api.Errorf(api.CodeConflict, "%s is being enrolled; finish or cancel that first", b.state.Enrolment.Name)
	}
	b.state.Enrolment = api.Enrolment{Active: true, Name: r.Name, Wanted: 8, Message: "Touch the sensor."}
	b.tell()
	return b.state.Enrolment, ctx.Err()
}

// Enrolment implements [api.Box].
func (b *Box) Enrolment(ctx context.Context) (api.Enrolment, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state.Enrolment, ctx.Err()
}

// CancelEnrolment implements [api.Box].
func (b *Box) CancelEnrolment(ctx context.Context) (api.Enrolment, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.state.Enrolment.Active {
		return api.Enrolment{}, api.Errorf(api.CodeConflict, "nobody is being enrolled")
	}
	b.state.Enrolment.Active = false
	b.state.Enrolment.Message = "Cancelled. Nothing was kept."
	b.tell()
	return b.state.Enrolment, ctx.Err()
}

// Forget implements [api.Box].
func (b *Box) Forget(ctx context.Context, person string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.state.Status.Humans, func(h api.Human) bool { return h.ID == person })
	switch {
	case i < 0:
		return api.Errorf(api.CodeNotFound, "nobody by the id %s is enrolled at this box", person)
	case b.state.Enrolment.Active || !b.state.Ceremony.Stage.Ended():
		return api.Errorf(api.CodeConflict, "the sensor is in use; finish or cancel that first")
	}
	b.state.Status.Humans = slices.Delete(slices.Clone(b.state.Status.Humans), i, i+1)
	b.tell()
	return ctx.Err()
}

// Receipt implements [api.Box].
func (b *Box) Receipt(ctx context.Context, id uint64) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.find(id); err != nil {
		return nil, err
	}
	raw, ok := b.state.Receipts[id]
	if !ok {
		return nil, api.Errorf(api.CodeConflict, "request %d is not final yet", id)
	}
	return raw, ctx.Err()
}

// Audit implements [api.Box].
func (b *Box) Audit(ctx context.Context, after uint64, limit int) ([]api.Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows := []api.Entry{}
	for _, e := range b.state.Audit {
		if e.Seq > after && len(rows) < limit {
			rows = append(rows, e)
		}
	}
	return rows, ctx.Err()
}

// Events implements [api.Box]: each change sends the whole state, as four events.
func (b *Box) Events(ctx context.Context, fn func(api.Event) error) error {
	l := &listener{wake: make(chan struct{}, 1)}
	b.mu.Lock()
	b.listeners[l] = struct{}{}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.listeners, l)
		b.mu.Unlock()
	}()
	for {
		b.mu.Lock()
		status, queue, ceremony, enrolment := b.state.Status, b.queue(api.MaxLimit), b.state.Ceremony, b.state.Enrolment
		b.mu.Unlock()
		for _, e := range []api.Event{
			{Kind: "status", Status: &status},
			{Kind: "queue", Queue: queue},
			{Kind: "ceremony", Ceremony: &ceremony},
			{Kind: "enrolment", Enrolment: &enrolment},
		} {
			if err := fn(e); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.wake:
		}
	}
}
