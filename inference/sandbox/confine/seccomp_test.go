package confine

import (
	"slices"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
)

func names(deviceControl bool) []string {
	var all []string
	for _, group := range policy(deviceControl).Syscalls {
		all = append(all, group.Names...)
		for _, n := range group.NamesWithCondtions {
			all = append(all, n.Name)
		}
	}
	return all
}

// A name that an architecture lacks would make the filter fail to load there.
func TestPolicyIsKnownOnBothArchitectures(t *testing.T) {
	for _, info := range []*arch.Info{arch.X86_64, arch.AARCH64} {
		for _, name := range names(true) {
			if _, ok := info.SyscallNames[name]; !ok {
				t.Errorf("%s has no system call %q", info.Name, name)
			}
		}
	}
}

func TestPolicyHasNoWayOut(t *testing.T) {
	for _, name := range []string{"open", "openat", "openat2", "socket", "socketpair", "connect", "bind", "accept4", "sendmsg",
		"recvmsg", "execve", "execveat", "fork", "vfork", "kill", "pidfd_open", "pidfd_getfd", "ptrace", "process_vm_readv",
		"mount", "umount2", "pivot_root", "unshare", "setns", "bpf", "io_uring_setup", "memfd_create", "keyctl", "prlimit64",
		"userfaultfd", "perf_event_open"} {
		if slices.Contains(names(true), name) {
			t.Errorf("%s is allowed", name)
		}
	}
	if slices.Contains(names(false), "ioctl") {
		t.Error("ioctl is allowed without a device")
	}
}
