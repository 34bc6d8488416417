package tpmtest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// ErrMissing means that swtpm is not installed.
var ErrMissing = errors.New("tpmtest: swtpm is not installed: apt-get install swtpm")

const (
	readyTimeout = 20 * time.Second
	pollFirst    = time.Millisecond
	pollMax      = 50 * time.Millisecond
	stopTimeout  = 5 * time.Second
	// sun_path of struct sockaddr_un holds 108 bytes with the final zero: unix(7).
	maxSocketPath = 107
)

// Process is a running swtpm.
type Process struct {
	cmd       *exec.Cmd
	stateDir  string
	socketDir string
	// ownSockets tells to remove socketDir at the end.
	ownSockets bool
	done       chan struct{} // closed when the process has ended
	output     bytes.Buffer  // read only after done
}

// Launch starts swtpm with its state in dir, an existing directory, and returns when it has answered a command. The sockets live in a short
// temporary directory of their own, because a unix socket path holds at most 107 bytes. ctx bounds the start only; the process runs until Stop or
// Kill, or until this program dies.
func Launch(ctx context.Context, dir string) (*Process, error) {
	sockets, err := shortTemp()
	if err != nil {
		return nil, err
	}
	p, err := LaunchAt(ctx, dir, sockets)
	if err != nil {
		os.RemoveAll(sockets)
		return nil, err
	}
	p.ownSockets = true
	return p, nil
}

// LaunchAt is Launch with the sockets in a directory of the caller's, who removes it: a TPM that is launched there again after Stop or Kill
// has the same Path, as a chip has after a power cut.
func LaunchAt(ctx context.Context, dir, sockets string) (*Process, error) {
	binary, err := exec.LookPath("swtpm")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMissing, err)
	}
	state, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	p := &Process{stateDir: state, socketDir: sockets, done: make(chan struct{})}
	// A killed predecessor leaves its sockets, and nobody behind them.
	os.Remove(p.Path())
	os.Remove(p.Control())
	p.cmd = exec.Command(binary, "socket", "--tpm2",
		"--server", "type=unixio,path="+p.Path(),
		"--ctrl", "type=unixio,path="+p.Control(),
		"--tpmstate", "dir="+state,
		"--flags", "not-need-init,startup-clear")
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	// Its own group: a Ctrl-C at the terminal is for who started it, and who stops it in order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		// Pdeathsig follows the thread that forked, so that thread must live as long as the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("tpmtest: start swtpm: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := p.ready(ctx); err != nil {
		p.Kill()
		return nil, fmt.Errorf("tpmtest: swtpm did not become ready: %w\n%s", err, p.output.Bytes())
	}
	return p, nil
}

// Path is the unix socket for tpm.Open, and for tpm2-tools as "swtpm:path=" + Path().
func (p *Process) Path() string { return filepath.Join(p.socketDir, "tpm") }

// Control is the unix socket of swtpm's control channel, for swtpm_ioctl --unix. tpm2-tools look for it at this name.
func (p *Process) Control() string { return p.Path() + ".ctrl" }

// StateDir is where the TPM's seeds and NV memory are.
func (p *Process) StateDir() string { return p.stateDir }

// PID is swtpm's process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop shuts the TPM down in order, as a machine does before power off, and ends the process. When ctx ends first, the process is killed
// and Stop says so.
func (p *Process) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	_, shutdownErr := command(ctx, p.Path(), shutdownClear)
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("tpmtest: swtpm did not end by itself and was killed: %w", ctx.Err())
	}
	p.clean()
	if shutdownErr != nil {
		return fmt.Errorf("tpmtest: TPM2_Shutdown: %w", shutdownErr)
	}
	return nil
}

// Kill ends the process at once, as a power cut does.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.done
	p.clean()
}

func (p *Process) clean() {
	if p.ownSockets {
		os.RemoveAll(p.socketDir)
	}
}

// ready waits until the TPM answers a command.
func (p *Process) ready(ctx context.Context) error {
	pause := pollFirst
	for {
		rsp, err := command(ctx, p.Path(), getManufacturer)
		if err == nil {
			if code := binary.BigEndian.Uint32(rsp[6:]); code != 0 {
				return fmt.Errorf("it answers with code %#x", code)
			}
			return nil
		}
		select {
		case <-p.done:
			return errors.New("it ended")
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(pause):
			pause = min(2*pause, pollMax)
		}
	}
}

// Commands as bytes, so that this package does not test itself with what it tests: Part 3, sections 9.4 and 30.2.
var (
	shutdownClear   = []byte{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x45, 0, 0}
	getManufacturer = []byte{0x80, 0x01, 0, 0, 0, 22, 0, 0, 0x01, 0x7a, 0, 0, 0, 6, 0, 0, 0x01, 0x05, 0, 0, 0, 1}
)

// command runs one TPM command on a connection of its own.
func command(ctx context.Context, path string, frame []byte) ([]byte, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if _, err := conn.Write(frame); err != nil {
		return nil, err
	}
	return readFrame(conn)
}

// readFrame reads one command or response: tag(2) size(4) code(4) and the rest.
func readFrame(r io.Reader) ([]byte, error) {
	header := make([]byte, 10)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(header[2:])
	if size < 10 || size > 4096 {
		return nil, fmt.Errorf("tpmtest: a frame claims %d bytes", size)
	}
	frame := append(header, make([]byte, size-10)...)
	_, err := io.ReadFull(r, frame[10:])
	return frame, err
}

// shortTemp makes a directory whose sockets have addressable names, wherever TMPDIR points.
func shortTemp() (string, error) {
	dir, err := os.MkdirTemp("", "swtpm")
	if err == nil && len(filepath.Join(dir, "tpm.ctrl")) <= maxSocketPath {
		return dir, nil
	}
	if err == nil {
		os.Remove(dir)
	}
	return os.MkdirTemp("/tmp", "swtpm")
}
