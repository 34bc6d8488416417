package sandbox

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vouchbox/vouch/inference"
)

// observe asks the kernel, not the worker, which layers stand: proc(5) shows all but
// Landlock, for which the word of our own program has to do, given before it saw the
// network.
func observe(pid int, namespaces []inference.LayerName, claimed inference.Confinement) inference.Confinement {
	threads := threadStatuses(pid)
	var layers inference.Confinement
	for _, name := range inference.Layers() {
		layer := inference.Layer{Name: name}
		if i := slices.IndexFunc(claimed, func(l inference.Layer) bool { return l.Name == name }); i >= 0 {
			layer = claimed[i]
		}
		var fact string
		var holds bool
		switch name {
		case inference.UserNamespace:
			fact, holds = ownNamespace(pid, "user")
		case inference.MountNamespace:
			fact, holds = ownNamespace(pid, "mnt")
		case inference.PIDNamespace:
			fact, holds = ownNamespace(pid, "pid")
		case inference.NetworkNamespace:
			fact, holds = ownNamespace(pid, "net")
		case inference.IPCNamespace:
			fact, holds = ownNamespace(pid, "ipc")
		case inference.UTSNamespace:
			fact, holds = ownNamespace(pid, "uts")
		case inference.CgroupNamespace:
			fact, holds = ownNamespace(pid, "cgroup")
		case inference.EmptyRoot:
			fact, holds = emptyRoot(pid)
		case inference.ResourceLimits:
			fact, holds = limited(pid)
		case inference.NoNewPrivileges:
			fact, holds = all(threads, func(s status) (string, bool) { return s.is("NoNewPrivs", "1") })
		case inference.NoCapabilities:
			fact, holds = all(threads, status.noCapabilities)
		case inference.Seccomp:
			fact, holds = all(threads, func(s status) (string, bool) { return s.is("Seccomp", "2") })
		case inference.Landlock:
			fact, holds = layer.Detail, layer.Active
		}
		if !holds && !slices.Contains(namespaces, name) && layer.Detail != "" {
			fact = layer.Detail // the worker's reason says more than its absence
		}
		layers = append(layers, inference.Layer{Name: name, Active: holds, Detail: fact})
	}
	return layers
}

func ownNamespace(pid int, kind string) (fact string, holds bool) {
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		return "cannot be observed: " + err.Error(), false
	}
	ours, err := os.Readlink("/proc/self/ns/" + kind)
	if err != nil {
		return "cannot be observed: " + err.Error(), false
	}
	if theirs == ours {
		return "shared with the daemon; the kernel refused a new one", false
	}
	return theirs, true
}

// emptyRoot holds when the process sees nothing but a read-only tmpfs and /proc.
func emptyRoot(pid int) (fact string, holds bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return "cannot be observed: " + err.Error(), false
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 2 {
		return fmt.Sprintf("%d mounts are visible, want 2", len(lines)), false
	}
	// proc_pid_mountinfo(5): id parent dev root MOUNTPOINT OPTIONS tags - TYPE source
	for _, line := range lines {
		left, right, _ := strings.Cut(line, " - ")
		fields, kind := strings.Fields(left), strings.Fields(right)
		if len(fields) < 6 || len(kind) < 1 {
			return "unreadable mount table", false
		}
		point, options := fields[4], strings.Split(fields[5], ",")
		switch {
		case point == "/" && kind[0] == "tmpfs" && slices.Contains(options, "ro"):
		case point == "/proc" && kind[0] == "proc":
		default:
			return fmt.Sprintf("unexpected mount of %s on %s", kind[0], point), false
		}
	}
	return "read-only tmpfs and its own /proc", true
}

// limited holds when the limits that end a runaway worker are finite.
func limited(pid int) (fact string, holds bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return "cannot be observed: " + err.Error(), false
	}
	for _, name := range []string{"Max cpu time", "Max data size", "Max address space", "Max core file size", "Max file size"} {
		_, line, found := strings.Cut(string(b), name)
		fields := strings.Fields(line)
		if !found || len(fields) < 2 || fields[1] == "unlimited" {
			return strings.ToLower(name) + " is unlimited", false
		}
	}
	return "CPU time, memory, address space, core and file size", true
}

// status is proc_pid_status(5).
type status map[string]string

func readStatus(path string) status {
	s := status{}
	b, err := os.ReadFile(path)
	if err != nil {
		return s // every fact is then missing
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok {
			s[key] = strings.TrimSpace(value)
		}
	}
	return s
}

// threadStatuses reads every thread: credentials and filters belong to threads, and
// one that was missed would be a hole.
func threadStatuses(pid int) []status {
	// The only error of Glob is a bad pattern.
	paths, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	var threads []status
	for _, path := range paths {
		threads = append(threads, readStatus(path))
	}
	return threads
}

// all holds when a fact holds for every thread, of which there must be one.
func all(threads []status, holds func(status) (string, bool)) (fact string, ok bool) {
	for _, s := range threads {
		if fact, ok = holds(s); !ok {
			return fact, false
		}
	}
	return fmt.Sprintf("%s, %d threads", fact, len(threads)), len(threads) > 0
}

func (s status) is(key, want string) (fact string, holds bool) {
	return fmt.Sprintf("%s: %s", key, s[key]), s[key] == want
}

func (s status) noCapabilities() (fact string, holds bool) {
	for _, key := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if v, err := strconv.ParseUint(s[key], 16, 64); err != nil || v != 0 {
			return fmt.Sprintf("%s: %s", key, s[key]), false
		}
	}
	return "every set is empty", true
}

// peakMemory is the peak resident set in bytes, or zero.
func peakMemory(pid int) int64 {
	kib, ok := strings.CutSuffix(readStatus(fmt.Sprintf("/proc/%d/status", pid))["VmHWM"], " kB")
	n, err := strconv.ParseInt(strings.TrimSpace(kib), 10, 64)
	if !ok || err != nil {
		return 0
	}
	return n << 10
}

// cpuTime is what the process has used so far, or zero if it is gone. The clock id is
// that of clock_getcpuclockid(3).
func cpuTime(pid int) time.Duration {
	const sched = 2 // CPUCLOCK_SCHED of linux/posix-timers.h: all threads, in nanoseconds
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|sched), &used); err != nil {
		return 0
	}
	return time.Duration(used.Nano())
}
