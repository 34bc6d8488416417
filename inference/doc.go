// Package inference is the vocabulary of running an AI NFT's network on one
// approved request: what goes in (Request, Limits), what comes out (Result), how
// things are named (Digest, SHA-256), what held the process that did it
// (Confinement), and the frames in which the box and its worker process talk.
//
// Shapes and units: sizes are bytes, durations are time.Duration, digests are
// SHA-256 (FIPS 180-4) in lower-case hex. A model is named by the digest of its
// manifest (package model), which is also the model reference of the AI NFT.
//
// It does no I/O but ReadFrame and WriteFrame on a stream given to them, starts
// nothing, and needs no cgo, so that the daemon and verifiers off the box can
// import it. Sub-packages do the work: model stores networks, sandbox starts and
// confines the worker, worker is its inside, onnx is the native engine, vad the
// voice network, receipt the record of a run, gpu the telemetry.
//
// Errors are the sentinels of errors.go, wrapped with what happened.
package inference
