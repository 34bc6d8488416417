package sandbox

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/model"
)

// manifest is that of a model that is only a pipeline of the helper.
func manifest(pipeline string) model.Manifest {
	m := model.SileroVAD().Manifest
	m.Pipeline = pipeline
	digest := func(s string) inference.Digest { return inference.DigestOf([]byte(s)) }
	m.Files = []model.File{{Path: "net", Digest: digest("network"), Size: 7}}
	m.Engine.Libraries = []model.Library{{Platform: runtime.GOOS + "/" + runtime.GOARCH, Digest: digest("library"), Size: 7}}
	return m
}

func startIn(ctx context.Context, dir, pipeline string, require Require) (*Worker, error) {
	store, err := model.Open(dir)
	if err != nil {
		return nil, err
	}
	for _, blob := range []string{"network", "library"} {
		if err := store.Put(inference.DigestOf([]byte(blob)), int64(len(blob)), strings.NewReader(blob)); err != nil {
			return nil, err
		}
	}
	d, err := store.PutManifest(manifest(pipeline))
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return Start(ctx, Config{Binary: self, Store: store, Model: d, Require: require})
}

func start(t *testing.T, pipeline string) *Worker {
	t.Helper()
	w, err := startIn(t.Context(), t.TempDir(), pipeline, RequireAll)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func run(t *testing.T, w *Worker, input string, limits inference.Limits) (inference.Result, error) {
	t.Helper()
	return w.Run(t.Context(), inference.Request{Model: w.config.Model, Input: []byte(input), Limits: limits})
}

func alive(t *testing.T, w *Worker) {
	t.Helper()
	r, err := run(t, w, "hello", inference.Limits{})
	if err != nil || string(r.Output) != "echo hello" {
		t.Errorf("the next run: %q, %v", r.Output, err)
	}
}

func TestRunReportsWhatTheParentSaw(t *testing.T) {
	w := start(t, pipelineEcho)
	r, err := run(t, w, "hello", inference.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if string(r.Output) != "echo hello" || r.OutputDigest != inference.DigestOf([]byte("echo hello")) ||
		r.Runtime != inference.DigestOf([]byte("library")) || r.Device != "cpu/test" || r.Duration <= 0 {
		t.Errorf("got %+v", r)
	}
	if r.PeakMemory < 1<<20 || w.PeakMemory() < r.PeakMemory {
		t.Errorf("peak memory %d and %d bytes", r.PeakMemory, w.PeakMemory())
	}
	if err := w.Confinement().Complete(); err != nil {
		t.Error(err)
	}
}

// The same attempts are made outside and inside: what does not succeed outside would
// prove nothing inside.
func TestConfinement(t *testing.T) {
	for _, a := range forbidden() {
		if err := a.do(); err != nil {
			t.Errorf("outside the sandbox: %s: %v", a.name, err)
		}
	}
	// Somebody's descriptor that is inherited by mistake.
	passwd, err := os.Open("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	defer passwd.Close()
	leak, err := unix.FcntlInt(passwd.Fd(), unix.F_DUPFD, 40) // past those that the worker is given
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	w := start(t, pipelineProbe)
	r, err := run(t, w, "x", inference.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got findings
	if err := json.Unmarshal(r.Output, &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range got.Succeeded {
		t.Errorf("inside the sandbox a process can: %s", name)
	}
	if got.PID != 1 || len(got.Environment) != 0 || len(got.OpenFiles) != 0 {
		t.Errorf("the worker sees pid %d, environment %v, files %v", got.PID, got.Environment, got.OpenFiles)
	}
}

func TestMissingLayersAreNamed(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "sandbox.test") // readable by an ordinary user
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, b, 0o755); err != nil {
		t.Fatal(err)
	}
	// An ordinary user in a user namespace where CAP_SYS_RESOURCE lets it set the
	// number of further namespaces to none, as some distributions do.
	cmd := exec.CommandContext(ctx, program, "without-namespaces", filepath.Join(dir, "store"))
	const user = 1000
	cmd.SysProcAttr = dieWithTest()
	cmd.SysProcAttr.Cloneflags = unix.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Geteuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getegid(), Size: 1}}
	cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_RESOURCE}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	missing, output, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	const want = "user-namespace mount-namespace pid-namespace network-namespace ipc-namespace uts-namespace cgroup-namespace empty-root no-capabilities"
	if missing != want {
		t.Errorf("missing %s\nwant    %s", missing, want)
	}
	var got findings
	if err := json.Unmarshal([]byte(output), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// Landlock and seccomp alone still hold.
	if len(got.Succeeded) != 0 || len(got.Environment) != 0 {
		t.Errorf("with fewer layers a process can: %v, environment %v", got.Succeeded, got.Environment)
	}
}

// Where a container masks /proc the kernel gives no PID namespace, and only that
// layer may go.
func TestOnlyThePIDNamespaceIsGivenUp(t *testing.T) {
	w := start(t, pipelineProbe)
	w.config.Require = RequireAvailable
	c, err := w.spawn(t.Context(), attempts(RequireAvailable)[1])
	if err != nil {
		t.Fatal(err)
	}
	defer c.end()
	missing := c.layers.Missing()
	// A machine with mounts below /proc shows them in the root that is left.
	missing = slices.DeleteFunc(missing, func(n inference.LayerName) bool { return n == inference.EmptyRoot })
	if !slices.Equal(missing, []inference.LayerName{inference.PIDNamespace}) {
		t.Errorf("missing %v: %v", missing, c.layers)
	}
}

func TestALyingWorkerIsNotBelieved(t *testing.T) {
	for pipeline, want := range map[string]error{
		pipelineGarbage:   inference.ErrProtocol,
		pipelineOtherID:   inference.ErrProtocol,
		pipelineOtherKind: inference.ErrProtocol,
		pipelineOversized: inference.ErrProtocol,
		pipelineLiar:      inference.ErrProtocol,
	} {
		t.Run(pipeline, func(t *testing.T) {
			w := start(t, pipeline)
			liar := w.child
			if _, err := run(t, w, "x", inference.Limits{}); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			if !liar.exited() || w.child != nil {
				t.Error("the liar lives on")
			}
		})
	}
}

func TestStartRefuses(t *testing.T) {
	for pipeline, want := range map[string]error{
		pipelineNoHello:    inference.ErrCrashed,
		pipelineRefuses:    inference.ErrModel,
		pipelineNotReady:   inference.ErrModel,
		pipelineBadHello:   inference.ErrProtocol,
		pipelineUnconfined: inference.ErrConfinement, // it claims every layer
	} {
		if _, err := startIn(t.Context(), t.TempDir(), pipeline, RequireAll); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", pipeline, err, want)
		}
	}
	if _, err := startIn(t.Context(), t.TempDir(), pipelineNoHello, RequireAll); !strings.Contains(fmt.Sprint(err), "no hello from me") {
		t.Errorf("the worker's last words are lost: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := startIn(ctx, t.TempDir(), pipelineSilent, RequireAll); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a silent worker: got %v, want the deadline", err)
	}
}

func TestStartChecksBlobs(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w, err := startIn(t.Context(), dir, pipelineEcho, RequireAll)
	if err != nil {
		t.Fatal(err)
	}
	config := w.config
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	blob := func(text string) string {
		return filepath.Join(dir, "blobs/sha256", inference.DigestOf([]byte(text)).String())
	}
	change := func(path, text string) {
		t.Helper()
		if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"library", "network"} {
		change(blob(name), strings.ToUpper(name))
		if _, err := Start(t.Context(), config); !errors.Is(err, model.ErrDigest) {
			t.Errorf("a changed %s: got %v, want model.ErrDigest", name, err)
		}
		change(blob(name), name)
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   error
	}{
		"no such model":   {func(c *Config) { c.Model[0]++ }, model.ErrNotFound},
		"no store":        {func(c *Config) { c.Store = nil }, model.ErrNotFound},
		"no program":      {func(c *Config) { c.Binary = filepath.Join(dir, "none") }, os.ErrNotExist},
		"unusable limits": {func(c *Config) { c.Limits.Memory = 1 }, inference.ErrLimits},
		"not a program":   {func(c *Config) { c.Binary = blob("network") }, unix.ENOEXEC},
	} {
		other := config
		c.change(&other)
		if _, err := Start(t.Context(), other); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	config.Binary = self
	w, err = Start(t.Context(), config)
	if err != nil {
		t.Fatalf("restored: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestDeadlineKillsTheWorker(t *testing.T) {
	w := start(t, pipelineEcho)
	hung := w.child
	begin := time.Now()
	_, err := run(t, w, inputHang, inference.Limits{Deadline: 300 * time.Millisecond})
	if !errors.Is(err, inference.ErrDeadline) || time.Since(begin) > 5*time.Second {
		t.Errorf("got %v after %v, want ErrDeadline", err, time.Since(begin))
	}
	if !hung.exited() {
		t.Error("the process lives on")
	}
	alive(t, w)
}

func TestTheCallersEndOfInterestIsNotADeadline(t *testing.T) {
	w := start(t, pipelineEcho)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := w.Run(ctx, inference.Request{Model: w.config.Model, Input: []byte(inputHang)})
	if !errors.Is(err, context.Canceled) || errors.Is(err, inference.ErrDeadline) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	alive(t, w)
}

func TestACrashedWorkerIsReplaced(t *testing.T) {
	w := start(t, pipelineEcho)
	if _, err := run(t, w, inputCrash, inference.Limits{}); !errors.Is(err, inference.ErrCrashed) {
		t.Errorf("a crash: got %v, want ErrCrashed", err)
	}
	alive(t, w)
	if err := unix.Kill(w.child.pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-w.child.done
	alive(t, w) // killed between runs
	first := w.child
	go func() {
		_ = unix.Kill(first.pid, unix.SIGKILL)
	}()
	if _, err := run(t, w, inputHang, inference.Limits{}); !errors.Is(err, inference.ErrCrashed) {
		t.Errorf("killed in a run: got %v, want ErrCrashed", err)
	}
	alive(t, w)
}

func TestFailuresThatTheWorkerSurvives(t *testing.T) {
	w := start(t, pipelineEcho)
	same := w.child
	for _, c := range []struct {
		input  string
		limits inference.Limits
		want   error
	}{
		{inputPanic, inference.Limits{}, inference.ErrModel},
		{inputBig, inference.Limits{}, inference.ErrOutputTooLarge},
		{"hello", inference.Limits{OutputBytes: 9}, inference.ErrOutputTooLarge},
		{"hello", inference.Limits{InputBytes: 4}, inference.ErrInputTooLarge},
		{"hello", inference.Limits{Deadline: -1}, inference.ErrLimits},
	} {
		if _, err := run(t, w, c.input, c.limits); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.input, err, c.want)
		}
	}
	if _, err := w.Run(t.Context(), inference.Request{Input: []byte("hello")}); !errors.Is(err, inference.ErrWrongModel) {
		t.Errorf("another model: got %v, want ErrWrongModel", err)
	}
	alive(t, w)
	if w.child != same {
		t.Error("the worker was replaced")
	}
}

func TestAWorkerIsRetiredBeforeItsCPULimit(t *testing.T) {
	w := start(t, pipelineEcho)
	first := w.child
	alive(t, w)
	if w.child != first {
		t.Fatal("a young worker was retired")
	}
	w.cpuBudget = 1 // less than starting took
	alive(t, w)
	if w.child != nil || !first.exited() {
		t.Error("a worker past half of its CPU time is kept")
	}
	w.cpuBudget = time.Hour
	alive(t, w)
}

func TestMemoryIsBounded(t *testing.T) {
	w := start(t, pipelineEcho)
	if _, err := run(t, w, inputFill, inference.Limits{}); !errors.Is(err, inference.ErrCrashed) {
		t.Errorf("4 GiB within a limit of 1: got %v, want ErrCrashed", err)
	}
	alive(t, w)
}

func TestRunsTakeTurns(t *testing.T) {
	w := start(t, pipelineEcho)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			input := strconv.Itoa(i)
			if r, err := run(t, w, input, inference.Limits{}); err != nil || string(r.Output) != "echo "+input {
				t.Errorf("run %d: %q, %v", i, r.Output, err)
			}
		})
	}
	wg.Wait()
}

func TestAClosedWorkerSaysSo(t *testing.T) {
	w, err := startIn(t.Context(), t.TempDir(), pipelineEcho, RequireAll)
	if err != nil {
		t.Fatal(err)
	}
	last := w.child
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !last.exited() {
		t.Error("the process lives on")
	}
	if _, err := run(t, w, "hello", inference.Limits{}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want os.ErrClosed", err)
	}
}

func TestTheWorkerDiesWithItsParent(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "start-and-wait", t.TempDir())
	cmd.SysProcAttr = dieWithTest()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the helper says %q", line)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatalf("the worker does not run: %v", err)
	}
	defer unix.Close(fd)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the parent was not killed")
	}
	// A pidfd becomes readable when its process ends (pidfd_open(2)).
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
	if err != nil || n != 1 {
		t.Errorf("10 s after its parent the worker still runs (%v)", err)
	}
}

func TestGPUFillsFromSysfs(t *testing.T) {
	w := start(t, pipelineEcho)
	r, err := w.GPU(t.Context())
	if err != nil || len(r.GPUs) != 0 || r.Note == "" {
		t.Errorf("got %+v, %v; want no GPU and a note", r, err)
	}
	w.config.Sysfs = fstest.MapFS{
		"class/devfreq/gpu/device/of_node/name": {Data: []byte("ga10b\x00")},
		"class/devfreq/gpu/device/load":         {Data: []byte("500\n")},
	}
	r, err = w.GPU(t.Context())
	if err != nil || len(r.GPUs) != 1 || *r.GPUs[0].LoadPermille != 500 || !slices.Equal(r.Sources, []string{"sysfs"}) {
		t.Errorf("got %+v, %v; want the board's GPU", r, err)
	}
}

func TestLastWordsAreBounded(t *testing.T) {
	var words tail
	for range 100 {
		if _, err := words.Write(bytes.Repeat([]byte("\x1b[2J"), 100)); err != nil {
			t.Fatal(err)
		}
	}
	if s := words.String(); len(s) > 5*tailBytes || strings.Contains(s, "\x1b") {
		t.Errorf("%d characters: %.60q", len(s), s)
	}
}
