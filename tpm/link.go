package tpm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	headerSize = 10 // tag(2) size(4) code(4): Part 1, section 18
	maxFrame   = 4096
)

// link is one open way to the TPM.
type link interface {
	// exchange sends one command and reads its response. After an error the link is unusable: a late answer to
	// this command must never be taken for the answer to the next.
	exchange(ctx context.Context, command []byte) ([]byte, error)
	// close ends the link. The channel is closed once the TPM is no longer working for it.
	close() <-chan struct{}
}

// dial opens the TPM at path by what the file is.
func dial(ctx context.Context, path string) (link, error) {
	mode, err := fileMode(path)
	if err != nil {
		return nil, err
	}
	if mode&fs.ModeSocket != 0 {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", path)
		if err != nil {
			return nil, err
		}
		return &socketLink{conn: conn}, nil
	}
	// Blocking on purpose: a nonblocking tpm device answers read with 0 bytes until the response is there.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	settled := make(chan struct{})
	close(settled)
	return &fileLink{f: os.NewFile(uintptr(fd), path), settled: settled}, nil
}

func fileMode(path string) (fs.FileMode, error) {
	fi, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if fi.Mode()&(fs.ModeSocket|fs.ModeCharDevice) == 0 {
		return 0, fmt.Errorf("%w: %s is neither a character device nor a unix socket", ErrAbsent, path)
	}
	return fi.Mode(), nil
}

// socketLink speaks raw TPM frames over a stream, as swtpm's --server type=unixio does.
type socketLink struct{ conn net.Conn }

func (l *socketLink) exchange(ctx context.Context, command []byte) ([]byte, error) {
	deadline, _ := ctx.Deadline()
	if err := l.conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { l.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	response, err := roundTrip(l.conn, command)
	switch {
	case err == nil:
		return response, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		// The socket's timer may fire a moment before the context's.
		return nil, context.DeadlineExceeded
	}
	return nil, err
}

func (l *socketLink) close() <-chan struct{} {
	l.conn.Close()
	done := make(chan struct{})
	close(done)
	return done
}

// fileLink speaks to a character device. The kernel holds a lock while a command runs, so neither poll nor close can interrupt it: a
// caller who gives up leaves the exchange to finish by itself, bounded by the driver's own command durations.
type fileLink struct {
	f       *os.File
	settled chan struct{}
}

func (l *fileLink) exchange(ctx context.Context, command []byte) ([]byte, error) {
	type answer struct {
		response []byte
		err      error
	}
	got, settled := make(chan answer, 1), make(chan struct{})
	l.settled = settled
	own := append([]byte(nil), command...)
	go func() {
		defer close(settled)
		response, err := roundTrip(l.f, own)
		got <- answer{response, err}
	}()
	select {
	case a := <-got:
		<-settled
		return a.response, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *fileLink) close() <-chan struct{} {
	done := make(chan struct{})
	settled := l.settled
	select {
	case <-settled:
		l.f.Close()
		close(done)
	default:
		go func() {
			<-settled
			l.f.Close()
			close(done)
		}()
	}
	return done
}

// roundTrip writes one command and reads exactly one response frame.
func roundTrip(rw io.ReadWriter, command []byte) ([]byte, error) {
	if _, err := rw.Write(command); err != nil {
		return nil, err
	}
	// A tpm device gives the whole response to one read, so the buffer is as large as a response can be.
	buf := make([]byte, maxFrame)
	n, want := 0, headerSize
	for n < want {
		m, err := rw.Read(buf[n:])
		n += m
		if n >= headerSize {
			size := binary.BigEndian.Uint32(buf[2:])
			if size < headerSize || size > maxFrame {
				return nil, fmt.Errorf("%w: its header claims %d bytes, allowed are %d to %d", ErrResponse, size, headerSize, maxFrame)
			}
			want = int(size)
		}
		if n >= want {
			break
		}
		if err == nil && m == 0 {
			err = io.ErrNoProgress
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
	if n > want {
		return nil, fmt.Errorf("%w: %d bytes follow its end", ErrResponse, n-want)
	}
	return buf[:n], nil
}
