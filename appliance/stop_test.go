package appliance

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/drivers/r503"
)

// A box that stops in the middle of a ceremony writes that down, ends all that it started and lets go of
// the sensor. This test runs alone: it looks at the goroutines of the whole process.
func TestStopLeavesNothing(t *testing.T) {
	w := newWorld(t, worldOptions{})
	lines := openLines(t, w.module.Path())
	w.open(nil)
	w.enrol()
	id := w.submit(w.mint(false, judged), clip())
	w.approve(id)
	w.put(touch(stranger()))
	w.awaitCeremony("a try is gone", func(c api.Ceremony) bool { return c.TriesLeft == 4 })
	box := w.box
	w.close()
	if left := ours(); left != "" {
		t.Errorf("goroutines of the box outlive it:\n%s", left)
	}
	if n := openLines(t, w.module.Path()) - lines; n != 0 {
		t.Errorf("the sensor's line is still open %d times", n)
	}
	if led := w.module.LED(); led.Mode != r503.Off {
		t.Errorf("the sensor still asks for a touch: %+v", led)
	}
	if strings.Contains(string(w.logs.bytes()), "ERROR") {
		t.Errorf("an orderly stop logs errors:\n%s", w.logs.tail())
	}
	_, err := box.Enrol(w.ctx(), api.EnrolRequest{Name: "Eve", Consent: true})
	refused(t, "an enrolment at a box that stopped", err, api.CodeUnready, "stopping")
	w.open(nil)
	if got := w.events(0); !slices.Contains(got, "vote.cancelled") {
		t.Errorf("the audit log does not tell of the ceremony that the stop ended: %q", got)
	}
	w.awaitState(id, api.StateOpen)
	w.unvoted(id)
}

// ours are the stacks of goroutines in the box's own packages, but for this test's.
func ours() string {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var out []string
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		for _, name := range []string{"vouch/appliance.(*", "vouch/appliance/api.", "vouch/sensors/", "vouch/drivers/r503."} {
			if strings.Contains(g, name) && !strings.Contains(g, "_test.go") {
				out = append(out, g)
				break
			}
		}
	}
	return strings.Join(out, "\n\n")
}

// openLines counts this process's open files of a path (proc(5)).
func openLines(t *testing.T, path string) int {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && to == path {
			n++
		}
	}
	return n
}
