package inference

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Sizes of the small messages, for ReadFrame.
const (
	MaxSetup     = 16 << 10
	MaxHello     = 16 << 10
	MaxGPUReport = 64 << 10
	// MaxFailure is the largest Failure payload: a code and its text.
	MaxFailure = 1 + maxFailureText

	requestHeader  = 4
	maxFailureText = 512
)

// Descriptors that a worker process is started with, besides stderr.
const (
	SocketFD  = 3 // stream socket to the parent
	LibraryFD = 4 // sealed memfd with the native engine
	NetworkFD = 5 // sealed memfd with the model's first file
	BinaryFD  = 6 // sealed memfd with the worker's own program
)

// Setup is the first frame: everything that the worker is told. It has no
// environment and no arguments.
type Setup struct {
	// Pipeline names the code around the network, such as "vad/silero-v5".
	Pipeline string `json:"pipeline"`
	// Limits of the worker's life; Memory and CPU become resource limits.
	Limits Limits `json:"limits"`
	// CPUSeconds bounds the CPU time of the process (RLIMIT_CPU).
	CPUSeconds uint64 `json:"cpu_seconds"`
	// Namespaces are those in which the worker was started: it must not change
	// mounts that are not its own.
	Namespaces []LayerName `json:"namespaces"`
}

// Hello is the worker's answer to Setup: the engine is loaded and what could be
// confined is. The network has not been looked at.
type Hello struct {
	// Engine names the engine and its version, such as "onnxruntime 1.29.0".
	Engine string `json:"engine"`
	// Device is the device class, such as "cpu/amd64".
	Device string `json:"device"`
	// Layers are those that the worker put up itself.
	Layers Confinement `json:"layers"`
}

// Validate checks the texts, which go into results and receipts. Errors:
// ErrProtocol.
func (h Hello) Validate() error {
	for _, text := range []string{h.Engine, h.Device} {
		if len(text) == 0 || len(text) > 64 || printable(text) != text {
			return fmt.Errorf("%w: hello with the text %q", ErrProtocol, text)
		}
	}
	return nil
}

// DecodeJSON reads a small message strictly: no unknown field, nothing behind it.
// Errors: ErrFrame.
func DecodeJSON[T any](payload []byte) (T, error) {
	var v T
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		return *new(T), fmt.Errorf("%w: %w", ErrFrame, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return *new(T), fmt.Errorf("%w: bytes behind the message", ErrFrame)
	}
	return v, nil
}

// EncodeRequest makes the payload of KindRequest: the output limit in bytes as
// four bytes, big-endian, and the input.
func EncodeRequest(outputBytes int, input []byte) []byte {
	b := make([]byte, requestHeader, requestHeader+len(input))
	binary.BigEndian.PutUint32(b, uint32(outputBytes))
	return append(b, input...)
}

// DecodeRequest is the inverse of EncodeRequest; input aliases payload.
// Errors: ErrFrame.
func DecodeRequest(payload []byte) (outputBytes int, input []byte, err error) {
	if len(payload) < requestHeader {
		return 0, nil, fmt.Errorf("%w: request of %d bytes", ErrFrame, len(payload))
	}
	limit := binary.BigEndian.Uint32(payload)
	if limit == 0 || limit > maxPayload {
		return 0, nil, fmt.Errorf("%w: output limit of %d bytes", ErrFrame, limit)
	}
	return int(limit), payload[requestHeader:], nil
}

// RequestSize is the payload size of a request with an input of n bytes.
func RequestSize(n int) int { return requestHeader + n }

// failureCodes are the errors that keep their meaning across the socket.
// The code is the index plus one, so the order is part of the protocol.
func failureCodes() []error {
	return []error{ErrModel, ErrInput, ErrOutputTooLarge, ErrFrame, ErrProtocol, ErrConfinement}
}

// EncodeFailure makes the payload of KindFailure: one byte of code and a text of at
// most 512 bytes. An error that is none of the protocol's becomes ErrModel.
func EncodeFailure(err error) []byte {
	code := byte(1)
	for i, e := range failureCodes() {
		if errors.Is(err, e) {
			code = byte(i + 1)
			break
		}
	}
	text := err.Error()
	if len(text) > maxFailureText {
		text = text[:maxFailureText]
	}
	return append([]byte{code}, text...)
}

// DecodeFailure turns a KindFailure payload into an error that wraps its sentinel.
// The text comes from a process that ran a stranger's network: it is bounded and
// stripped of everything that could move a cursor. ok is false for what is not a
// failure payload.
func DecodeFailure(payload []byte) (failure error, ok bool) {
	codes := failureCodes()
	if len(payload) < 1 || len(payload) > MaxFailure || payload[0] < 1 || int(payload[0]) > len(codes) {
		return nil, false
	}
	sentinel := codes[payload[0]-1]
	text := printable(string(payload[1:]))
	text = strings.TrimPrefix(strings.TrimPrefix(text, sentinel.Error()), ": ")
	return fmt.Errorf("%w: %s", sentinel, text), true
}

// printable keeps what a line of a log or a screen can show.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
