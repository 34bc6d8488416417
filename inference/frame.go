package inference

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Kind tells what a frame carries.
type Kind uint8

// Kinds of frames. A worker's life: the parent sends Setup; the worker loads its
// engine, confines itself and sends Hello; the parent looks at what the kernel shows
// and sends Load; only then does the worker open the network, and sends Ready. After
// that the parent sends Request and GPUQuery, one at a time, and each is answered
// under its own ID. At any point the worker may send Failure in place of an answer.
const (
	KindSetup     Kind = 1 // JSON of Setup
	KindHello     Kind = 2 // JSON of Hello
	KindLoad      Kind = 3 // empty
	KindReady     Kind = 4 // empty
	KindRequest   Kind = 5 // EncodeRequest
	KindResult    Kind = 6 // the output, as it is
	KindFailure   Kind = 7 // EncodeFailure
	KindGPUQuery  Kind = 8 // empty
	KindGPUReport Kind = 9 // JSON of gpu.Report
)

func (k Kind) String() string {
	names := [...]string{"0", "setup", "hello", "load", "ready", "request", "result", "failure", "gpu query", "gpu report"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Frame is one message on the socket between the box and its worker.
type Frame struct {
	Kind    Kind
	ID      uint64
	Payload []byte
}

// The header is 16 bytes, big-endian:
//
//	0  2  magic "VI"
//	2  1  version, 1
//	3  1  kind
//	4  4  payload length in bytes
//	8  8  id
const (
	headerSize   = 16
	frameVersion = 1
)

// WriteFrame sends f in one write: a reader never sees the header of a frame whose
// payload cannot follow because it was too large. Errors: ErrFrame, or the
// writer's.
func WriteFrame(w io.Writer, f Frame) error {
	if f.Kind < KindSetup || f.Kind > KindGPUReport {
		return fmt.Errorf("%w: %v", ErrFrame, f.Kind)
	}
	if len(f.Payload) > maxPayload {
		return fmt.Errorf("%w: payload of %d bytes, at most %d", ErrFrame, len(f.Payload), maxPayload)
	}
	b := make([]byte, headerSize, headerSize+len(f.Payload))
	b[0], b[1], b[2], b[3] = 'V', 'I', frameVersion, byte(f.Kind)
	binary.BigEndian.PutUint32(b[4:], uint32(len(f.Payload)))
	binary.BigEndian.PutUint64(b[8:], f.ID)
	if _, err := w.Write(append(b, f.Payload...)); err != nil {
		return fmt.Errorf("write %v frame: %w", f.Kind, err)
	}
	return nil
}

// ReadFrame reads one frame whose payload is at most max bytes. The length is
// checked before anything is allocated for it. Errors: io.EOF between frames,
// io.ErrUnexpectedEOF inside one, ErrFrame for what is not a frame or is too long,
// or the reader's.
func ReadFrame(r io.Reader, max int) (Frame, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(r, h[:]); err != nil {
		return Frame{}, err
	}
	if h[0] != 'V' || h[1] != 'I' {
		return Frame{}, fmt.Errorf("%w: magic %x", ErrFrame, h[:2])
	}
	if h[2] != frameVersion {
		return Frame{}, fmt.Errorf("%w: version %d, want %d; box and worker are from different releases", ErrFrame, h[2], frameVersion)
	}
	f := Frame{Kind: Kind(h[3]), ID: binary.BigEndian.Uint64(h[8:])}
	if f.Kind < KindSetup || f.Kind > KindGPUReport {
		return Frame{}, fmt.Errorf("%w: %v", ErrFrame, f.Kind)
	}
	size := binary.BigEndian.Uint32(h[4:])
	if uint64(size) > uint64(min(max, maxPayload)) {
		return Frame{}, fmt.Errorf("%w: %v payload of %d bytes, at most %d", ErrFrame, f.Kind, size, min(max, maxPayload))
	}
	f.Payload = make([]byte, size)
	if _, err := io.ReadFull(r, f.Payload); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Frame{}, fmt.Errorf("%v payload: %w", f.Kind, err)
	}
	return f, nil
}
