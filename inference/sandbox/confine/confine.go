// Package confine is the worker's own half of the sandbox: what a process does to
// itself, once it has loaded its trusted engine and before it opens a stranger's
// network. Afterwards it has a socket and its memory, and nothing else: no file, no
// network, no other process, no way to get any of them back.
//
// Layers (names in package inference) are put up in the only order that works:
// mounts need capabilities, so the root goes first; Landlock forbids mounts; the
// seccomp filter forbids everything that the others needed.
//
// Sources: pivot_root(2), capabilities(7), landlock(7), seccomp(2), getrlimit(2).
// Only the worker's composition imports it. A layer that the kernel refuses is an
// inactive Layer with the reason, never silence. Errors are inference.ErrConfinement,
// for a process left half-way, which must end.
package confine

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"

	"github.com/vouchbox/vouch/inference"
)

// Policy says what the process keeps.
type Policy struct {
	// Namespaces in which the process was started. Mounts and capabilities are
	// touched only where they are its own.
	Namespaces []inference.LayerName
	// Memory bounds private writable memory, in bytes.
	Memory int64
	// CPUSeconds bounds the CPU time of the whole process.
	CPUSeconds uint64
	// Keep are the descriptors that the process goes on using, besides the standard
	// three.
	Keep []int
	// DeviceControl keeps open NVIDIA devices and ioctl(2) on them.
	DeviceControl bool
}

const (
	// openFiles leaves room for the socket, stderr and the runtime's own poller.
	openFiles = 32
	// reserved is address space that the Go runtime and the C library reserve
	// without touching it, measured as 1.5 GiB.
	reserved = 4 << 30
)

// Prepare gives a process in its own PID and mount namespaces the /proc that belongs
// to them. It must run before anything that reads /proc, and before Apply, which
// finds the threads of the process there. Errors: inference.ErrConfinement.
func Prepare(namespaces []inference.LayerName) error {
	if !slices.Contains(namespaces, inference.MountNamespace) {
		return nil
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("%w: make mounts private: %w", inference.ErrConfinement, err)
	}
	if !slices.Contains(namespaces, inference.PIDNamespace) {
		return nil
	}
	if err := mountProc("/proc"); err != nil {
		return fmt.Errorf("%w: mount /proc of the PID namespace: %w", inference.ErrConfinement, err)
	}
	return nil
}

// Apply puts up every layer that a process can put up around itself, on all of its
// threads. It cannot be undone.
func Apply(p Policy) (inference.Confinement, error) {
	var layers inference.Confinement
	add := func(name inference.LayerName, detail string, err error) {
		if err != nil {
			detail = err.Error()
		}
		layers = append(layers, inference.Layer{Name: name, Active: err == nil, Detail: detail})
	}

	if err := closeStrays(p.Keep, p.DeviceControl); err != nil {
		return nil, fmt.Errorf("%w: descriptors: %w", inference.ErrConfinement, err)
	}
	if slices.Contains(p.Namespaces, inference.MountNamespace) {
		// A pivot that fails half-way leaves a root that nobody has looked at.
		if err := emptyRoot(slices.Contains(p.Namespaces, inference.PIDNamespace)); err != nil {
			return nil, fmt.Errorf("%w: empty root: %w", inference.ErrConfinement, err)
		}
		add(inference.EmptyRoot, "read-only tmpfs with its own /proc", nil)
	} else {
		add(inference.EmptyRoot, "", errors.New("needs a mount namespace"))
	}
	add(inference.ResourceLimits, fmt.Sprintf("memory %d MiB, CPU %d s, %d files", p.Memory>>20, p.CPUSeconds, openFiles), limit(p))
	add(inference.NoNewPrivileges, "", onAllThreads(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0))
	add(inference.NoCapabilities, "", dropCapabilities())
	abi, err := denyPaths()
	add(inference.Landlock, abi, err)
	add(inference.Seccomp, "", filter(p.DeviceControl))
	return layers, nil
}

// closeStrays puts /dev/null in the place of every descriptor that is not known:
// inherited ones, and what the engine may have opened, whose number it could still
// use. The Go runtime's own poller stays.
func closeStrays(keep []int, devices bool) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return err
		}
		if fd <= 2 || fd == int(null.Fd()) || slices.Contains(keep, fd) {
			continue
		}
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if errors.Is(err, os.ErrNotExist) {
			continue // the one that listed the directory
		}
		if err != nil {
			return err
		}
		if target == "anon_inode:[eventpoll]" || target == "anon_inode:[eventfd]" || devices && strings.HasPrefix(target, "/dev/nv") {
			continue
		}
		if err := unix.Dup3(int(null.Fd()), fd, unix.O_CLOEXEC); err != nil {
			return fmt.Errorf("descriptor %d (%s): %w", fd, target, err)
		}
	}
	return nil
}

// emptyRoot makes a tmpfs that holds nothing but /proc the root, read-only, and lets
// go of the old one. /proc stays because all-thread system calls find threads there;
// in a PID namespace of its own it shows this process only. Without one the kernel
// gives no new /proc, and the old one is kept.
func emptyRoot(ownPIDs bool) error {
	const base = "/tmp"
	if err := unix.Mount("tmpfs", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "size=64k,mode=0555"); err != nil {
		return fmt.Errorf("tmpfs on %s: %w", base, err)
	}
	if err := os.Chdir(base); err != nil {
		return err
	}
	for _, dir := range []string{"proc", "old"} {
		if err := os.Mkdir(dir, 0o555); err != nil {
			return err
		}
	}
	proc := func() error { return mountProc("proc") }
	if !ownPIDs {
		proc = func() error { return unix.Mount("/proc", "proc", "", unix.MS_BIND|unix.MS_REC, "") }
	}
	if err := proc(); err != nil {
		return fmt.Errorf("proc: %w", err)
	}
	if err := unix.PivotRoot(".", "old"); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/old", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("detach the old root: %w", err)
	}
	if err := os.Remove("/old"); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("make the root read-only: %w", err)
	}
	return nil
}

func mountProc(target string) error {
	return unix.Mount("proc", target, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

func limit(p Policy) error {
	for _, l := range []struct {
		name     string
		resource int
		value    uint64
	}{
		{"core", unix.RLIMIT_CORE, 0},
		{"fsize", unix.RLIMIT_FSIZE, 0},
		{"nofile", unix.RLIMIT_NOFILE, openFiles},
		{"cpu", unix.RLIMIT_CPU, p.CPUSeconds},
		{"data", unix.RLIMIT_DATA, uint64(p.Memory)},
		{"as", unix.RLIMIT_AS, uint64(p.Memory) + reserved},
	} {
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: l.value, Max: l.value}); err != nil {
			return fmt.Errorf("set limit %s to %d: %w", l.name, l.value, err)
		}
	}
	return nil
}

// dropCapabilities empties the bounding set and then all others. In a user namespace
// of its own a process starts with every capability over that namespace.
func dropCapabilities() error {
	var current [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &current[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	if current[0].Effective&(1<<unix.CAP_SETPCAP) != 0 {
		for c := uintptr(0); ; c++ {
			err := onAllThreads(unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, c, 0)
			if errors.Is(err, unix.EINVAL) {
				break // past the last one that this kernel knows
			}
			if err != nil {
				return fmt.Errorf("drop capability %d from the bounding set: %w", c, err)
			}
		}
	}
	var none [2]unix.CapUserData
	if err := onAllThreads(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0); err != nil {
		return fmt.Errorf("capset: %w", err)
	}
	return nil
}

// denyPaths denies every path and every TCP port, with as much as this kernel knows
// of Landlock. Nothing is allowed, so there is no rule.
func denyPaths() (abi string, err error) {
	for _, try := range []struct {
		abi    string
		config landlock.Config
	}{
		{"ABI 9", landlock.V9}, {"ABI 6", landlock.V6}, {"ABI 5", landlock.V5}, {"ABI 4", landlock.V4},
		{"ABI 3", landlock.V3}, {"ABI 2", landlock.V2}, {"ABI 1", landlock.V1},
	} {
		// Strict: a ruleset that the kernel knows only in part is refused before
		// anything is enforced, and the next older one is tried.
		if err = try.config.Restrict(); err == nil {
			return try.abi, nil
		}
	}
	return "", err
}

// onAllThreads makes one system call on every thread of the process: credentials and
// no_new_privs belong to threads, and cgo threads are out of reach of
// syscall.AllThreadsSyscall.
//
//go:uintptrescapes
func onAllThreads(call, a, b, c uintptr) error {
	if _, _, errno := psx.Syscall3(call, a, b, c); errno != 0 {
		return errno
	}
	return nil
}
