package inference

import "errors"

var (
	// ErrDigestText: a digest is not 64 lower-case hex digits.
	ErrDigestText = errors.New("not a SHA-256 digest (64 lower-case hex digits)")

	// ErrLimits: a limit is negative or too small to run anything.
	ErrLimits = errors.New("unusable inference limits")

	// ErrInputTooLarge: the request is larger than Limits.InputBytes.
	ErrInputTooLarge = errors.New("inference input too large")

	// ErrOutputTooLarge: the network produced more than Limits.OutputBytes.
	ErrOutputTooLarge = errors.New("inference output too large")

	// ErrInput: the network cannot take this input; the text says what to change.
	// The request is at fault, not the worker.
	ErrInput = errors.New("input not acceptable to the model")

	// ErrModel: the network could not be loaded, or failed while running.
	ErrModel = errors.New("model failed")

	// ErrWrongModel: a request names another model than the worker holds.
	ErrWrongModel = errors.New("request is for another model")

	// ErrFrame: bytes on the socket are not a frame of this protocol.
	ErrFrame = errors.New("malformed inference frame")

	// ErrProtocol: a well-formed frame that has no place here, such as the answer
	// to another request. The worker that sent it is not to be believed again.
	ErrProtocol = errors.New("inference protocol violation")

	// ErrDeadline: the worker did not answer within Limits.Deadline and was killed.
	ErrDeadline = errors.New("inference deadline passed")

	// ErrCrashed: the worker process ended. The next run starts a fresh one.
	ErrCrashed = errors.New("inference worker crashed")

	// ErrConfinement: the kernel refused a layer of the sandbox that was required,
	// or what was claimed is not what the kernel shows.
	ErrConfinement = errors.New("inference sandbox is incomplete")
)
