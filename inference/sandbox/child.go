package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vouchbox/vouch/inference"
)

// nobody is the user that a worker is outside of its namespace when the daemon runs
// as root; otherwise it is the daemon's own user, the only one that the daemon may
// map.
const nobody = 65534

// cpuBudget is the CPU time after which the kernel ends a worker. It is far above
// what one run can use, and retire keeps clear of it, so only a worker that spins
// between runs reaches it.
func cpuBudget(deadline time.Duration) time.Duration {
	return max(20*deadline, time.Minute).Round(time.Second)
}

// child is one worker process.
type child struct {
	conn   net.Conn
	pid    int
	hello  inference.Hello
	layers inference.Confinement
	stderr *tail

	mu     sync.Mutex // held while the process is signalled or reaped
	reaped bool
	done   chan struct{} // closed when the process is reaped
	state  error         // how it ended; read after done
}

// startChild starts a child in the best sandbox that config allows.
func (w *Worker) startChild(ctx context.Context) error {
	var refused []error
	for _, namespaces := range attempts(w.config.Require) {
		c, err := w.spawn(ctx, namespaces)
		if err == nil {
			w.child = c
			w.note(c.layers, peakMemory(c.pid))
			return nil
		}
		refused = append(refused, err)
		if ctx.Err() != nil || !refusedByKernel(err) {
			break
		}
	}
	return refused[len(refused)-1]
}

// attempts are the sets of namespaces to try, strictest first.
func attempts(require Require) [][]inference.LayerName {
	all := []inference.LayerName{inference.UserNamespace, inference.MountNamespace, inference.PIDNamespace,
		inference.NetworkNamespace, inference.IPCNamespace, inference.UTSNamespace, inference.CgroupNamespace}
	if require == RequireAll {
		return [][]inference.LayerName{all}
	}
	// In a container a fresh /proc is often refused, and with it a PID namespace.
	withoutPID := slices.DeleteFunc(slices.Clone(all), func(n inference.LayerName) bool { return n == inference.PIDNamespace })
	return [][]inference.LayerName{all, withoutPID, {}}
}

func refusedByKernel(err error) bool {
	return errors.Is(err, inference.ErrConfinement) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) ||
		errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EUSERS)
}

// spawn starts one process, confines it, and waits for its hello.
func (w *Worker) spawn(ctx context.Context, namespaces []inference.LayerName) (_ *child, err error) {
	ours, theirs, err := socketpair()
	if err != nil {
		return nil, err
	}
	network, err := rewind(w.files.network)
	if err != nil {
		return nil, errors.Join(err, ours.Close(), theirs.Close())
	}

	c := &child{conn: ours, stderr: &tail{}, done: make(chan struct{})}
	cmd := &exec.Cmd{
		Path:       "/proc/self/fd/" + strconv.Itoa(inference.BinaryFD),
		Args:       []string{"vouchinfer"},
		Env:        []string{},
		Dir:        "/",
		ExtraFiles: []*os.File{theirs, w.files.library, network, w.files.binary},
		Stderr:     c.stderr,
		WaitDelay:  time.Second,
		SysProcAttr: &syscall.SysProcAttr{
			Setpgid:   true,
			Pdeathsig: syscall.SIGKILL,
		},
	}
	isolate(cmd.SysProcAttr, namespaces)
	err = c.start(cmd)
	// While this process holds the worker's end too, it would not see the worker go.
	if closed := errors.Join(theirs.Close(), network.Close()); err == nil && closed != nil {
		c.end()
		return nil, closed
	}
	if err != nil {
		if len(namespaces) > 0 && refusedByKernel(err) {
			err = fmt.Errorf("%w: the kernel refused new namespaces: %w", inference.ErrConfinement, err)
		}
		return nil, errors.Join(fmt.Errorf("start worker process: %w", err), ours.Close())
	}
	defer func() {
		if err != nil {
			c.end()
		}
	}()
	if err := w.greet(ctx, c, namespaces); err != nil {
		return nil, err
	}
	c.layers = observe(c.pid, namespaces, c.hello.Layers)
	if w.config.Require == RequireAll {
		if err := c.layers.Complete(); err != nil {
			return nil, err
		}
	}
	// Only now does the process get to look at the network.
	if _, err := c.exchange(ctx, inference.Frame{Kind: inference.KindLoad}, inference.KindReady, 0); err != nil {
		return nil, err
	}
	return c, nil
}

func isolate(attr *syscall.SysProcAttr, namespaces []inference.LayerName) {
	flags := map[inference.LayerName]uintptr{
		inference.UserNamespace: unix.CLONE_NEWUSER, inference.MountNamespace: unix.CLONE_NEWNS,
		inference.PIDNamespace: unix.CLONE_NEWPID, inference.NetworkNamespace: unix.CLONE_NEWNET,
		inference.IPCNamespace: unix.CLONE_NEWIPC, inference.UTSNamespace: unix.CLONE_NEWUTS,
		inference.CgroupNamespace: unix.CLONE_NEWCGROUP,
	}
	for _, n := range namespaces {
		attr.Cloneflags |= flags[n]
	}
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		uid, gid = nobody, nobody
	}
	switch {
	case slices.Contains(namespaces, inference.UserNamespace):
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
		// Without setting its user the child would keep the unmapped one and lose its
		// capabilities over the namespace at exec.
		attr.Credential = &syscall.Credential{Uid: 0, Gid: 0, NoSetGroups: true}
	case os.Geteuid() == 0:
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
}

// start starts the process and reaps it in a thread of its own: the parent-death
// signal is sent when the thread that cloned ends, not the process (prctl(2)).
func (c *child) start(cmd *exec.Cmd) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		c.pid = cmd.Process.Pid
		started <- nil
		c.reap(cmd)
	}()
	return <-started
}

func (c *child) reap(cmd *exec.Cmd) {
	// Seeing the end before taking it keeps the process id ours while end signals it.
	for {
		err := unix.Waitid(unix.P_PID, c.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c.mu.Lock()
	c.reaped = true
	c.mu.Unlock()
	c.state = cmd.Wait()
	close(c.done)
}

// patience bounds the wait for a killed process to be gone. Only one that hangs in
// the kernel, as behind a broken device, takes longer; it is reaped when it ends.
const patience = 5 * time.Second

// end kills the process group and waits until it is gone.
func (c *child) end() {
	// Both can only fail because the other side is gone, which is what is wanted.
	_ = c.conn.Close()
	c.mu.Lock()
	if !c.reaped {
		_ = unix.Kill(-c.pid, unix.SIGKILL)
	}
	c.mu.Unlock()
	select {
	case <-c.done:
	case <-time.After(patience):
	}
}

func (c *child) exited() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// greet sends Setup and reads Hello.
func (w *Worker) greet(ctx context.Context, c *child, namespaces []inference.LayerName) error {
	setup, err := json.Marshal(inference.Setup{
		Pipeline: w.manifest.Pipeline, Limits: w.config.Limits, Namespaces: namespaces,
		CPUSeconds: uint64(w.cpuBudget / time.Second),
	})
	if err != nil {
		return err
	}
	answer, err := c.exchange(ctx, inference.Frame{Kind: inference.KindSetup, Payload: setup}, inference.KindHello, inference.MaxHello)
	if err != nil {
		return err
	}
	if c.hello, err = inference.DecodeJSON[inference.Hello](answer); err != nil {
		return err
	}
	return c.hello.Validate()
}

// failed is a failure that the worker reported in form; the worker is in order.
type failed struct{ reason error }

func (f failed) Error() string { return f.reason.Error() }
func (f failed) Unwrap() error { return f.reason }

// exchange asks one question and returns the payload of the answer. After any error
// but failed the child is ended: what it says next would mean nothing.
func (c *child) exchange(ctx context.Context, question inference.Frame, want inference.Kind, max int) ([]byte, error) {
	answer, err := c.roundTrip(ctx, question, max)
	if err != nil {
		c.end()
		return nil, c.explain(ctx, err)
	}
	if answer.ID == question.ID {
		switch answer.Kind {
		case want:
			if len(answer.Payload) <= max {
				return answer.Payload, nil
			}
		case inference.KindFailure:
			if reason, ok := inference.DecodeFailure(answer.Payload); ok {
				return nil, failed{reason}
			}
		}
	}
	c.end()
	return nil, fmt.Errorf("%w: %v %d with %d bytes in answer to %v %d", inference.ErrProtocol,
		answer.Kind, answer.ID, len(answer.Payload), question.Kind, question.ID)
}

// roundTrip sends a frame and reads the next. When ctx ends, it returns at once.
func (c *child) roundTrip(ctx context.Context, question inference.Frame, longest int) (inference.Frame, error) {
	if err := ctx.Err(); err != nil {
		return inference.Frame{}, err
	}
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.conn.SetDeadline(time.Unix(1, 0)) // fails only on a closed socket
		close(interrupted)
	})
	defer func() {
		if !stop() { // ctx may have ended just behind a good answer
			<-interrupted
			_ = c.conn.SetDeadline(time.Time{})
		}
	}()
	if err := inference.WriteFrame(c.conn, question); err != nil {
		return inference.Frame{}, err
	}
	return inference.ReadFrame(c.conn, max(longest, inference.MaxFailure))
}

// explain says what a failed round trip means. The child was ended before.
func (c *child) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w; the worker was killed", deadlineError(ctx))
	case errors.Is(err, inference.ErrFrame):
		return fmt.Errorf("%w: %w", inference.ErrProtocol, err)
	}
	if !c.exited() {
		return fmt.Errorf("%w: it hangs in the kernel and cannot be killed", inference.ErrCrashed)
	}
	return fmt.Errorf("%w: %v%s", inference.ErrCrashed, c.state, c.stderr)
}

// socketpair makes the socket of a worker. The parent's end is in the runtime's
// poller, so that deadlines work; the child's end is blocking, so that a plain read
// works.
func socketpair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	parent, theirs := os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "parent")
	ours, err = net.FileConn(parent)
	if err = errors.Join(err, parent.Close()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("socketpair: %w", err), theirs.Close())
	}
	return ours, theirs, nil
}
