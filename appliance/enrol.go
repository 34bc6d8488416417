package appliance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/drivers/r503"
	"github.com/vouchbox/vouch/sensors/finger"
)

// enrolment is the one enrolment in progress.
type enrolment struct {
	hub *hub

	mu     sync.Mutex
	state  api.Enrolment
	cancel context.CancelFunc
}

func (e *enrolment) get() api.Enrolment {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

func (e *enrolment) show(s api.Enrolment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.set(s)
}

func (e *enrolment) begin(s api.Enrolment, cancel context.CancelFunc) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cancel = cancel
	e.set(s)
}

// end shows how it ended and frees the sensor in one step: who hears of the end may begin again.
func (e *enrolment) end(s api.Enrolment, free func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cancel = nil
	free()
	e.set(s)
}

// set publishes under the lock, which keeps the events in order.
func (e *enrolment) set(s api.Enrolment) {
	e.state = s
	e.hub.publish(api.Event{Kind: "enrolment", Enrolment: &s})
}

// maxName bounds a person's name, which stays on the box.
const maxName = 60 // runes

// Enrol starts to take a person's finger. It returns at once; the events tell how it goes.
func (a *Appliance) Enrol(ctx context.Context, r api.EnrolRequest) (api.Enrolment, error) {
	name := strings.TrimSpace(r.Name)
	switch n := utf8.RuneCountInString(name); {
	case n == 0 || n > maxName || !utf8.ValidString(name) || strings.ContainsAny(name, "\n\r\t\x00"):
		return api.Enrolment{}, invalid("Say who enrols: a name of 1 to %d letters on one line.", maxName)
	case !r.Consent:
		return api.Enrolment{}, invalid("Nobody is enrolled without consent. Read the text and tick the box.")
	}
	if !a.claimSensor() {
		return api.Enrolment{}, conflict("The sensor is in use. Finish or cancel that first.")
	}
	run, cancel := context.WithTimeout(a.running, time.Duration(a.cfg.Enrolment.Timeout))
	s := api.Enrolment{Active: true, Name: name, Wanted: a.cfg.Enrolment.Views, Message: "Touch the sensor with the finger you want to use."}
	a.enrolment.begin(s, cancel)
	err := a.background.start(func() {
		defer cancel()
		a.enrolment.end(a.enrol(run, s), a.releaseSensor)
	})
	if err != nil {
		cancel()
		a.enrolment.end(api.Enrolment{Name: name, Failed: true, Message: err.Error()}, a.releaseSensor)
		return api.Enrolment{}, err
	}
	return s, nil
}

// CancelEnrolment stops it; nothing of it is kept.
func (a *Appliance) CancelEnrolment(context.Context) (api.Enrolment, error) {
	a.enrolment.mu.Lock()
	if a.enrolment.cancel != nil {
		a.enrolment.cancel()
	}
	a.enrolment.mu.Unlock()
	return a.enrolment.get(), nil
}

// Enrolment tells how far it is.
func (a *Appliance) Enrolment(context.Context) (api.Enrolment, error) { return a.enrolment.get(), nil }

// enrol takes the touches and keeps the person; it returns how that ended.
func (a *Appliance) enrol(ctx context.Context, s api.Enrolment) api.Enrolment {
	a.sensor.light(ctx, r503.Breathe, r503.Blue)
	defer a.sensor.light(ctx, r503.Off, r503.Blue)
	a.sensor.hear(func(text string) {
		s.Message = text
		a.enrolment.show(s)
	})
	defer a.sensor.hear(nil)
	refs, err := a.reader.Enroll(ctx, s.Wanted, func(p finger.Progress) {
		s.Taken, s.Quality, s.Message = p.Accepted, p.Quality.Score, p.Advice()
		a.enrolment.show(s)
	})
	defer func() {
		for _, r := range refs {
			clear(r.Data)
		}
	}()
	s.Active = false
	if err != nil {
		s.Failed, s.Message = true, enrolFailure(err)
		return s
	}
	p, err := a.people.add(ctx, s.Name, consentDigest(), refs, a.now())
	if err != nil {
		s.Failed, s.Message = true, enrolFailure(err)
		return s
	}
	h := p.api()
	s.Human, s.Message = &h, s.Name+" is enrolled. The box registers the vote key on the chain."
	a.note(ctx, "human.enrolled", map[string]string{"person": h.ID, "address": h.Address, "consent": p.Consent})
	a.changed()
	return s
}

func enrolFailure(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "The enrolment was cancelled. Nothing was kept."
	case errors.Is(err, context.DeadlineExceeded):
		return "The enrolment took too long. Nothing was kept; start again when ready."
	}
	return fmt.Sprintf("The enrolment ended and nothing was kept: %s.", err)
}

// consentDigest names the version of the text that the person agreed to.
func consentDigest() string {
	d := sha256.Sum256([]byte(api.ConsentText))
	return hex.EncodeToString(d[:])
}

func invalid(format string, args ...any) error { return api.Errorf(api.CodeInvalid, format, args...) }

func conflict(format string, args ...any) error { return api.Errorf(api.CodeConflict, format, args...) }

func blocked(format string, args ...any) error { return api.Errorf(api.CodeBlocked, format, args...) }
