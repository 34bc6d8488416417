package panel_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/api/apitest"
	"github.com/vouchbox/vouch/appliance/panel"
	"github.com/vouchbox/vouch/appliance/panel/paneltest"
)

// open serves a panel over the box.
func open(t *testing.T, box api.Box) string {
	t.Helper()
	p, err := panel.New(box, panel.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	return s.URL
}

// screen is a screen in one state.
type screen struct {
	name, path string
	state      func(*apitest.State)
}

func screens() []screen {
	return []screen{
		{"home-waiting", "/", nil},
		{"home-quiet", "/", func(s *apitest.State) { s.Reviews = s.Reviews[1:] }},
		{"home-problem", "/", func(s *apitest.State) {
			s.Reviews = nil
			s.Status.TPM = api.TPM{Manufacturer: "Infineon", Vendor: "SLB9672", Firmware: "15.24"}
			s.Status.Sensor = api.Sensor{Detail: "Nothing answers on /dev/ttyUSB0. Check its cable."}
			s.Status.Problems = []api.Problem{{
				Code: "sensor.absent", Text: "The fingerprint sensor does not answer",
				Action: "Check the cable between the sensor and the box, then wait ten seconds.", Since: apitest.Moment().Add(-time.Hour),
			}}
		}},
		{"home-first", "/", func(s *apitest.State) { s.Status.Humans, s.Reviews = nil, nil }},
		{"queue", "/requests", nil},
		{"queue-empty", "/requests", func(s *apitest.State) { s.Reviews = nil }},
		{"review", "/requests/12", nil},
		{"review-blocked", "/requests/12", func(s *apitest.State) {
			s.Reviews[0].Blocked = "The clip is not on this box, so nobody can judge it."
			s.Reviews[0].Payload.Available = false
		}},
		{"review-final", "/requests/11", nil},
		{"touch", "/touch", func(s *apitest.State) { s.Ceremony = ceremony(api.StageTouch) }},
		{"touch-sent", "/touch", func(s *apitest.State) { s.Ceremony = ceremony(api.StageSent) }},
		{"touch-signed", "/touch", func(s *apitest.State) { s.Ceremony = ceremony(api.StageIncluded) }},
		{"touch-refused", "/touch", func(s *apitest.State) { s.Ceremony = ceremony(api.StageRefused) }},
		{"touch-idle", "/touch", nil},
		{"receipt", "/requests/11/receipt", nil},
		{"people", "/people", nil},
		{"forget", "/people/p1/forget", nil},
		{"enrolment", "/people/enrolment", func(s *apitest.State) {
			s.Enrolment = api.Enrolment{Active: true, Name: "Bo Lind", Taken: 3, Wanted: 8, Quality: 74, Message: "Good. Touch again, a little to the left."}
		}},
		{"enrolment-done", "/people/enrolment", func(s *apitest.State) {
			h := s.Status.Humans[0]
			s.Enrolment = api.Enrolment{Name: h.Name, Taken: 8, Wanted: 8, Human: &h, Message: "All eight touches fit together."}
		}},
		{"log", "/log", nil},
		{"about", "/about", nil},
		{"error", "/requests/404", nil},
	}
}

func ceremony(stage api.Stage) api.Ceremony {
	c := api.Ceremony{
		Stage: stage, Request: apitest.Open, Decision: "approve", Words: [4]string{"orbit", "maple", "canyon", "lunar"}, TriesLeft: 5,
	}
	switch stage {
	case api.StageTouch:
		c.TriesLeft, c.Message, c.Deadline = 4, "That was another finger. 4 tries left.", apitest.Moment().Add(30*time.Second)
	case api.StageSent:
		c.Message, c.TxHash = "The vote was sent. The next block takes a few seconds.", "9A01"
	case api.StageIncluded:
		c.Message, c.TxHash, c.Height = "Your approval is in the chain. The box checked the proof.", "9A01C2D3E4F5061728394A5B6C7D8E9F9A01C2D3E4F5061728394A5B6C7D8E9F", 123_461
	case api.StageRefused:
		c.TriesLeft, c.Message = 0, "Five touches did not match an enrolled finger. Nothing was signed."
		c.Again = apitest.Moment().Add(time.Minute)
	}
	return c
}

func in(s screen) *apitest.Box {
	box := apitest.New(apitest.Household())
	if s.state != nil {
		box.Update(s.state)
	}
	return box
}

// Pictures of every screen for a person to look at; the browser's complaints fail the test.
func TestScreenshots(t *testing.T) {
	b := paneltest.New(t)
	b.Allow("status of 404")
	for _, s := range screens() {
		url := open(t, in(s))
		for _, v := range paneltest.Views() {
			b.Show(t, v)
			b.Open(t, url+s.path)
			b.Screenshot(t, v, s.name+"-"+v.Name)
			if paneltest.Eval[bool](t, b, "document.documentElement.scrollWidth > innerWidth") {
				t.Errorf("%s scrolls sideways at %d px", s.name, v.Width)
			}
		}
	}
}
