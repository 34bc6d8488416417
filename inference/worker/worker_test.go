package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/gpu"
)

type session func(ctx context.Context, input []byte) ([]byte, error)

func (s session) Infer(ctx context.Context, input []byte) ([]byte, error) { return s(ctx, input) }

type reader struct {
	report gpu.Report
	err    error
}

func (r reader) Read(context.Context) (gpu.Report, error) { return r.report, r.err }

// serve runs Serve behind a pipe; its error comes when the test closes the pipe.
func serve(t *testing.T, s Session, g GPU) (net.Conn, <-chan error) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	ended := make(chan error, 1)
	go func() {
		ended <- Serve(t.Context(), theirs, inference.Limits{}.WithDefaults(), s, g)
		theirs.Close()
	}()
	return ours, ended
}

func ask(t *testing.T, conn net.Conn, f inference.Frame) inference.Frame {
	t.Helper()
	if err := inference.WriteFrame(conn, f); err != nil {
		t.Fatal(err)
	}
	answer, err := inference.ReadFrame(conn, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if answer.ID != f.ID {
		t.Errorf("answer %d to question %d", answer.ID, f.ID)
	}
	return answer
}

func request(id uint64, outputBytes int, input string) inference.Frame {
	return inference.Frame{Kind: inference.KindRequest, ID: id, Payload: inference.EncodeRequest(outputBytes, []byte(input))}
}

func TestServeGoesOnAfterAnyFailure(t *testing.T) {
	conn, ended := serve(t, session(func(_ context.Context, input []byte) ([]byte, error) {
		switch string(input) {
		case "panic":
			panic("index out of range")
		case "bad":
			return nil, inference.ErrInput
		}
		return bytes.ToUpper(input), nil
	}), nil)
	for i, c := range []struct {
		input string
		limit int
		want  error
	}{
		{"ok", 10, nil},
		{"panic", 10, inference.ErrModel},
		{"bad", 10, inference.ErrInput},
		{"much too long", 10, inference.ErrOutputTooLarge},
		{"ten bytes.", 10, nil},
	} {
		answer := ask(t, conn, request(uint64(i+1), c.limit, c.input))
		if c.want == nil {
			if answer.Kind != inference.KindResult || string(answer.Payload) != strings.ToUpper(c.input) {
				t.Errorf("%s: got %v %q", c.input, answer.Kind, answer.Payload)
			}
			continue
		}
		failure, ok := inference.DecodeFailure(answer.Payload)
		if answer.Kind != inference.KindFailure || !ok || !errors.Is(failure, c.want) {
			t.Errorf("%s: got %v %v, want %v", c.input, answer.Kind, failure, c.want)
		}
	}
	conn.Close()
	if err := <-ended; err != nil {
		t.Errorf("a closed socket is the normal end: got %v", err)
	}
}

func TestServeEndsWhenTheSocketMakesNoSense(t *testing.T) {
	for name, c := range map[string]struct {
		send []byte
		want error
	}{
		"garbage":       {[]byte("GET / HTTP/1.1\r\n\r\n"), inference.ErrFrame},
		"a hello":       {frame(t, inference.Frame{Kind: inference.KindHello}), inference.ErrProtocol},
		"short request": {frame(t, inference.Frame{Kind: inference.KindRequest, Payload: []byte{1}}), inference.ErrFrame},
		"huge request":  {[]byte{'V', 'I', 1, 3, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, inference.ErrFrame},
	} {
		conn, ended := serve(t, session(nil), nil)
		if _, err := conn.Write(c.send); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Fatal(err)
		}
		if err := <-ended; !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func frame(t *testing.T, f inference.Frame) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := inference.WriteFrame(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestServeGivesTheSessionADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, ended := serve(t, session(func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}), nil)
		begin := time.Now()
		answer := ask(t, conn, request(1, 10, "x"))
		if d := time.Since(begin); answer.Kind != inference.KindFailure || d != inference.DefaultDeadline {
			t.Errorf("got %v after %v, want a failure after %v", answer.Kind, d, inference.DefaultDeadline)
		}
		conn.Close()
		<-ended
	})
}

func TestGPUReportIsAlwaysAnAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		reader GPU
		gpus   int
		note   string
	}{
		"no reader": {nil, 0, gpu.ErrNone.Error()},
		"an error":  {reader{err: errors.New("no library")}, 0, "no library"},
		"one GPU":   {reader{report: gpu.Report{GPUs: []gpu.Sample{{Name: "A"}}}}, 1, ""},
	} {
		conn, _ := serve(t, session(nil), c.reader)
		answer := ask(t, conn, inference.Frame{Kind: inference.KindGPUQuery, ID: 4})
		got, err := inference.DecodeJSON[gpu.Report](answer.Payload)
		if err != nil || len(got.GPUs) != c.gpus || got.Note != c.note {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestSetup(t *testing.T) {
	good := inference.Setup{Pipeline: "p", Limits: inference.Limits{}.WithDefaults(), Namespaces: []inference.LayerName{}}
	b, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Setup(bytes.NewReader(frame(t, inference.Frame{Kind: inference.KindSetup, Payload: b}))); err != nil || got.Pipeline != "p" {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, c := range map[string]struct {
		frame inference.Frame
		want  error
	}{
		"another kind":     {inference.Frame{Kind: inference.KindRequest, Payload: b}, inference.ErrProtocol},
		"not JSON":         {inference.Frame{Kind: inference.KindSetup, Payload: []byte("{")}, inference.ErrFrame},
		"an unknown field": {inference.Frame{Kind: inference.KindSetup, Payload: []byte(`{"shell":"/bin/sh"}`)}, inference.ErrFrame},
		"no limits":        {inference.Frame{Kind: inference.KindSetup, Payload: []byte(`{}`)}, inference.ErrLimits},
	} {
		if _, err := Setup(bytes.NewReader(frame(t, c.frame))); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestHelloWaitsToBeLookedAt(t *testing.T) {
	for name, c := range map[string]struct {
		answer inference.Frame
		want   error
	}{
		"load":              {inference.Frame{Kind: inference.KindLoad}, nil},
		"another kind":      {inference.Frame{Kind: inference.KindRequest}, inference.ErrProtocol},
		"load with baggage": {inference.Frame{Kind: inference.KindLoad, Payload: []byte{1}}, inference.ErrFrame},
	} {
		ours, theirs := net.Pipe()
		ended := make(chan error, 1)
		go func() { ended <- Hello(theirs, inference.Hello{Engine: "e", Device: "d"}) }()
		f, err := inference.ReadFrame(ours, inference.MaxHello)
		if err != nil || f.Kind != inference.KindHello {
			t.Fatalf("%s: got %v, %v", name, f.Kind, err)
		}
		select {
		case err := <-ended:
			t.Fatalf("%s: went on before it was told to: %v", name, err)
		default:
		}
		go ours.Write(frame(t, c.answer))
		if err := <-ended; !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		ours.Close()
	}
	ours, theirs := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Hello(theirs, inference.Hello{Engine: "e", Device: "d"}) }()
	if _, err := inference.ReadFrame(ours, inference.MaxHello); err != nil {
		t.Fatal(err)
	}
	ours.Close()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("a parent that is not content: got %v, want io.EOF", err)
	}
}
