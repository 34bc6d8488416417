package tpm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

const (
	// Chips answer a P-256 command in 0.2 to 0.6 s; creating a key on a slow one takes seconds.
	commandTimeout = 30 * time.Second
	callTimeout    = 2 * time.Minute

	busyTries = 10 // 1+2+4+...+512 ms of patience with TPM_RC_RETRY and its kin
	busyFirst = time.Millisecond
)

// Device is a TPM that has answered. It is safe for concurrent use; callers take turns.
type Device struct {
	path string
	info Info

	// turn holds one token; who has it may use the fields below.
	turn   chan struct{}
	socket bool
	closed bool
}

// Open reaches the TPM at path, a character device (/dev/tpmrm0) or a unix socket that carries raw TPM frames (swtpm), decided by what the
// file is, and asks it who it is and whether it can do what the box needs. On a socket, where no kernel does it, the Device also sends TPM2_Startup
// when the TPM asks for it.
//
// Errors: ErrAbsent, ErrPermission, ErrBusy, ErrUnsupported, ErrNotStarted, ErrFailureMode, ErrTimeout, ErrDisconnected, ErrResponse.
func Open(ctx context.Context, path string) (*Device, error) {
	mode, err := fileMode(path)
	if err != nil {
		return nil, explainOpen(path, err)
	}
	d := &Device{path: path, turn: make(chan struct{}, 1), socket: mode&fs.ModeSocket != 0}
	d.turn <- struct{}{}
	err = d.Do(ctx, func(t transport.TPM) error {
		info, err := identify(t)
		if err != nil {
			return fmt.Errorf("tpm: ask the TPM who it is: %w", err)
		}
		if err := demand(t); err != nil {
			return err
		}
		d.info = info
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// Info tells what the TPM said about itself when it was opened.
func (d *Device) Info() Info { return d.info }

// Close makes further calls fail with ErrClosed. A call in progress ends first, or ctx does.
func (d *Device) Close(ctx context.Context) error {
	if err := d.take(ctx); err != nil {
		return err
	}
	d.closed = true
	d.turn <- struct{}{}
	return nil
}

// Do gives fn the TPM to itself. The connection lives as long as the call; fn must not keep t, and must not call Do (it would wait for itself
// until ctx ends). Each command waits at most 30 s and the whole call at most 2 minutes, or as long as ctx allows if that is shorter.
// TPM_RC_RETRY, YIELDED and TESTING are retried for about a second; nothing else is.
//
// It returns fn's error with the matching sentinel of this package in front.
func (d *Device) Do(ctx context.Context, fn func(t transport.TPM) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := d.take(ctx); err != nil {
		return err
	}
	if d.closed {
		d.turn <- struct{}{}
		return ErrClosed
	}
	l, err := dial(ctx, d.path)
	if err != nil {
		d.turn <- struct{}{}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return explainOpen(d.path, err)
	}
	c := &call{ctx: ctx, link: l}
	defer func() {
		settled := l.close()
		select {
		case <-settled:
			d.turn <- struct{}{}
		default:
			go func() {
				<-settled
				d.turn <- struct{}{}
			}()
		}
	}()
	if d.socket {
		if err := tidy(c); err != nil {
			return explain(err)
		}
	}
	err = fn(c)
	if err != nil && d.socket && c.broken == nil {
		// Other tools should find the TPM empty. If this fails, the next call tidies up, or tells why it cannot.
		_ = sweep(c)
	}
	return explain(err)
}

func (d *Device) take(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return explainIO(fmt.Errorf("before a command was sent: %w", err))
	}
	select {
	case <-d.turn:
		return nil
	case <-ctx.Done():
		return explainIO(fmt.Errorf("waiting for another call to end: %w", ctx.Err()))
	}
}

// tidy brings a TPM on a socket to a started state with nothing loaded: a process that died, a call that broke and tools that expect a
// resource manager all leave their handles behind, and a TPM has room for three.
func tidy(t transport.TPM) error {
	err := sweep(t)
	if !errors.Is(err, tpm2.TPMRCInitialize) {
		return err
	}
	if _, err := (tpm2.Startup{StartupType: tpm2.TPMSUClear}).Execute(t); err != nil && !errors.Is(err, tpm2.TPMRCInitialize) {
		return fmt.Errorf("tpm: start the TPM: %w", err)
	}
	return sweep(t)
}

// sweep flushes what is loaded. Only for a TPM without a resource manager: we hold its single connection, so nobody else is in the middle
// of anything. Sessions saved by others stay.
func sweep(t transport.TPM) error {
	for _, first := range []tpm2.TPMHandle{TransientObjects, LoadedSessions} {
		handles, err := Handles(t, first)
		if err != nil {
			return err
		}
		for _, h := range handles {
			if _, err := (tpm2.FlushContext{FlushHandle: h}).Execute(t); err != nil {
				return fmt.Errorf("tpm: flush left-over handle %#x: %w", uint32(h), err)
			}
		}
	}
	return nil
}

// call is the transport of one Do.
type call struct {
	ctx    context.Context
	link   link
	broken error
}

// Send implements transport.TPM.
func (c *call) Send(command []byte) ([]byte, error) {
	if c.broken != nil {
		return nil, c.broken
	}
	pause := busyFirst
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(c.ctx, commandTimeout)
		response, err := c.link.exchange(ctx, command)
		cancel()
		if err != nil {
			c.broken = explainIO(err)
			return nil, c.broken
		}
		if !busy(response) || try == busyTries {
			return response, nil
		}
		select {
		case <-time.After(pause):
			pause *= 2
		case <-c.ctx.Done():
			c.broken = explainIO(c.ctx.Err())
			return nil, c.broken
		}
	}
}

// busy tells whether the TPM asks for the same command again. It has not touched its state then, session nonces included.
func busy(response []byte) bool {
	switch tpm2.TPMRC(binary.BigEndian.Uint32(response[6:])) {
	case tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting:
		return true
	}
	return false
}
