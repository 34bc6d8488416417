package tpmtest

import (
	"context"
	"os"
	"testing"
)

// SWTPM is a software TPM that lives as long as a test.
type SWTPM struct {
	process *Process
}

// Start runs a new TPM with empty state. Without swtpm the test fails: a test that skips proves nothing.
func Start(t testing.TB) *SWTPM {
	t.Helper()
	sockets, err := shortTemp()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	s := &SWTPM{process: launch(t, t.TempDir(), sockets)}
	t.Cleanup(s.Kill)
	return s
}

func launch(t testing.TB, dir, sockets string) *Process {
	t.Helper()
	p, err := LaunchAt(context.Background(), dir, sockets)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Path is the unix socket for tpm.Open. It stays the same over Restart.
func (s *SWTPM) Path() string { return s.process.Path() }

// Control is the unix socket of swtpm's control channel, for swtpm_ioctl --unix.
func (s *SWTPM) Control() string { return s.process.Control() }

// StateDir is where the TPM's seeds and NV memory are.
func (s *SWTPM) StateDir() string { return s.process.StateDir() }

// Restart shuts the TPM down in order and powers it up again with the same state on the same socket.
func (s *SWTPM) Restart(t testing.TB) {
	t.Helper()
	if err := s.process.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.process = launch(t, s.StateDir(), s.process.socketDir)
}

// Kill cuts the power. The TPM is gone then; calling it again does nothing.
func (s *SWTPM) Kill() { s.process.Kill() }
