// Package process is the composition root of vouchinfer: it turns the descriptors
// that the sandbox passed into a confined worker with one network. Only
// cmd/vouchinfer imports it.
//
// The order is the point. The engine is ours by its digest and is loaded first,
// because loading needs files; then the process gives up everything; only then are
// the bytes of a stranger's network looked at.
package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/gpu"
	"github.com/vouchbox/vouch/inference/gpu/nvml"
	"github.com/vouchbox/vouch/inference/onnx"
	"github.com/vouchbox/vouch/inference/sandbox/confine"
	"github.com/vouchbox/vouch/inference/vad"
	"github.com/vouchbox/vouch/inference/worker"
)

// Serve runs the worker on the descriptors of inference.SocketFD and its
// neighbours, until the parent closes the socket.
func Serve(ctx context.Context) error {
	conn := os.NewFile(inference.SocketFD, "socket")
	setup, session, reader, err := prepare(conn)
	if err != nil {
		return errors.Join(err, worker.Refuse(conn, err))
	}
	if err := worker.Ready(conn); err != nil {
		return err
	}
	return worker.Serve(ctx, conn, setup.Limits, session, reader)
}

func prepare(conn *os.File) (inference.Setup, worker.Session, worker.GPU, error) {
	setup, err := worker.Setup(conn)
	if err != nil {
		return setup, nil, nil, err
	}
	if setup.Pipeline != vad.Pipeline {
		return setup, nil, nil, fmt.Errorf("%w: this release has no pipeline %q", inference.ErrModel, setup.Pipeline)
	}
	engine, reader, layers, err := confined(setup)
	if err != nil {
		return setup, nil, nil, err
	}
	hello := inference.Hello{Engine: "onnxruntime " + engine.Version(), Device: "cpu/" + runtime.GOARCH, Layers: layers}
	if err := worker.Hello(conn, hello); err != nil {
		return setup, nil, nil, err
	}
	session, err := open(engine)
	return setup, session, reader, err
}

// confined loads what is ours and then gives up everything else.
func confined(setup inference.Setup) (*onnx.Runtime, gpuReader, inference.Confinement, error) {
	if err := confine.Prepare(setup.Namespaces); err != nil {
		return nil, gpuReader{}, nil, err
	}
	// The parent passed a sealed copy, so there is a descriptor and no path.
	engine, err := onnx.Load("/proc/self/fd/" + strconv.Itoa(inference.LibraryFD))
	if err != nil {
		return nil, gpuReader{}, nil, fmt.Errorf("%w: %w", inference.ErrModel, err)
	}
	reader := openGPU()
	layers, err := confine.Apply(confine.Policy{
		Namespaces: setup.Namespaces, Memory: setup.Limits.Memory, CPUSeconds: setup.CPUSeconds,
		Keep: []int{inference.SocketFD, inference.NetworkFD}, DeviceControl: reader.devices(),
	})
	return engine, reader, layers, err
}

// open reads the stranger's network and makes it give its known answer.
func open(engine *onnx.Runtime) (worker.Session, error) {
	network := os.NewFile(inference.NetworkFD, "network")
	bytes, err := io.ReadAll(network)
	if err = errors.Join(err, network.Close()); err != nil {
		return nil, fmt.Errorf("%w: read: %w", inference.ErrModel, err)
	}
	var detector *vad.Detector
	_, err = engine.Open(bytes, onnx.Options{Signature: vad.Signature(), Check: func(s *onnx.Session) (err error) {
		detector, err = vad.New(s)
		return err
	}})
	return detector, err
}

// gpuReader answers with the reason when there is nothing to read.
type gpuReader struct {
	nvml *nvml.Reader
	err  error
}

func openGPU() gpuReader {
	r, err := nvml.Open()
	return gpuReader{nvml: r, err: err}
}

// devices tells whether device files are held open, which need ioctl(2).
func (g gpuReader) devices() bool { return g.nvml != nil }

func (g gpuReader) Read(ctx context.Context) (gpu.Report, error) {
	if g.err != nil {
		return gpu.Report{}, g.err
	}
	return g.nvml.Read(ctx)
}

// PrintGPU writes the GPU report of this machine as JSON for people. A machine
// without a GPU is a report that says so.
func PrintGPU(ctx context.Context, w io.Writer) error {
	report, err := openGPU().Read(ctx)
	if err != nil {
		report = gpu.Report{Sources: []string{}, GPUs: []gpu.Sample{}, Note: err.Error()}
	}
	if board, err := gpu.ReadSysfs(os.DirFS("/sys")); err == nil {
		report = gpu.Merge(report, board)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(report)
}
