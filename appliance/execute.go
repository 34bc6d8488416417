package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/vouchbox/vouch/appliance/config"
	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/model"
	"github.com/vouchbox/vouch/inference/receipt"
	"github.com/vouchbox/vouch/inference/sandbox"
	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/poh"
)

// executor is the box as an edge worker: it runs the models that it holds on approved requests and
// posts what they said.
type executor struct {
	cfg    config.Inference
	models *model.Store

	mu      sync.Mutex
	workers map[inference.Digest]*sandbox.Worker // by model

	gpu graphics
}

var errNoModel = errors.New("this box does not hold the model")

// worker starts the process of a model, or returns the one that runs.
func (e *executor) worker(ctx context.Context, ref inference.Digest) (*sandbox.Worker, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w, ok := e.workers[ref]; ok {
		return w, nil
	}
	w, err := sandbox.Start(ctx, sandbox.Config{Binary: e.cfg.Binary, Store: e.models, Model: ref, Require: e.require(), Sysfs: os.DirFS("/sys")})
	if errors.Is(err, model.ErrNotFound) {
		return nil, fmt.Errorf("%w %s: %w", errNoModel, ref, err)
	}
	if err != nil {
		return nil, fmt.Errorf("start the inference process: %w", err)
	}
	e.workers[ref] = w
	return w, nil
}

// require is what the owner demands of the sandbox.
func (e *executor) require() sandbox.Require {
	if e.cfg.Require == config.RequireAvailable {
		return sandbox.RequireAvailable
	}
	return sandbox.RequireAll
}

// warm starts the models that the box knows and holds: each gives its known answer now rather than on
// a human's time, and the same process reads the GPU.
func (e *executor) warm(ctx context.Context) (*sandbox.Worker, error) {
	var first *sandbox.Worker
	for _, entry := range model.Catalogue() {
		ref, err := entry.Manifest.Digest()
		if err != nil {
			return nil, fmt.Errorf("digest of the model %s: %w", entry.Manifest.Name, err)
		}
		w, err := e.worker(ctx, ref)
		if errors.Is(err, errNoModel) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = w
		}
	}
	return first, nil
}

func (e *executor) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, w := range e.workers {
		errs = append(errs, w.Close())
	}
	clear(e.workers)
	return errors.Join(errs...)
}

// execute runs one approved request and posts its receipt, unless the chain has one already.
func (a *Appliance) execute(ctx context.Context, id uint64) error {
	if _, err := a.view().Receipt(ctx, id); !errors.Is(err, ledger.ErrAbsent) {
		return err
	}
	d, err := a.dossier(ctx, id)
	if err != nil {
		return err
	}
	if d.request.State != requestv1.STATE_APPROVED {
		return nil
	}
	if d.payload == nil {
		return fmt.Errorf("execute request %d: %s", id, d.blocked)
	}
	w, err := a.executor.worker(ctx, inference.Digest(d.shown.Model))
	if err != nil {
		return err
	}
	run := inference.Request{Model: inference.Digest(d.shown.Model), Input: d.payload, Limits: inference.Limits{OutputBytes: poh.MaxOutput}}
	result, err := w.Run(ctx, run)
	if err != nil {
		return fmt.Errorf("run the model on request %d: %w", id, err)
	}
	engine := w.Manifest().Engine
	r, err := receipt.New(id, run, result, engine.Name+" "+engine.Version, engine.Threads)
	if err != nil {
		return fmt.Errorf("the receipt of request %d: %w", id, err)
	}
	a.note(ctx, "request.executed", map[string]string{"request": fmt.Sprint(id), "output": r.Output.String()})
	err = a.account.PostReceipt(ctx, id, account.Execution{
		Model: poh.Digest(r.Model), Input: poh.Digest(r.Input), Output: result.Output, Runtime: poh.Digest(r.Runtime),
		Engine: r.Engine, Device: r.Device, Duration: result.Duration,
	})
	if errors.Is(err, account.ErrRefused) {
		// Another worker's receipt may have come first; then there is nothing left to do.
		if _, late := a.link.Latest(ctx); late != nil {
			return late
		}
		if _, gone := a.view().Receipt(ctx, id); gone == nil {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("post the receipt of request %d: %w", id, err)
	}
	a.note(ctx, "receipt.posted", map[string]string{"request": fmt.Sprint(id)})
	return nil
}
