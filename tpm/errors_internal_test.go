package tpm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-tpm/tpm2"
)

func TestErrorsAreNamed(t *testing.T) {
	own := errors.New("the caller's own")
	open := func(err error) error {
		return explainOpen("/dev/tpmrm0", &fs.PathError{Op: "open", Path: "/dev/tpmrm0", Err: err})
	}
	for _, tt := range []struct {
		name      string
		got, want error
	}{
		{"no file", open(syscall.ENOENT), ErrAbsent},
		{"no driver", open(syscall.ENODEV), ErrAbsent},
		{"nobody listens", open(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}), ErrAbsent},
		{"not allowed", open(syscall.EACCES), ErrPermission},
		{"held by another program", open(syscall.EBUSY), ErrBusy},
		{"another failure to open", open(syscall.EIO), ErrDisconnected},
		{"cancelled", explainIO(context.Canceled), context.Canceled},
		{"deadline", explainIO(context.DeadlineExceeded), ErrTimeout},
		{"cut", explainIO(io.ErrUnexpectedEOF), ErrDisconnected},
		{"reset", explainIO(syscall.ECONNRESET), ErrDisconnected},
		{"no response", explainIO(fmt.Errorf("%w: x", ErrResponse)), ErrResponse},
		{"lockout", explain(fmt.Errorf("sign: %w", tpm2.TPMRCLockout)), ErrLockout},
		{"lockout keeps its code", explain(tpm2.TPMRCLockout), tpm2.TPMRCLockout},
		{"failure mode", explain(tpm2.TPMRCFailure), ErrFailureMode},
		{"not started", explain(tpm2.TPMRCInitialize), ErrNotStarted},
		{"yielded", explain(tpm2.TPMRCYielded), ErrBusy},
		{"the caller's own", explain(own), own},
		{"none", explain(nil), nil},
	} {
		if !errors.Is(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if err := explain(own); err != own {
		t.Errorf("the caller's error came back as %v", err)
	}
	if err := explainIO(context.Canceled); errors.Is(err, ErrTimeout) || errors.Is(err, ErrDisconnected) {
		t.Errorf("giving up is blamed on the TPM: %v", err)
	}
}
