package inference

import (
	"fmt"
	"slices"
	"strings"
)

// LayerName names one thing that stands between a network and the box.
type LayerName string

// The layers, in the order in which they are put up.
const (
	// UserNamespace: the worker is nobody outside (user_namespaces(7)).
	UserNamespace LayerName = "user-namespace"
	// MountNamespace: its mounts are its own (mount_namespaces(7)).
	MountNamespace LayerName = "mount-namespace"
	// PIDNamespace: it sees and signals no other process (pid_namespaces(7)).
	PIDNamespace LayerName = "pid-namespace"
	// NetworkNamespace: it has no interface, not even a configured loopback.
	NetworkNamespace LayerName = "network-namespace"
	// IPCNamespace: no System V objects or POSIX queues of others.
	IPCNamespace LayerName = "ipc-namespace"
	// UTSNamespace: it cannot learn changes of, or set, the host name.
	UTSNamespace LayerName = "uts-namespace"
	// CgroupNamespace: it does not see where it sits in the cgroup tree.
	CgroupNamespace LayerName = "cgroup-namespace"
	// EmptyRoot: its root is an empty read-only tmpfs (pivot_root(2)).
	EmptyRoot LayerName = "empty-root"
	// ResourceLimits: memory, CPU time, open files, no core dump, no file writes
	// (getrlimit(2)).
	ResourceLimits LayerName = "resource-limits"
	// NoNewPrivileges: no exec can raise privilege (PR_SET_NO_NEW_PRIVS).
	NoNewPrivileges LayerName = "no-new-privileges"
	// NoCapabilities: every capability set is empty (capabilities(7)).
	NoCapabilities LayerName = "no-capabilities"
	// Landlock: no path can be opened, no TCP port bound or connected
	// (landlock(7)).
	Landlock LayerName = "landlock"
	// Seccomp: a short list of system calls; none opens, connects, forks or
	// executes (seccomp(2)).
	Seccomp LayerName = "seccomp"
)

// Layers lists every layer, in order.
func Layers() []LayerName {
	return []LayerName{UserNamespace, MountNamespace, PIDNamespace, NetworkNamespace, IPCNamespace, UTSNamespace,
		CgroupNamespace, EmptyRoot, ResourceLimits, NoNewPrivileges, NoCapabilities, Landlock, Seccomp}
}

// Layer is one layer as it stands around a running worker.
type Layer struct {
	Name   LayerName `json:"name"`
	Active bool      `json:"active"`
	// Detail says what was seen, or why the layer is missing.
	Detail string `json:"detail,omitempty"`
}

// Confinement is the state of all layers, in the order of Layers.
type Confinement []Layer

// Missing lists the layers that are not active. One that is not in c is missing.
func (c Confinement) Missing() []LayerName {
	var missing []LayerName
	for _, name := range Layers() {
		if !slices.ContainsFunc(c, func(l Layer) bool { return l.Name == name && l.Active }) {
			missing = append(missing, name)
		}
	}
	return missing
}

// Complete checks that every layer is active. Errors: ErrConfinement with each
// missing layer and its reason.
func (c Confinement) Complete() error {
	missing := c.Missing()
	if len(missing) == 0 {
		return nil
	}
	reasons := make([]string, 0, len(missing))
	for _, name := range missing {
		reason := "not reported"
		if i := slices.IndexFunc(c, func(l Layer) bool { return l.Name == name }); i >= 0 && c[i].Detail != "" {
			reason = c[i].Detail
		}
		reasons = append(reasons, fmt.Sprintf("%s (%s)", name, reason))
	}
	return fmt.Errorf("%w: missing %s", ErrConfinement, strings.Join(reasons, ", "))
}

func (c Confinement) String() string {
	var b strings.Builder
	for i, l := range c {
		if i > 0 {
			b.WriteString(", ")
		}
		if !l.Active {
			b.WriteString("NO ")
		}
		b.WriteString(string(l.Name))
	}
	return b.String()
}
