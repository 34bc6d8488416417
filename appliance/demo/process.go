package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one program of the product, started as a person would start it.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string // path of what it said on stderr
	done chan struct{}

	mu   sync.Mutex
	peak map[string]int // MiB by program name, children included
}

// ready is the line that a program prints once it serves.
type ready struct {
	Ready  bool   `json:"ready"`
	RPC    string `json:"rpc"`
	URL    string `json:"url"`
	Socket string `json:"socket"`
}

const startLimit = 60 * time.Second

// launch starts a program and waits until it says that it serves.
func launch(ctx context.Context, logs, bin string, args ...string) (*process, ready, error) {
	name := filepath.Base(bin)
	path := filepath.Join(logs, name+".log")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, ready{}, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer f.Close()
	cmd := exec.Command(bin, args...)
	cmd.Stderr = f
	// The programs end with the demo, also when it is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, ready{}, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, cmd: cmd, log: path, done: make(chan struct{}), peak: make(map[string]int)}
	said, started := make(chan ready, 1), make(chan error, 1)
	go func() {
		// Pdeathsig follows the thread that forked (prctl(2)), so that thread lives as long as the program.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var r ready
			if json.Unmarshal(lines.Bytes(), &r) == nil && r.Ready {
				select {
				case said <- r:
				default:
				}
			}
		}
		_ = cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, ready{}, fmt.Errorf("start %s: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	select {
	case r := <-said:
		go p.watch()
		return p, r, nil
	case <-p.done:
		return nil, ready{}, p.ended()
	case <-ctx.Done():
		p.kill()
		return nil, ready{}, fmt.Errorf("%s did not become ready: %w: %s", name, ctx.Err(), tail(path))
	}
}

// ended says how a program ended that should run. It is for after done.
func (p *process) ended() error {
	return fmt.Errorf("%s ended by itself (%s): %s", p.name, p.cmd.ProcessState, tail(p.log))
}

// tail is the end of a log, for an error text.
func tail(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], " | ")
}

const stopLimit = 15 * time.Second

// stop asks the program to end, and ends it when it does not.
func (p *process) stop() error {
	p.sample()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopLimit):
		p.kill()
		return fmt.Errorf("%s did not end within %s and was killed", p.name, stopLimit)
	}
}

// kill ends the program at once, as a crash does: it gets no chance to tidy up.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// watch samples the peak memory of the program and its children, which may come and go.
func (p *process) watch() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		p.sample()
		select {
		case <-p.done:
			return
		case <-tick.C:
		}
	}
}

func (p *process) sample() {
	p.mu.Lock()
	defer p.mu.Unlock()
	note(p.peak, p.name, p.cmd.Process.Pid)
	for _, pid := range descendants(p.cmd.Process.Pid) {
		// The box's children are inference processes; a confined one has no name of its own.
		note(p.peak, "vouchinfer", pid)
	}
}

// descendants are the processes that a process started, and theirs (PPid, proc(5)).
func descendants(of int) []int {
	parents := make(map[int]int)
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if ppid, ok := status(pid, "PPid:"); ok {
			parents[pid] = ppid
		}
	}
	var out []int
	for pid := range parents {
		for up := parents[pid]; up != 0; up = parents[up] {
			if up == of {
				out = append(out, pid)
				break
			}
		}
	}
	return out
}

// note keeps the highest resident size of a process, in MiB (VmHWM, proc(5)).
func note(peak map[string]int, name string, pid int) {
	if kib, ok := status(pid, "VmHWM:"); ok {
		peak[name] = max(peak[name], (kib+1023)/1024)
	}
}

// status is a number of /proc/PID/status.
func status(pid int, field string) (int, bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			return n, err == nil
		}
	}
	return 0, false
}

// output runs a program to its end and returns what it printed on stdout.
func output(ctx context.Context, bin string, args ...string) ([]byte, error) {
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s %s: %w: %s", filepath.Base(bin), strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
