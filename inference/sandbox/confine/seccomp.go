package confine

import (
	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// filter allows what a running Go program with one native library needs to compute
// and to talk on descriptors that it already has. Everything else, opening,
// connecting, forking, executing, answers EPERM. Unlike a kill, EPERM lets the
// runtime end with a message.
func filter(deviceControl bool) error {
	return seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Flag: seccomp.FilterFlagTSync, Policy: policy(deviceControl)})
}

func policy(deviceControl bool) seccomp.Policy {
	names := []string{
		// the socket and stderr, both open already
		"read", "write", "readv", "writev", "close", "fstat", "lseek",
		// memory
		"munmap", "mremap", "madvise", "brk",
		// threads of this process and their signals
		"futex", "exit", "exit_group", "set_robust_list", "rseq", "gettid", "getpid", "tgkill", "sched_yield",
		"sched_getaffinity", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
		// time and chance
		"nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "getrandom",
		// the Go runtime's poller
		"epoll_create1", "epoll_ctl", "epoll_pwait", "eventfd2",
		// how much was used
		"getrusage",
	}
	if deviceControl {
		names = append(names, "ioctl")
	}
	return seccomp.Policy{
		DefaultAction: seccomp.ActionErrno,
		Syscalls: []seccomp.SyscallGroup{
			{Action: seccomp.ActionAllow, Names: names},
			{Action: seccomp.ActionAllow, NamesWithCondtions: []seccomp.NameWithConditions{
				// A thread, never a process.
				{Name: "clone", Conditions: seccomp.ArgumentConditions{bits(0, seccomp.BitsSet, unix.CLONE_THREAD)}},
				// Code was mapped before; from here on memory is data.
				{Name: "mmap", Conditions: seccomp.ArgumentConditions{bits(2, seccomp.BitsNotSet, unix.PROT_EXEC)}},
				{Name: "mprotect", Conditions: seccomp.ArgumentConditions{bits(2, seccomp.BitsNotSet, unix.PROT_EXEC)}},
				// Names of threads and of memory ranges, which the C library and the
				// Go runtime set.
				{Name: "prctl", Conditions: seccomp.ArgumentConditions{bits(0, seccomp.Equal, unix.PR_SET_NAME)}},
				{Name: "prctl", Conditions: seccomp.ArgumentConditions{bits(0, seccomp.Equal, unix.PR_SET_VMA)}},
			}},
			// The filter cannot look behind clone3's pointer; told that it does not
			// exist, the C library falls back to clone.
			{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS), Names: []string{"clone3"}},
		},
	}
}

func bits(argument uint32, operation seccomp.Operation, value uint64) seccomp.Condition {
	return seccomp.Condition{Argument: argument, Operation: operation, Value: value}
}
