package cli

import (
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/api/apitest"
)

func TestForget(t *testing.T) {
	t.Parallel()
	box, socket := household(t, func(s *apitest.State) {
		ada := s.Status.Humans[0]
		for _, id := range []string{"p2", "p3"} {
			s.Status.Humans = append(s.Status.Humans, api.Human{ID: id, Name: "Bo", Address: ada.Address})
		}
	})
	left := func(want int) {
		t.Helper()
		if s, err := box.Status(t.Context()); err != nil || len(s.Humans) != want {
			t.Fatalf("%d people, %v; want %d", len(s.Humans), err, want)
		}
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"Ada Marsh"}, exitUsage, "the bond stays locked"},
		{[]string{"Nobody", "--yes"}, exitNotFound, `nobody at this box has the name or id "Nobody"`},
		{[]string{"Bo", "--yes"}, exitUsage, "name one by id: p2, p3"},
		{[]string{"--yes"}, exitUsage, "forget PERSON"},
	} {
		code, out, errs := try(t, time.Now, append([]string{"human", "forget", "--socket", socket}, c.args...)...)
		if code != c.code || out != "" {
			t.Errorf("%v: code %d, stdout %q; want %d and nothing", c.args, code, out, c.code)
		}
		contains(t, errs, c.says)
		left(3)
	}

	box.Update(func(s *apitest.State) { s.Enrolment.Active = true })
	code, _, errs := try(t, time.Now, "human", "forget", "p2", "--yes", "--socket", socket)
	if code != exitNeedsHuman {
		t.Errorf("while somebody enrols: code %d", code)
	}
	contains(t, errs, "delete Bo", "the sensor is in use")
	left(3)

	box.Update(func(s *apitest.State) { s.Enrolment.Active = false })
	code, out, errs := try(t, time.Now, "human", "forget", "p2", "--yes", "--socket", socket, "-o", "json")
	if code != exitDone || errs != "" {
		t.Fatalf("code %d, stderr %q", code, errs)
	}
	contains(t, out, `{"id":"p2","address":"human1`)
	left(2)
	code, out, _ = try(t, time.Now, "human", "forget", "Ada Marsh", "--yes", "--socket", socket)
	if code != exitDone {
		t.Fatalf("code %d", code)
	}
	contains(t, out, "Ada Marsh is deleted from the box.")
	left(1)
}
