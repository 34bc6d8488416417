package appliance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/inference/gpu"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/prover"
	"github.com/vouchbox/vouch/validator/receipt"
)

// Status is the box at a glance. It asks nobody: a node that hangs must not hide what is wrong.
func (a *Appliance) Status(context.Context) (api.Status, error) { return a.status(), nil }

func (a *Appliance) status() api.Status {
	info := a.tpm.Info()
	s := api.Status{
		Box: a.cfg.Box, Version: Version, Owner: a.account.String(), Balance: a.holding.text(), Chain: a.link.status(),
		TPM:    api.TPM{Manufacturer: info.Manufacturer, Vendor: info.Vendor, Firmware: info.Firmware, Software: info.Software},
		Sensor: a.sensor.status(), Humans: []api.Human{}, GPU: a.executor.gpu.get(), Problems: a.problems.list(), Now: a.now().UTC(),
	}
	head := a.audit.Head()
	s.Audit = api.AuditHead{Seq: head.Seq, Hash: head.Hash.String()}
	for _, p := range a.people.list() {
		s.Humans = append(s.Humans, p.api())
	}
	return s
}

// changed publishes the status anew.
func (a *Appliance) changed() {
	a.statusTurn.Lock()
	defer a.statusTurn.Unlock()
	s := a.status()
	a.hub.publish(api.Event{Kind: "status", Status: &s})
}

// Requests lists the newest requests that the box follows.
func (a *Appliance) Requests(_ context.Context, limit int) ([]api.Summary, error) {
	return a.queue.list(limit), nil
}

// Review proves a request and all that belongs to it, and starts its reading time.
func (a *Appliance) Review(ctx context.Context, id uint64) (api.Review, error) {
	r, d, err := a.review(ctx, id)
	if err != nil {
		return api.Review{}, asAPI(err)
	}
	a.opened.mark(d.shown.Digest(), a.now())
	return r, nil
}

type nopCloser struct{ *bytes.Reader }

func (nopCloser) Close() error { return nil }

// Payload opens the artefact of a request.
func (a *Appliance) Payload(ctx context.Context, id uint64) (io.ReadCloser, api.Payload, error) {
	d, err := a.dossier(ctx, id)
	if err != nil {
		return nil, api.Payload{}, asAPI(err)
	}
	if d.payload == nil {
		return nil, api.Payload{}, blocked("%s", d.blocked)
	}
	p := api.Payload{Digest: d.shown.Payload.String(), Size: d.shown.PayloadSize, MediaType: d.shown.MediaType, Available: true}
	return nopCloser{bytes.NewReader(d.payload)}, p, nil
}

// PutPayload keeps a payload that travels by digest and that a request here waits for.
func (a *Appliance) PutPayload(_ context.Context, r io.Reader) (api.Payload, error) {
	d, n, err := a.payloads.put(r, a.queue.wants)
	if errors.Is(err, errNotWanted) {
		return api.Payload{}, invalid("No open request waits for this file: its digest is %s. Hand it over as the requester made it, once the request is on the chain.", d)
	}
	if _, cut := errors.AsType[*http.MaxBytesError](err); cut || errors.Is(err, errPayloadLarge) {
		return api.Payload{}, api.Errorf(api.CodeTooLarge, "%s.", errPayloadLarge)
	}
	if err != nil {
		return api.Payload{}, asAPI(err)
	}
	return api.Payload{Digest: d.String(), Size: n, Available: true}, nil
}

// Receipt builds the receipt file of a final request, from the box's own trusted block.
func (a *Appliance) Receipt(ctx context.Context, id uint64) ([]byte, error) {
	c, err := a.link.get()
	if err != nil {
		return nil, asAPI(err)
	}
	b, err := receipt.Build(ctx, c, id, a.link.cfg.Trust, receipt.Options{})
	if err != nil {
		return nil, asAPI(err)
	}
	return b, nil
}

// Audit lists entries of the audit log.
func (a *Appliance) Audit(ctx context.Context, after uint64, limit int) ([]api.Entry, error) {
	entries, err := a.audit.Entries(ctx, after, limit)
	if err != nil {
		return nil, asAPI(err)
	}
	out := make([]api.Entry, len(entries))
	for i, e := range entries {
		out[i] = api.Entry{Seq: e.Seq, At: e.At, Event: e.Event, Fields: e.Fields, Prev: e.Prev.String(), Hash: e.Hash.String()}
	}
	return out, nil
}

// Events calls fn with the present state and each change.
func (a *Appliance) Events(ctx context.Context, fn func(api.Event) error) error {
	return a.hub.listen(ctx, fn)
}

// asAPI gives an error the form that the panel and the command line act on.
func asAPI(err error) error {
	var known *api.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, ledger.ErrAbsent):
		return api.Errorf(api.CodeNotFound, "%s.", err)
	case errors.Is(err, light.ErrLying):
		return api.Errorf(api.CodeBlocked, "The node's answer does not hold: %s.", err)
	case errors.Is(err, light.ErrAttack), errors.Is(err, light.ErrExpired), errors.Is(err, light.ErrTrustChanged):
		return api.Errorf(api.CodeBlocked, "Nothing of the chain can be believed: %s.", err)
	case errors.Is(err, prover.ErrVoted), errors.Is(err, prover.ErrClosed), errors.Is(err, prover.ErrNotRegistered), errors.Is(err, prover.ErrConflict):
		return api.Errorf(api.CodeBlocked, "%s.", err)
	case errors.Is(err, prover.ErrPending), errors.Is(err, prover.ErrWait), errors.Is(err, prover.ErrShown), errors.Is(err, prover.ErrUsed):
		return api.Errorf(api.CodeConflict, "%s.", err)
	case errors.Is(err, errNoChain), errors.Is(err, light.ErrUnreachable), errors.Is(err, light.ErrStale),
		errors.Is(err, light.ErrNoWitness), errors.Is(err, context.DeadlineExceeded):
		return api.Errorf(api.CodeUnready, "The chain is out of reach; the box tries again by itself: %s.", err)
	}
	return api.Errorf(api.CodeInternal, "%s.", err)
}

// gpuEvery is how often the GPU is looked at.
const gpuEvery = time.Minute

// lookAtGPU asks the inference process for the GPU's state until ctx ends.
func (a *Appliance) lookAtGPU(ctx context.Context) {
	for {
		facts := api.GPU{Detail: "This box holds no model, so no inference process looks at the GPU."}
		w, err := a.executor.warm(ctx)
		switch {
		case err != nil:
			facts.Detail = err.Error()
			a.problems.raise("inference.down", "The inference process does not work.", err.Error())
		case w != nil:
			a.problems.clear("inference.down")
			facts = gpuFacts(w.GPU(ctx))
			if missing := w.Confinement().Missing(); len(missing) > 0 {
				a.problems.raise("inference.confinement", fmt.Sprintf("This kernel refuses parts of the inference sandbox: %v.", missing),
					"The owner allowed that in the configuration. Models run with less around them than on a production box.")
			}
		}
		a.executor.gpu.set(facts)
		a.changed()
		if !pause(ctx, gpuEvery) {
			return
		}
	}
}

func gpuFacts(r gpu.Report, err error) api.GPU {
	switch {
	case err != nil:
		return api.GPU{Detail: "The GPU could not be read: " + err.Error()}
	case len(r.GPUs) == 0:
		return api.GPU{Detail: r.Note}
	}
	g := r.GPUs[0]
	f := api.GPU{Present: true, Name: g.Name, Detail: strings.Join(r.Sources, ", ")}
	if g.MemoryTotal != nil {
		f.Memory = *g.MemoryTotal
	}
	return f
}

// graphics is what is known of the GPU. It has a lock of its own: a model takes seconds to start.
type graphics struct {
	mu    sync.Mutex
	facts api.GPU
}

func (g *graphics) get() api.GPU {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.facts
}

func (g *graphics) set(facts api.GPU) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.facts = facts
}
