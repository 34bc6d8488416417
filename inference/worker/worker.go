// Package worker is the inside of the worker process: it reads one request after
// another from the socket that it was given and answers each. It opens no file, no
// network and no process; what it may cost is bounded by the limits of its Setup.
//
// The worker's composition (package process) imports it. A request that fails is
// answered with a failure frame and the worker goes on, also after a panic of the
// pipeline; Serve ends with an error only when the socket no longer makes sense.
// Errors: inference.ErrFrame, inference.ErrProtocol, or the socket's.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/gpu"
)

// Session is a loaded network with its pipeline.
type Session interface {
	// Infer answers one request. It returns inference.ErrInput if the input is at
	// fault and inference.ErrModel if the network is; ctx ends it at the deadline.
	Infer(ctx context.Context, input []byte) ([]byte, error)
}

// GPU reads the accelerator.
type GPU interface {
	// Read returns gpu.ErrNone, or another error that says in words what is
	// missing, if there is nothing to read.
	Read(ctx context.Context) (gpu.Report, error)
}

// Setup reads the first frame. Errors: inference.ErrFrame, inference.ErrProtocol,
// inference.ErrLimits.
func Setup(conn io.Reader) (inference.Setup, error) {
	f, err := inference.ReadFrame(conn, inference.MaxSetup)
	if err != nil {
		return inference.Setup{}, fmt.Errorf("setup: %w", err)
	}
	if f.Kind != inference.KindSetup {
		return inference.Setup{}, fmt.Errorf("%w: %v in place of setup", inference.ErrProtocol, f.Kind)
	}
	s, err := inference.DecodeJSON[inference.Setup](f.Payload)
	if err != nil {
		return inference.Setup{}, fmt.Errorf("setup: %w", err)
	}
	return s, s.Limits.Validate()
}

// Hello tells the parent that the process is confined, and waits until the parent has
// seen for itself and lets it load the network. Errors: inference.ErrProtocol,
// inference.ErrFrame, or the socket's.
func Hello(conn io.ReadWriter, hello inference.Hello) error {
	if err := writeJSON(conn, inference.KindHello, 0, hello); err != nil {
		return err
	}
	f, err := inference.ReadFrame(conn, 0)
	if err != nil {
		return fmt.Errorf("wait for load: %w", err)
	}
	if f.Kind != inference.KindLoad {
		return fmt.Errorf("%w: %v in place of load", inference.ErrProtocol, f.Kind)
	}
	return nil
}

// Ready tells the parent that the network has given its known answer.
func Ready(conn io.Writer) error {
	return inference.WriteFrame(conn, inference.Frame{Kind: inference.KindReady})
}

// Refuse tells the parent why there will be no Hello, or no Ready.
func Refuse(conn io.Writer, reason error) error {
	return inference.WriteFrame(conn, inference.Frame{Kind: inference.KindFailure, Payload: inference.EncodeFailure(reason)})
}

// Serve answers requests until the parent closes the socket. gpu may be nil.
func Serve(ctx context.Context, conn io.ReadWriter, limits inference.Limits, session Session, gpu GPU) error {
	for {
		f, err := inference.ReadFrame(conn, inference.RequestSize(limits.InputBytes))
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch f.Kind {
		case inference.KindRequest:
			err = answer(ctx, conn, limits, session, f)
		case inference.KindGPUQuery:
			err = answerGPU(ctx, conn, gpu, f.ID)
		default:
			err = fmt.Errorf("%w: %v from the parent", inference.ErrProtocol, f.Kind)
		}
		if err != nil {
			return err
		}
	}
}

func answer(ctx context.Context, conn io.Writer, limits inference.Limits, session Session, f inference.Frame) error {
	outputBytes, input, err := inference.DecodeRequest(f.Payload)
	if err != nil {
		return err
	}
	outputBytes = min(outputBytes, limits.OutputBytes)
	ctx, cancel := context.WithTimeout(ctx, limits.Deadline)
	defer cancel()
	output, err := infer(ctx, session, input)
	if err == nil && len(output) > outputBytes {
		err = fmt.Errorf("%w: %d bytes, at most %d", inference.ErrOutputTooLarge, len(output), outputBytes)
	}
	if err != nil {
		return inference.WriteFrame(conn, inference.Frame{Kind: inference.KindFailure, ID: f.ID, Payload: inference.EncodeFailure(err)})
	}
	return inference.WriteFrame(conn, inference.Frame{Kind: inference.KindResult, ID: f.ID, Payload: output})
}

// infer turns a panic of the pipeline into a failure: the input that caused it may
// be the requester's, and the next one must still be answered.
func infer(ctx context.Context, session Session, input []byte) (output []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			output, err = nil, fmt.Errorf("%w: panic: %v", inference.ErrModel, p)
		}
	}()
	return session.Infer(ctx, input)
}

func answerGPU(ctx context.Context, conn io.Writer, reader GPU, id uint64) error {
	report := gpu.Report{Sources: []string{}, GPUs: []gpu.Sample{}}
	if reader == nil {
		report.Note = gpu.ErrNone.Error()
	} else if read, err := reader.Read(ctx); err != nil {
		report.Note = err.Error()
	} else {
		report = read
	}
	return writeJSON(conn, inference.KindGPUReport, id, report)
}

func writeJSON(conn io.Writer, kind inference.Kind, id uint64, message any) error {
	b, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode %v: %w", kind, err)
	}
	return inference.WriteFrame(conn, inference.Frame{Kind: kind, ID: id, Payload: b})
}
