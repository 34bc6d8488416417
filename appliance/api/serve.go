package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	socketMode  = 0o660
	headerTime  = 5 * time.Second
	readTime    = 60 * time.Second
	serverIdle  = 60 * time.Second
	stopTime    = 5 * time.Second
	maxHeader   = 8 << 10
	replyTime   = 60 * time.Second
	probeSocket = time.Second
)

// Serve answers for box on socketPath until ctx ends, to those unix users that allow accepts; the
// kernel names the user (SO_PEERCRED, unix(7)). It replaces the socket of a daemon that is gone and
// refuses to replace one that answers. It returns nil after a clean stop.
func Serve(ctx context.Context, box Box, socketPath string, allow func(uid uint32) bool) error {
	l, err := Listen(socketPath)
	if err != nil {
		return err
	}
	return ServeListener(ctx, l, box, allow)
}

// ServeListener is [Serve] on what [Listen] opened; it closes l.
func ServeListener(ctx context.Context, l net.Listener, box Box, allow func(uid uint32) bool) error {
	s := &http.Server{
		Handler:           onlyUsers(allow, NewHandler(box)),
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      replyTime,
		IdleTimeout:       serverIdle,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       withPeer,
	}
	if err := ServeUntil(ctx, l, s); err != nil {
		return fmt.Errorf("serving the local interface: %w", err)
	}
	return nil
}

// ServeUntil answers on l with s until ctx ends, then lets running replies finish for 5 seconds. It sets
// the BaseContext of s and closes l. It returns nil after a clean stop.
func ServeUntil(ctx context.Context, l net.Listener, s *http.Server) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// Ending ctx ends the event streams, which Shutdown alone would wait for.
	s.BaseContext = func(net.Listener) context.Context { return ctx }
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		err := s.Shutdown(stop)
		if err != nil {
			err = errors.Join(err, s.Close())
		}
		stopped <- err
	}()
	err := s.Serve(l)
	cancel()
	stopErr := <-stopped
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return stopErr
}

// Listen opens the socket with mode 0660. It is never visible with other rights: it is made beside
// its place and renamed.
func Listen(socketPath string) (net.Listener, error) {
	if err := replaceable(socketPath); err != nil {
		return nil, err
	}
	made := socketPath + ".new"
	if err := os.Remove(made); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing an old %s: %w", made, err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("opening the socket of the local interface: %w", err)
	}
	l.SetUnlinkOnClose(false)
	err = os.Chmod(made, socketMode)
	if err == nil {
		err = os.Rename(made, socketPath)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("placing the socket of the local interface: %w", err), l.Close(), os.Remove(made))
	}
	info, err := os.Lstat(socketPath)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return &socket{UnixListener: l, path: socketPath, info: info}, nil
}

// replaceable reports why the name cannot be taken: something else is there, or somebody answers.
func replaceable(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is no socket: move it away or name another path", path)
	}
	c, err := net.DialTimeout("unix", path, probeSocket)
	if err == nil {
		return errors.Join(fmt.Errorf("another vouchd answers on %s: stop it first", path), c.Close())
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("asking who serves %s: %w", path, err)
}

// socket removes its name when it closes, but never that of a daemon that came after.
type socket struct {
	*net.UnixListener
	path string
	info fs.FileInfo
}

func (s *socket) Close() error {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.info) {
		err = os.Remove(s.path)
		return errors.Join(err, s.UnixListener.Close())
	}
	return s.UnixListener.Close()
}

// peer is who the kernel says opened a connection.
type peer struct {
	uid uint32
	err error
}

type peerKey struct{}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, peerOf(c))
}

func peerOf(c net.Conn) peer {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return peer{err: errors.New("not a unix socket")}
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return peer{err: err}
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return peer{err: err}
	}
	if credErr != nil {
		return peer{err: credErr}
	}
	return peer{uid: cred.Uid}
}

func onlyUsers(allow func(uid uint32) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := r.Context().Value(peerKey{}).(peer)
		switch {
		case !ok || p.err != nil:
			writeError(w, Errorf(CodeForbidden, "vouchd cannot tell which user asks"))
		case !allow(p.uid):
			writeError(w, Errorf(CodeForbidden, "the user with id %d may not talk to vouchd; run this as its user or as the panel's", p.uid))
		default:
			next.ServeHTTP(w, r)
		}
	})
}
