package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/gpu"
	"github.com/vouchbox/vouch/inference/model"
)

// Require says what happens when this kernel refuses a layer of the sandbox.
type Require int

const (
	// RequireAll refuses to run a network with a layer missing. For every box.
	RequireAll Require = iota
	// RequireAvailable runs it with the layers that can be had, which
	// Worker.Confinement names. For development machines and the demo only.
	RequireAvailable
)

// Config says what to run and how.
type Config struct {
	// Binary is the path of vouchinfer.
	Binary string
	// Store holds the manifest, the network and the engine library.
	Store *model.Store
	// Model is the digest of the manifest.
	Model inference.Digest
	// Limits of each run; zero fields mean the defaults.
	Limits inference.Limits
	// Require: the zero value requires every layer.
	Require Require
	// Sysfs, if not nil, is where board sensors are read ("/sys"), to fill what
	// the GPU library does not give.
	Sysfs fs.FS
}

// Worker is one model in one confined process at a time. It is safe for concurrent
// use; runs take turns.
type Worker struct {
	config    Config
	manifest  model.Manifest
	library   model.Library
	files     sealedFiles
	cpuBudget time.Duration
	turn      chan struct{} // holds one token; who has it owns child and lastID
	child     *child
	lastID    uint64
	closed    bool

	mu          sync.Mutex
	confinement inference.Confinement
	peakMemory  int64
}

// Start checks the model's blobs, starts a worker and waits until the network has
// given its known answer, so that a Worker that exists can answer. Close it.
// Errors: model.ErrNotFound, model.ErrDigest, model.ErrManifest,
// inference.ErrLimits, inference.ErrModel, inference.ErrConfinement,
// inference.ErrDeadline, inference.ErrCrashed, or ctx's.
func Start(ctx context.Context, config Config) (_ *Worker, err error) {
	config.Limits = config.Limits.WithDefaults()
	if err := config.Limits.Validate(); err != nil {
		return nil, err
	}
	if config.Store == nil {
		return nil, fmt.Errorf("start worker: %w: no model store given", model.ErrNotFound)
	}
	manifest, err := config.Store.Manifest(config.Model)
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	library, err := manifest.Engine.Library(runtime.GOOS + "/" + runtime.GOARCH)
	if err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	w := &Worker{config: config, manifest: manifest, library: library,
		cpuBudget: cpuBudget(config.Limits.Deadline), turn: make(chan struct{}, 1)}
	if w.files, err = sealFiles(config.Binary, config.Store, library, manifest.Files[0]); err != nil {
		return nil, fmt.Errorf("start worker: %w", err)
	}
	w.turn <- struct{}{}
	ctx, cancel := withDeadline(ctx, config.Limits.Deadline)
	defer cancel()
	if err := w.startChild(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start worker: %w", err), w.Close())
	}
	return w, nil
}

// Run runs one request. Errors: inference.ErrWrongModel, inference.ErrInputTooLarge,
// inference.ErrInput, inference.ErrModel, inference.ErrOutputTooLarge,
// inference.ErrDeadline, inference.ErrCrashed, inference.ErrProtocol, or ctx's.
func (w *Worker) Run(ctx context.Context, req inference.Request) (inference.Result, error) {
	if req.Model != w.config.Model {
		return inference.Result{}, fmt.Errorf("%w: asked for %v, this worker holds %v", inference.ErrWrongModel, req.Model, w.config.Model)
	}
	limits, err := tighten(w.config.Limits, req.Limits)
	if err != nil {
		return inference.Result{}, err
	}
	if len(req.Input) > limits.InputBytes {
		return inference.Result{}, fmt.Errorf("%w: %d bytes, at most %d", inference.ErrInputTooLarge, len(req.Input), limits.InputBytes)
	}
	ctx, cancel := withDeadline(ctx, limits.Deadline)
	defer cancel()
	c, release, err := w.acquire(ctx)
	if err != nil {
		return inference.Result{}, err
	}
	defer release()

	begin := time.Now()
	answer, err := w.ask(ctx, c, inference.Frame{
		Kind: inference.KindRequest, Payload: inference.EncodeRequest(limits.OutputBytes, req.Input),
	}, inference.KindResult, limits.OutputBytes)
	if err != nil {
		return inference.Result{}, err
	}
	result := inference.Result{
		Output: answer, OutputDigest: inference.DigestOf(answer), Duration: time.Since(begin),
		Runtime: w.library.Digest, Device: c.hello.Device, PeakMemory: peakMemory(c.pid),
	}
	w.note(c.layers, result.PeakMemory)
	w.retire(c)
	return result, nil
}

// GPU reads the accelerator: the worker's library, completed from sysfs. A machine
// without one is a report that says so, not an error. Errors: as of Run.
func (w *Worker) GPU(ctx context.Context) (gpu.Report, error) {
	ctx, cancel := withDeadline(ctx, w.config.Limits.Deadline)
	defer cancel()
	c, release, err := w.acquire(ctx)
	if err != nil {
		return gpu.Report{}, err
	}
	defer release()
	answer, err := w.ask(ctx, c, inference.Frame{Kind: inference.KindGPUQuery}, inference.KindGPUReport, inference.MaxGPUReport)
	if err != nil {
		return gpu.Report{}, err
	}
	report, err := inference.DecodeJSON[gpu.Report](answer)
	if err != nil {
		w.discard(c)
		return gpu.Report{}, err
	}
	if w.config.Sysfs != nil {
		if board, err := gpu.ReadSysfs(w.config.Sysfs); err == nil {
			report = gpu.Merge(report, board)
		}
	}
	return report, nil
}

// Confinement says which layers stand around the worker that ran last.
func (w *Worker) Confinement() inference.Confinement {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.confinement)
}

// PeakMemory is the largest resident set of any worker process so far, in bytes.
func (w *Worker) PeakMemory() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.peakMemory
}

// Manifest is that of the model.
func (w *Worker) Manifest() model.Manifest { return w.manifest }

// Close ends the worker after the run that is under way. It may be called once.
func (w *Worker) Close() error {
	<-w.turn
	defer func() { w.turn <- struct{}{} }()
	w.closed = true
	if w.child != nil {
		w.discard(w.child)
	}
	return w.files.close()
}

// acquire waits for this caller's turn and for a live child.
func (w *Worker) acquire(ctx context.Context) (c *child, release func(), err error) {
	select {
	case <-w.turn:
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("wait for the worker: %w", deadlineError(ctx))
	}
	release = func() { w.turn <- struct{}{} }
	if w.closed {
		release()
		return nil, nil, fmt.Errorf("inference worker: %w", os.ErrClosed)
	}
	if w.child != nil && w.child.exited() {
		w.discard(w.child)
	}
	if w.child == nil {
		if err := w.startChild(ctx); err != nil {
			release()
			return nil, nil, err
		}
	}
	return w.child, release, nil
}

// ask asks the child one question under a new number.
func (w *Worker) ask(ctx context.Context, c *child, question inference.Frame, want inference.Kind, max int) ([]byte, error) {
	w.lastID++
	question.ID = w.lastID
	answer, err := c.exchange(ctx, question, want, max)
	if reported, ok := errors.AsType[failed](err); ok {
		return nil, reported.reason
	}
	if err != nil {
		w.discard(c)
	}
	return answer, err
}

// discard kills a child; the next run starts another.
func (w *Worker) discard(c *child) {
	c.end()
	if w.child == c {
		w.child = nil
	}
}

// retire replaces a child between runs before its CPU limit would end it in one.
func (w *Worker) retire(c *child) {
	if cpuTime(c.pid) > w.cpuBudget/2 {
		w.discard(c)
	}
}

func (w *Worker) note(layers inference.Confinement, peak int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.confinement = layers
	w.peakMemory = max(w.peakMemory, peak)
}

// tighten applies a request's limits, which can only be smaller.
func tighten(limits, asked inference.Limits) (inference.Limits, error) {
	if asked.InputBytes < 0 || asked.OutputBytes < 0 || asked.Deadline < 0 {
		return inference.Limits{}, fmt.Errorf("%w: negative", inference.ErrLimits)
	}
	if asked.InputBytes > 0 {
		limits.InputBytes = min(limits.InputBytes, asked.InputBytes)
	}
	if asked.OutputBytes > 0 {
		limits.OutputBytes = min(limits.OutputBytes, asked.OutputBytes)
	}
	if asked.Deadline > 0 {
		limits.Deadline = min(limits.Deadline, asked.Deadline)
	}
	return limits, nil
}

func withDeadline(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("%w: %v", inference.ErrDeadline, d))
}

// deadlineError tells our deadline from the caller's end of interest.
func deadlineError(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return io.ErrUnexpectedEOF
}
