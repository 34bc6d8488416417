package main

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Only folders of earlier runs go, the oldest first, with the sockets that a killed run left; one that
// lives stays, and so does everything else.
func TestOldRunsAreRemoved(t *testing.T) {
	root := t.TempDir()
	for _, other := range []string{"notes", "20200101-000000"} {
		if err := os.Mkdir(filepath.Join(root, other), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	alive, err := newRun(root, start)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.close()
	killed, err := newRun(root, start.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.lock.Close(); err != nil {
		t.Fatal(err)
	}
	var last run
	for i := range 5 {
		if last, err = newRun(root, start.Add(time.Duration(2+i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
		if err := last.close(); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 + 1 + keptRuns + 1; len(entries) != want {
		t.Errorf("%d folders are left, want %d: %v", len(entries), want, entries)
	}
	for path, want := range map[string]bool{
		alive.home: true, alive.sockets: true, last.home: true, killed.home: false, killed.sockets: false, filepath.Join(root, "notes"): true,
	} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: kept is %v, want %v", path, err == nil, want)
		}
	}
}

func TestBusyPortNamesItsFlag(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, flag := range []string{"-panel", "-sensor"} {
		cfg := testConfig(t)
		if flag == "-panel" {
			cfg.panel = l.Addr().String()
		} else {
			cfg.sensor = l.Addr().String()
		}
		_, err := play(t.Context(), cfg, true, narrator{testWriter{t}})
		if err == nil || !strings.Contains(err.Error(), flag+" ") || !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("with a busy port the demo said %v, want the flag %s", err, flag)
		}
	}
}

// What the demo needs and does not find is named before anything starts.
func TestMissingPartsAreNamed(t *testing.T) {
	for verb, change := range map[string]func(*config){
		"make build": func(c *config) { c.bin = t.TempDir() },
		"make tools": func(c *config) { c.models = filepath.Join(c.dir, "none") },
	} {
		cfg := testConfig(t)
		change(&cfg)
		if _, err := play(t.Context(), cfg, true, narrator{testWriter{t}}); err == nil || !strings.Contains(err.Error(), verb) {
			t.Errorf("the demo said %v, want a hint at `%s`", err, verb)
		}
	}
}

// A demo that is killed takes with it everything that it started.
func TestKilledDemoLeavesNothing(t *testing.T) {
	cfg := testConfig(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(binDir, "demo"),
		"-bin", cfg.bin, "-dir", cfg.dir, "-models", cfg.models, "-panel", cfg.panel, "-sensor", cfg.sensor)
	told, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said, ready := "", false
	for lines := bufio.NewScanner(told); !ready && lines.Scan(); {
		said += lines.Text() + "\n"
		ready = strings.Contains(lines.Text(), "Ctrl-C ends everything")
	}
	started := descendants(cmd.Process.Pid)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if !ready || len(started) < 4 {
		t.Fatalf("the demo started %d processes and said\n%s", len(started), said)
	}
	for _, pid := range started {
		awaitEnd(t, pid)
	}
	homes, err := filepath.Glob(filepath.Join(cfg.dir, "*"))
	if err != nil || len(homes) != 1 {
		t.Fatalf("the run's folder: %v, %v", homes, err)
	}
	if err := remove(homes[0]); err != nil {
		t.Errorf("what the killed run left cannot be removed: %v", err)
	}
}

// awaitEnd waits until a process is gone.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	limit := time.After(5 * time.Second)
	for {
		// A zombie has ended; whoever adopted it has not looked yet.
		if syscall.Kill(pid, 0) != nil || zombie(pid) {
			return
		}
		select {
		case <-limit:
			t.Fatalf("process %d lives on", pid)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func zombie(pid int) bool {
	_, mapped := status(pid, "VmRSS:")
	_, there := status(pid, "PPid:")
	return there && !mapped
}
