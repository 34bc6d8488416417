package tpmtest

import (
	"context"
	"testing"
)

// SWTPM is a software TPM that lives as long as a test.
type SWTPM struct {
	process *Process
}

// Start runs a new TPM with empty state. Without swtpm the test fails: a test that skips proves nothing.
func Start(t testing.TB) *SWTPM {
	t.Helper()
	s := &SWTPM{process: launch(t, t.TempDir())}
	t.Cleanup(s.Kill)
	return s
}

func launch(t testing.TB, dir string) *Process {
	t.Helper()
	p, err := Launch(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Path is the unix socket for tpm.Open. It changes with Restart.
func (s *SWTPM) Path() string { return s.process.Path() }

// StateDir is where the TPM's seeds and NV memory are.
func (s *SWTPM) StateDir() string { return s.process.StateDir() }

// Restart shuts the TPM down in order and powers it up again with the same state, on a new socket.
func (s *SWTPM) Restart(t testing.TB) {
	t.Helper()
	if err := s.process.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.process = launch(t, s.StateDir())
}

// Kill cuts the power. The TPM is gone then; calling it again does nothing.
func (s *SWTPM) Kill() { s.process.Kill() }
