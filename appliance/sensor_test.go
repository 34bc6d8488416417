package appliance

import (
	"strings"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/config"
	"github.com/vouchbox/vouch/drivers/drivertest"
	"github.com/vouchbox/vouch/drivers/r503"
)

// Whatever happens to the sensor while a human waits is told in a sentence, and the same ceremony goes
// on once it is over.
func TestSensorFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.open(nil)
	w.enrol()
	nft := w.mint(false, judged)
	many := func(f drivertest.Fault, n int) (out []drivertest.Fault) {
		for range n {
			out = append(out, f)
		}
		return out
	}
	for _, c := range []struct {
		name   string
		faults []drivertest.Fault
		says   string // empty: the driver gets over it alone
	}{
		{"one damaged reply", many(drivertest.Fault{Kind: drivertest.BadChecksum, On: r503.InsCapture}, 1), ""},
		{"damaged replies", many(drivertest.Fault{Kind: drivertest.BadChecksum, On: r503.InsCapture}, 3), "Check its cable"},
		{"a silent module", many(drivertest.Fault{Kind: drivertest.Timeout, On: r503.InsUploadImage}, 2), "stopped answering"},
		{"pictures cut off", many(drivertest.Fault{Kind: drivertest.CutMidImage, On: r503.InsUploadImage}, 2), "did not arrive whole"},
		{"a module that lost power", many(drivertest.Fault{Kind: drivertest.AckCode, On: r503.InsCapture, Code: r503.CodeVerify}, 2), "another device"},
	} {
		id := w.submit(nft, clip())
		w.approve(id)
		w.put(touch(stranger())) // the sensor works
		w.awaitCeremony("a try is gone", func(c api.Ceremony) bool { return c.Request == id && c.TriesLeft == 4 })
		w.module.Inject(c.faults...)
		told := make(chan string, 1)
		go func() {
			_ = w.box.Events(w.t.Context(), func(e api.Event) error {
				if e.Ceremony != nil && e.Ceremony.Request == id && c.says != "" && strings.Contains(e.Ceremony.Message, c.says) {
					select {
					case told <- e.Ceremony.Message:
					default:
					}
				}
				return nil
			})
		}()
		w.touchUntil(ada(), func(e api.Event) bool {
			return e.Ceremony != nil && e.Ceremony.Request == id && e.Ceremony.Stage != api.StageTouch
		})
		end := w.awaitCeremony("the vote is counted", func(c api.Ceremony) bool { return c.Request == id && c.Stage.Ended() })
		if end.Stage != api.StageIncluded {
			t.Errorf("%s: the ceremony ended as %s: %s", c.name, end.Stage, end.Message)
		}
		if n := w.module.Pending(); n != 0 {
			t.Errorf("%s: %d faults did not strike", c.name, n)
		}
		if c.says != "" && len(told) == 0 {
			t.Errorf("%s: the human did not hear %q", c.name, c.says)
		}
	}
}

// A sensor that is pulled out in the middle of a ceremony is named in the status; another one that is
// plugged in takes the touch.
func TestSensorUnplugged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	link := w.plug()
	w.open(nil)
	w.enrol()
	id := w.submit(w.mint(false, judged), clip())
	w.approve(id)
	if err := w.module.Close(); err != nil {
		t.Fatal(err)
	}
	w.awaitCeremony("the human hears of it", func(c api.Ceremony) bool {
		return strings.Contains(c.Message, "Plug it in") || strings.Contains(c.Message, "Check its cable")
	})
	p := w.awaitProblem("sensor.absent")
	s, err := w.client.Status(w.ctx())
	if err != nil || s.Sensor.Present || s.Sensor.Detail == "" || p.Action == "" {
		t.Errorf("without a sensor: %+v, problem %+v, %v", s.Sensor, p, err)
	}
	w.module = newModule(t, worldOptions{})
	link()
	w.awaitNoProblem("sensor.absent")
	if s, err = w.client.Status(w.ctx()); err != nil || !s.Sensor.Present || s.Sensor.Model == "" {
		t.Errorf("with a sensor again: %+v, %v", s.Sensor, err)
	}
	w.touchUntil(ada(), func(e api.Event) bool { return e.Ceremony != nil && e.Ceremony.Stage != api.StageTouch })
	w.awaitStage(api.StageIncluded)
}

// A module that wants another password is not used, and the human reads why.
func TestSensorPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{password: 7, change: func(c *config.Config) { c.Enrolment.Timeout = config.Duration(30 * time.Second) }})
	w.open(nil)
	p := w.awaitProblem("sensor.absent")
	if !strings.Contains(p.Action, "another device") {
		t.Errorf("the problem says %q", p.Action)
	}
	if _, err := w.client.Enrol(w.ctx(), api.EnrolRequest{Name: "Ada", Consent: true}); err != nil {
		t.Fatal(err)
	}
	w.await("the human reads why", func(e api.Event) bool {
		return e.Enrolment != nil && strings.Contains(e.Enrolment.Message, "another device")
	})
	if _, err := w.client.CancelEnrolment(w.ctx()); err != nil {
		t.Fatal(err)
	}
	w.await("the enrolment is cancelled", func(e api.Event) bool { return e.Enrolment != nil && e.Enrolment.Failed })
}
