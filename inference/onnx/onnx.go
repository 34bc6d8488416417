// Package onnx runs a network in the native ONNX Runtime, loaded from a shared
// library of one pinned build. It is the only package that links native inference
// code; only the worker process imports it, never the daemon.
//
// Sessions are made to repeat: one thread, a fixed optimisation level, fixed shapes,
// the CPU provider. That gives equal bits on one processor family and build; it is
// not promised by ONNX Runtime across builds (microsoft/onnxruntime#9704), which is
// why the library's digest is part of a model's manifest.
//
// Loading the library and opening a model are two steps, so that the worker can
// confine itself between them: the library is ours by digest, the model is a
// stranger's.
//
// Errors: ErrLibrary, inference.ErrModel.
package onnx

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/vouchbox/vouch/inference"
)

// ErrLibrary: the shared library cannot be loaded, or one was loaded before.
var ErrLibrary = errors.New("ONNX Runtime library is not usable")

// Runtime is the loaded library. A process has at most one, because the binding
// keeps it in process-wide state.
type Runtime struct {
	version string
}

// Load loads the library, whose digest the caller has checked. Errors: ErrLibrary.
func Load(libPath string) (*Runtime, error) {
	if ort.IsInitialized() {
		return nil, fmt.Errorf("%w: another one is loaded in this process", ErrLibrary)
	}
	// Vendor builds since 1.29 carry a telemetry client that writes an identifier and
	// a log to disk and uploads over HTTPS as soon as the environment is made. This
	// variable is the only switch that is read before that.
	if err := os.Setenv("ORT_DISABLE_TELEMETRY", "1"); err != nil {
		return nil, fmt.Errorf("%w: switch telemetry off: %w", ErrLibrary, err)
	}
	ort.SetSharedLibraryPath(libPath)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLibrary, err)
	}
	if err := ort.DisableTelemetry(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrLibrary, err), ort.DestroyEnvironment())
	}
	return &Runtime{version: ort.GetVersion()}, nil
}

// Version is what the library calls itself, such as "1.29.0".
func (r *Runtime) Version() string { return r.version }

// Close unloads the library. Sessions must be closed before.
func (r *Runtime) Close() error { return ort.DestroyEnvironment() }

// Options say what a session is for.
type Options struct {
	Signature inference.Signature
	// Check runs a known answer; a session that fails it is not returned.
	Check func(*Session) error
}

// Session is one loaded network with its tensors. It is for one goroutine at a time.
type Session struct {
	session *ort.AdvancedSession
	tensors map[string]*ort.Tensor[float32]
	close   []func() error
	runtime *Runtime // owned only when made by Open
}

// Open loads the library and opens a network in it: Load and Runtime.Open in one,
// for a process that does not confine itself. Close also unloads the library.
func Open(libPath string, model []byte, options Options) (*Session, error) {
	r, err := Load(libPath)
	if err != nil {
		return nil, err
	}
	s, err := r.Open(model, options)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	s.runtime = r
	return s, nil
}

// Open loads a network from the bytes of its .onnx file. Errors: inference.ErrModel.
func (r *Runtime) Open(model []byte, options Options) (_ *Session, err error) {
	s := &Session{tensors: map[string]*ort.Tensor[float32]{}}
	defer func() {
		if err != nil {
			if !errors.Is(err, inference.ErrModel) {
				err = fmt.Errorf("%w: %w", inference.ErrModel, err)
			}
			err = errors.Join(err, s.Close())
		}
	}()
	inputNames, inputs, err := s.allocate(options.Signature.Inputs)
	if err != nil {
		return nil, err
	}
	outputNames, outputs, err := s.allocate(options.Signature.Outputs)
	if err != nil {
		return nil, err
	}
	so, err := sessionOptions()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, so.Destroy()) }()
	s.session, err = ort.NewAdvancedSessionWithONNXData(model, inputNames, outputNames, inputs, outputs, so)
	if err != nil {
		return nil, err
	}
	s.close = append(s.close, s.session.Destroy)
	if options.Check != nil {
		if err := options.Check(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Session) allocate(tensors []inference.Tensor) (names []string, values []ort.Value, err error) {
	for _, t := range tensors {
		names = append(names, t.Name)
		if t.Constant != nil {
			v, err := ort.NewScalar(*t.Constant)
			if err != nil {
				return nil, nil, fmt.Errorf("tensor %s: %w", t.Name, err)
			}
			s.close = append(s.close, v.Destroy)
			values = append(values, v)
			continue
		}
		v, err := ort.NewEmptyTensor[float32](ort.NewShape(t.Shape...))
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		s.close = append(s.close, v.Destroy)
		s.tensors[t.Name] = v
		values = append(values, v)
	}
	return names, values, nil
}

func sessionOptions() (*ort.SessionOptions, error) {
	so, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	set := []error{
		so.SetIntraOpNumThreads(1),
		so.SetInterOpNumThreads(1),
		so.SetExecutionMode(ort.ExecutionModeSequential),
		// Levels give different last bits, so one is pinned; "all" adds layout
		// changes that depend on the processor.
		so.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableExtended),
	}
	if runtime.GOARCH == "arm64" {
		// KleidiAI kernels do not repeat on some cores (microsoft/onnxruntime#31569).
		set = append(set, so.AddSessionConfigEntry("mlas.disable_kleidiai", "1"))
	}
	if err := errors.Join(set...); err != nil {
		return nil, errors.Join(err, so.Destroy())
	}
	return so, nil
}

// Float32 is the memory of a float tensor, nil if there is none of that name.
func (s *Session) Float32(name string) []float32 {
	t := s.tensors[name]
	if t == nil {
		return nil
	}
	return t.GetData()
}

// Run computes the outputs from the inputs.
func (s *Session) Run() error { return s.session.Run() }

// Close frees the network and its tensors, and the library if Open loaded it.
func (s *Session) Close() error {
	var errs []error
	for i := len(s.close) - 1; i >= 0; i-- {
		errs = append(errs, s.close[i]())
	}
	s.close = nil
	if s.runtime != nil {
		errs = append(errs, s.runtime.Close())
		s.runtime = nil
	}
	return errors.Join(errs...)
}
