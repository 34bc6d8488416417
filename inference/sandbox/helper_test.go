// As vouchinfer: the Go runtime must not keep cgroup files open inside the sandbox.
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/sandbox/confine"
	"github.com/vouchbox/vouch/inference/worker"
)

// The test binary is also the worker that the tests start: what it does is chosen by
// the pipeline of the manifest, which Setup carries. vouchinfer has none of this.
const (
	pipelineEcho       = "test/echo"
	pipelineProbe      = "test/probe"
	pipelineGarbage    = "test/garbage"
	pipelineOtherID    = "test/other-id"
	pipelineOtherKind  = "test/other-kind"
	pipelineOversized  = "test/oversized"
	pipelineLiar       = "test/liar"
	pipelineNoHello    = "test/no-hello"
	pipelineSilent     = "test/silent"
	pipelineRefuses    = "test/refuses"
	pipelineNotReady   = "test/not-ready"
	pipelineBadHello   = "test/bad-hello"
	pipelineUnconfined = "test/unconfined"
)

// Inputs with a meaning to the echo pipeline.
const (
	inputHang  = "hang"
	inputCrash = "crash"
	inputPanic = "panic"
	inputFill  = "fill memory"
	inputBig   = "big output"
)

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 1 && os.Args[0] == "vouchinfer":
		if err := helper(); err != nil {
			fmt.Fprintln(os.Stderr, "helper:", err)
			os.Exit(1)
		}
		os.Exit(0)
	case len(os.Args) == 3 && os.Args[1] == "start-and-wait":
		startAndWait(os.Args[2])
	case len(os.Args) == 3 && os.Args[1] == "without-namespaces":
		withoutNamespaces(os.Args[2])
	}
	os.Exit(m.Run())
}

func helper() error {
	conn := os.NewFile(inference.SocketFD, "socket")
	setup, err := worker.Setup(conn)
	if err != nil {
		return err
	}
	allLayers := func() (c inference.Confinement) {
		for _, name := range inference.Layers() {
			c = append(c, inference.Layer{Name: name, Active: true})
		}
		return c
	}
	switch setup.Pipeline {
	case pipelineNoHello:
		return errors.New("no hello from me")
	case pipelineSilent:
		return drain(conn)
	case pipelineRefuses:
		return worker.Refuse(conn, fmt.Errorf("%w: no such network", inference.ErrModel))
	case pipelineBadHello:
		return worker.Hello(conn, inference.Hello{Engine: "\x1b[2J", Device: "cpu/test", Layers: allLayers()})
	case pipelineUnconfined:
		if err := worker.Hello(conn, inference.Hello{Engine: "liar", Device: "cpu/test", Layers: allLayers()}); err != nil {
			return err
		}
		return worker.Ready(conn)
	}

	if err := confine.Prepare(setup.Namespaces); err != nil {
		return err
	}
	for _, fd := range []int{inference.LibraryFD, inference.NetworkFD, inference.BinaryFD} {
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	layers, err := confine.Apply(confine.Policy{Namespaces: setup.Namespaces, Memory: setup.Limits.Memory, CPUSeconds: setup.CPUSeconds,
		Keep: []int{inference.SocketFD}})
	if err != nil {
		return err
	}
	if err := worker.Hello(conn, inference.Hello{Engine: "test 1", Device: "cpu/test", Layers: layers}); err != nil {
		return err
	}
	if setup.Pipeline == pipelineNotReady {
		return worker.Refuse(conn, fmt.Errorf("%w: known answer is wrong", inference.ErrModel))
	}
	if err := worker.Ready(conn); err != nil {
		return err
	}
	switch setup.Pipeline {
	case pipelineEcho:
		return worker.Serve(context.Background(), conn, setup.Limits, session(echo), nil)
	case pipelineProbe:
		return worker.Serve(context.Background(), conn, setup.Limits, session(probe), nil)
	}
	f, err := inference.ReadFrame(conn, 1<<20)
	if err != nil {
		return err
	}
	answer := inference.Frame{Kind: inference.KindResult, ID: f.ID, Payload: []byte("{}")}
	switch setup.Pipeline {
	case pipelineGarbage:
		_, err := conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
		return errors.Join(err, drain(conn))
	case pipelineOtherID:
		answer.ID++
	case pipelineOtherKind:
		answer.Kind = inference.KindHello
	case pipelineOversized:
		answer.Payload = make([]byte, inference.DefaultOutputBytes+1)
	case pipelineLiar:
		answer.Kind, answer.Payload = inference.KindFailure, []byte{99, 'x'}
	}
	return errors.Join(inference.WriteFrame(conn, answer), drain(conn))
}

// drain waits until the parent has closed its end.
func drain(conn *os.File) error {
	for b := make([]byte, 4096); ; {
		if _, err := conn.Read(b); err != nil {
			return nil
		}
	}
}

type session func(input []byte) ([]byte, error)

func (s session) Infer(_ context.Context, input []byte) ([]byte, error) { return s(input) }

func echo(input []byte) ([]byte, error) {
	switch string(input) {
	case inputHang:
		for { // without a system call, so that only a kill ends it
			runtime.Gosched()
		}
	case inputCrash:
		var nowhere *int
		defer func() { os.Exit(41) }()
		*nowhere = 1
	case inputPanic:
		panic("out of range")
	case inputFill:
		var all [][]byte
		for range 64 {
			block := make([]byte, 64<<20)
			for i := range block {
				block[i] = 1
			}
			all = append(all, block)
		}
		return fmt.Append(nil, len(all)), nil
	case inputBig:
		return make([]byte, inference.DefaultOutputBytes+1), nil
	}
	return slices.Concat([]byte("echo "), input), nil
}

// attempt is one thing that a confined process must not be able to do.
type attempt struct {
	name string
	do   func() error
}

// attempts that succeed outside the sandbox when a process runs as any user.
func forbidden() []attempt {
	open := func(path string, flags int) func() error {
		return func() error {
			fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
			if err == nil {
				err = unix.Close(fd)
			}
			return err
		}
	}
	socket := func(family, kind int) func() error {
		return func() error {
			fd, err := unix.Socket(family, kind, 0)
			if err == nil {
				err = unix.Close(fd)
			}
			return err
		}
	}
	return []attempt{
		{"read /etc/passwd", open("/etc/passwd", unix.O_RDONLY)},
		{"list /", open("/", unix.O_RDONLY|unix.O_DIRECTORY)},
		{"read its own memory map", open("/proc/self/maps", unix.O_RDONLY)},
		{"create a file in /tmp", func() error {
			path := fmt.Sprintf("/tmp/vouch-probe-%d", os.Getpid())
			if err := open(path, unix.O_CREAT|unix.O_WRONLY)(); err != nil {
				return err
			}
			return os.Remove(path)
		}},
		{"TCP socket", socket(unix.AF_INET, unix.SOCK_STREAM)},
		{"UDP socket", socket(unix.AF_INET6, unix.SOCK_DGRAM)},
		{"unix socket", socket(unix.AF_UNIX, unix.SOCK_STREAM)},
		{"netlink socket", socket(unix.AF_NETLINK, unix.SOCK_RAW)},
		{"dial", func() error {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err == nil {
				err = l.Close()
			}
			return err
		}},
		{"fork and exec", func() error {
			p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
			if err == nil {
				_, err = p.Wait()
			}
			return err
		}},
		{"executable memory", func() error {
			b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err == nil {
				err = unix.Munmap(b)
			}
			return err
		}},
		{"memfd", func() error {
			fd, err := unix.MemfdCreate("probe", unix.MFD_CLOEXEC)
			if err == nil {
				err = unix.Close(fd)
			}
			return err
		}},
		{"raise a limit it has", func() error {
			var l unix.Rlimit
			return unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
		}},
		{"signal by pidfd", func() error {
			fd, err := unix.PidfdOpen(os.Getpid(), 0)
			if err == nil {
				err = unix.Close(fd)
			}
			return err
		}},
	}
}

// findings is what the probe reports from inside.
type findings struct {
	Succeeded   []string `json:"succeeded"`
	PID         int      `json:"pid"`
	Environment []string `json:"environment"`
	OpenFiles   []string `json:"open_files"`
}

func probe([]byte) ([]byte, error) {
	f := findings{Succeeded: []string{}, PID: os.Getpid(), Environment: os.Environ(), OpenFiles: []string{}}
	for _, a := range forbidden() {
		if err := a.do(); err == nil {
			f.Succeeded = append(f.Succeeded, a.name)
		}
	}
	for fd := range 64 {
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			continue
		}
		null := st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3)
		stderr := fd == 2 && st.Mode&unix.S_IFMT == unix.S_IFIFO
		poller := st.Mode&unix.S_IFMT == 0 // anonymous inode
		if fd != inference.SocketFD && !null && !stderr && !poller {
			f.OpenFiles = append(f.OpenFiles, fmt.Sprintf("%d: mode %o", fd, st.Mode))
		}
	}
	return json.Marshal(f)
}

// startAndWait starts a worker, prints its process id and waits to be killed.
func startAndWait(store string) {
	w, err := startIn(context.Background(), store, pipelineEcho, RequireAll)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println(w.child.pid)
	time.Sleep(time.Minute)
}

// withoutNamespaces forbids new namespaces for itself and then starts workers.
func withoutNamespaces(store string) {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	if _, err := startIn(context.Background(), store, pipelineProbe, RequireAll); !errors.Is(err, inference.ErrConfinement) {
		fmt.Println("error: started with layers missing:", err)
		os.Exit(1)
	}
	w, err := startIn(context.Background(), store, pipelineProbe, RequireAvailable)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	defer w.Close()
	r, err := w.Run(context.Background(), inference.Request{Model: w.config.Model, Input: []byte("x")})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var names []string
	for _, n := range w.Confinement().Missing() {
		names = append(names, string(n))
	}
	fmt.Println(strings.Join(names, " "))
	fmt.Println(string(r.Output))
	os.Exit(0)
}

// pdeathsig attributes for the helper processes, so that none outlives the tests.
func dieWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
