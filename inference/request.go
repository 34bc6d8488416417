package inference

import (
	"fmt"
	"time"
)

// Limits bound one run. The zero value of a field means its default.
type Limits struct {
	// InputBytes is the largest request. Default 4 MiB: two minutes of 16 kHz
	// 16-bit speech.
	InputBytes int `json:"input_bytes"`
	// OutputBytes is the largest answer. Default 64 KiB.
	OutputBytes int `json:"output_bytes"`
	// Memory bounds what the worker process can write to, in bytes (RLIMIT_DATA);
	// more fails inside the worker and ends it. Default 1 GiB. What a run really
	// touched is Result.PeakMemory.
	Memory int64 `json:"memory_bytes"`
	// Deadline bounds one run by the wall clock, start of a worker included.
	// Default 20 s.
	Deadline time.Duration `json:"deadline_ns"`
}

// Defaults of Limits.
const (
	DefaultInputBytes  = 4 << 20
	DefaultOutputBytes = 64 << 10
	DefaultMemory      = 1 << 30
	DefaultDeadline    = 20 * time.Second

	// maxPayload bounds every frame and so every limit: one frame is held in
	// memory at once on both sides.
	maxPayload = 64 << 20
	minMemory  = 256 << 20
)

// WithDefaults fills the fields that are zero.
func (l Limits) WithDefaults() Limits {
	if l.InputBytes == 0 {
		l.InputBytes = DefaultInputBytes
	}
	if l.OutputBytes == 0 {
		l.OutputBytes = DefaultOutputBytes
	}
	if l.Memory == 0 {
		l.Memory = DefaultMemory
	}
	if l.Deadline == 0 {
		l.Deadline = DefaultDeadline
	}
	return l
}

// Validate checks limits after WithDefaults. Errors: ErrLimits.
func (l Limits) Validate() error {
	switch {
	case l.InputBytes <= 0 || l.InputBytes > maxPayload-requestHeader:
		return fmt.Errorf("%w: input of %d bytes, want 1 to %d", ErrLimits, l.InputBytes, maxPayload-requestHeader)
	case l.OutputBytes <= 0 || l.OutputBytes > maxPayload:
		return fmt.Errorf("%w: output of %d bytes, want 1 to %d", ErrLimits, l.OutputBytes, maxPayload)
	case l.Memory < minMemory:
		return fmt.Errorf("%w: %d bytes of memory, the engine needs at least %d", ErrLimits, l.Memory, minMemory)
	case l.Deadline <= 0:
		return fmt.Errorf("%w: deadline of %v", ErrLimits, l.Deadline)
	}
	return nil
}

// Request is one run of a model on one input.
type Request struct {
	// Model is the digest of the model's manifest, as the AI NFT states it.
	Model Digest
	// Input is the payload, in the form that the model's pipeline takes.
	Input []byte
	// Limits can only tighten those with which the worker was started; zero
	// fields leave them as they are. Memory is fixed when the worker starts and
	// is not read here.
	Limits Limits
}

// Result is what a run produced, as the parent of the worker saw it: the worker's
// own claims about digests and times are never used.
type Result struct {
	// Output is the model's answer, canonical JSON with integers only, so that
	// another box can compare bytes.
	Output []byte
	// OutputDigest is SHA-256 of Output.
	OutputDigest Digest
	// Duration is the wall-clock time from sending the input to holding the
	// output.
	Duration time.Duration
	// Runtime is SHA-256 of the native engine library that ran.
	Runtime Digest
	// Device is the device class, such as "cpu/amd64": outputs are compared byte
	// for byte only inside one class.
	Device string
	// PeakMemory is the largest resident set of the worker so far, in bytes
	// (VmHWM of proc(5)); zero if the kernel did not say.
	PeakMemory int64
}
