// Package tpmtest runs a software TPM for tests and the demo: swtpm, Debian package swtpm, a complete TPM 2.0 behind a unix socket. What passes
// here speaks the real protocol to the reference implementation of the specification.
//
// It is imported by tests and by appliance/demo, never by a production package: a software TPM protects nothing, and tpm.Info says so (Software).
//
// Proxy stands between a client and the TPM: it records what crosses the wire and can drop, delay, hold or alter an answer.
package tpmtest
