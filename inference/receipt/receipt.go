// Package receipt is the record of one execution: which network ran on which input,
// in which engine on which class of device, and what came out. An edge worker signs
// its digest; the chain keeps it; others re-execute and compare.
//
// Pure: no I/O, no keys. Verifiers off the box import it. Digests are SHA-256,
// durations whole milliseconds. Errors: ErrReceipt.
//
// A receipt proves what was run, not that the output is good or harmless.
package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/vouchbox/vouch/inference"
)

// ErrReceipt: a receipt is incomplete, or bytes are not the canonical form of one.
var ErrReceipt = errors.New("not a usable execution receipt")

// Receipt is the record of one execution.
type Receipt struct {
	// RequestID is the request's number on the chain; they count from 1.
	RequestID uint64
	// Model is the digest of the model's manifest.
	Model inference.Digest
	// Input and Output are the digests of the payloads.
	Input, Output inference.Digest
	// Runtime is the digest of the native engine library.
	Runtime inference.Digest
	// Engine is its name and version, such as "onnxruntime 1.29.0".
	Engine string
	// Device is the class inside which outputs are equal byte for byte, such as
	// "cpu/amd64".
	Device string
	// Threads used for one operator.
	Threads uint32
	// DurationMS is how long the worker took, by its own clock. It is information
	// for people; nothing may be decided by it.
	DurationMS uint64
}

// New makes the receipt of a result. Errors: ErrReceipt.
func New(requestID uint64, request inference.Request, result inference.Result, engine string, threads int) (Receipt, error) {
	r := Receipt{
		RequestID: requestID, Model: request.Model, Input: inference.DigestOf(request.Input), Output: result.OutputDigest,
		Runtime: result.Runtime, Engine: engine, Device: result.Device, Threads: uint32(max(0, threads)),
		DurationMS: uint64(max(0, result.Duration) / time.Millisecond),
	}
	return r, r.Validate()
}

const (
	// domain keeps a receipt from being taken for anything else that is signed.
	domain  = "vouch/receipt/1\n"
	maxText = 64
	// fixed is the size of the encoding without the two texts.
	fixed = len(domain) + 8 + 4*sha256.Size + 1 + 1 + 4 + 8
)

// Validate checks that every field says something. Errors: ErrReceipt.
func (r Receipt) Validate() error {
	if r.RequestID == 0 {
		return fmt.Errorf("%w: no request id", ErrReceipt)
	}
	for _, d := range []struct {
		name  string
		value inference.Digest
	}{{"model", r.Model}, {"input", r.Input}, {"output", r.Output}, {"runtime", r.Runtime}} {
		if d.value.IsZero() {
			return fmt.Errorf("%w: no %s digest", ErrReceipt, d.name)
		}
	}
	for _, t := range []struct{ name, value string }{{"engine", r.Engine}, {"device class", r.Device}} {
		if len(t.value) == 0 || len(t.value) > maxText {
			return fmt.Errorf("%w: %s of %d characters, want 1 to %d", ErrReceipt, t.name, len(t.value), maxText)
		}
		for _, c := range []byte(t.value) {
			if c < ' ' || c > '~' {
				return fmt.Errorf("%w: %s has the character %q", ErrReceipt, t.name, c)
			}
		}
	}
	if r.Threads == 0 {
		return fmt.Errorf("%w: no thread count", ErrReceipt)
	}
	return nil
}

// Encode returns the canonical form, integers big-endian:
//
//	16      "vouch/receipt/1\n"
//	 8      request id
//	32 x 4  model, input, output, runtime
//	 1 + n  engine, with its length
//	 1 + n  device class, with its length
//	 4      threads
//	 8      duration in milliseconds
//
// Errors: ErrReceipt.
func (r Receipt) Encode() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, fixed+len(r.Engine)+len(r.Device)), domain...)
	b = binary.BigEndian.AppendUint64(b, r.RequestID)
	for _, d := range []inference.Digest{r.Model, r.Input, r.Output, r.Runtime} {
		b = append(b, d[:]...)
	}
	b = append(append(b, byte(len(r.Engine))), r.Engine...)
	b = append(append(b, byte(len(r.Device))), r.Device...)
	b = binary.BigEndian.AppendUint32(b, r.Threads)
	return binary.BigEndian.AppendUint64(b, r.DurationMS), nil
}

// Digest is SHA-256 of Encode: what is signed and what the chain keeps.
// Errors: ErrReceipt.
func (r Receipt) Digest() (inference.Digest, error) {
	b, err := r.Encode()
	if err != nil {
		return inference.Digest{}, err
	}
	return inference.DigestOf(b), nil
}

// Parse is the inverse of Encode. Errors: ErrReceipt.
func Parse(b []byte) (Receipt, error) {
	var r Receipt
	rest, ok := bytes.CutPrefix(b, []byte(domain))
	if !ok || len(b) < fixed {
		return Receipt{}, fmt.Errorf("%w: %d bytes without its beginning", ErrReceipt, len(b))
	}
	r.RequestID, rest = binary.BigEndian.Uint64(rest), rest[8:]
	for _, d := range []*inference.Digest{&r.Model, &r.Input, &r.Output, &r.Runtime} {
		rest = rest[copy(d[:], rest):]
	}
	for _, t := range []*string{&r.Engine, &r.Device} {
		if len(rest) < 1 || len(rest) < 1+int(rest[0]) {
			return Receipt{}, fmt.Errorf("%w: cut short", ErrReceipt)
		}
		n := int(rest[0])
		*t, rest = string(rest[1:1+n]), rest[1+n:]
	}
	if len(rest) != 4+8 {
		return Receipt{}, fmt.Errorf("%w: %d bytes at the end, want 12", ErrReceipt, len(rest))
	}
	r.Threads, r.DurationMS = binary.BigEndian.Uint32(rest), binary.BigEndian.Uint64(rest[4:])
	return r, r.Validate()
}
