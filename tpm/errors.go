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

	"github.com/google/go-tpm/tpm2"
)

// Sentinels of this package. Each text says what the owner can do about it.
var (
	ErrAbsent         = errors.New("tpm: no TPM here: enable it in the firmware (fTPM, PTT or a module) and check the path")
	ErrPermission     = errors.New("tpm: no right to open the TPM: run as the user that owns the device file")
	ErrBusy           = errors.New("tpm: the TPM is busy: another program holds it, or it is testing itself; use /dev/tpmrm0 and try again")
	ErrLockout        = errors.New("tpm: the TPM is locked after wrong authorizations: leave the box powered on until it recovers, or reset with the lockout key")
	ErrUnsupported    = errors.New("tpm: this TPM lacks what the box needs: it must do TPM 2.0 with P-256, ECDSA, SHA-256 and AES-128")
	ErrFailureMode    = errors.New("tpm: the TPM reports an internal failure: power the box off and on; if it stays, the TPM must be replaced")
	ErrNotStarted     = errors.New("tpm: the TPM was never started by the firmware: power the box off and on")
	ErrTimeout        = errors.New("tpm: the TPM did not answer in time: try again; if it stays, power the box off and on")
	ErrDisconnected   = errors.New("tpm: the connection to the TPM broke: try again; if it stays, power the box off and on")
	ErrResponse       = errors.New("tpm: the TPM gave an answer that is not a TPM 2.0 response: check what is connected to the bus")
	ErrClosed         = errors.New("tpm: this device is closed: open it again")
	ErrPrimaryChanged = errors.New("tpm: the storage root key is not the recorded one: the TPM was cleared or replaced, or something else answers in its place; recover with the recovery kit")
	ErrCorrupt        = errors.New("tpm: the stored TPM object is damaged: restore it from the recovery kit")
	ErrVersion        = errors.New("tpm: the stored TPM object was written by a newer release: update the box")
)

// explain puts the matching sentinel in front of err, which stays reachable by errors.Is. Errors that already carry one, and those that
// are not about the TPM, pass as they are.
func explain(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrTimeout), errors.Is(err, ErrDisconnected), errors.Is(err, ErrLockout):
		return err
	case errors.Is(err, tpm2.TPMRCLockout):
		return fmt.Errorf("%w: %w", ErrLockout, err)
	case errors.Is(err, tpm2.TPMRCFailure):
		return fmt.Errorf("%w: %w", ErrFailureMode, err)
	case errors.Is(err, tpm2.TPMRCInitialize):
		return fmt.Errorf("%w: %w", ErrNotStarted, err)
	case errors.Is(err, tpm2.TPMRCRetry), errors.Is(err, tpm2.TPMRCYielded), errors.Is(err, tpm2.TPMRCTesting):
		return fmt.Errorf("%w: %w", ErrBusy, err)
	}
	return err
}

// explainOpen names what went wrong when the TPM at path could not be reached.
func explainOpen(path string, err error) error {
	switch {
	case errors.Is(err, ErrAbsent):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: %s: %w", ErrAbsent, path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %s: %w", ErrPermission, path, err)
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EAGAIN):
		return fmt.Errorf("%w: %s: %w", ErrBusy, path, err)
	}
	return explainIO(fmt.Errorf("%s: %w", path, err))
}

// explainIO names a broken or silent connection.
func explainIO(err error) error {
	var timeout net.Error
	switch {
	case errors.Is(err, ErrResponse):
		return err
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("tpm: given up by the caller: %w", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w in the middle of a command: %w", ErrDisconnected, err)
	}
	return fmt.Errorf("%w: %w", ErrDisconnected, err)
}
