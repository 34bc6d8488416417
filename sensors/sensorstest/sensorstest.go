// Package sensorstest gives tests of other packages real decisions: a finger.Reader that looks at synthetic fingers.
// It is for tests alone; nothing here can make a Decision that a Reader did not make.
package sensorstest

import (
	"context"
	"errors"
	"image"
	"sync"
	"testing"
	"time"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger"
	"github.com/vouchbox/vouch/sensors/synth"
)

// Views is how many touches Enroll takes.
const Views = 3

var fingers = sync.OnceValue(func() [2]*synth.Finger {
	return [2]*synth.Finger{synth.NewFinger(1, synth.Whorl), synth.NewFinger(2, synth.LeftLoop)}
})

// sensor plays touches of one finger, each another one.
type sensor struct {
	finger *synth.Finger
	seed   uint64
	ready  bool
}

func (s *sensor) Scan(context.Context) (*image.Gray, error) {
	if !s.ready {
		return nil, errors.New("sensorstest: the finger has not left")
	}
	s.seed++
	s.ready = false
	return s.finger.Impression(s.seed, synth.Touch(s.seed)).Image, nil
}

func (s *sensor) WaitLift(context.Context) error {
	s.ready = true
	return nil
}

// Matched returns the decision of a Reader after the enrolled finger touched it at the given time.
func Matched(tb testing.TB, person sensors.PersonID, challenge [32]byte, at time.Time) sensors.Decision {
	tb.Helper()
	return decide(tb, 0, person, challenge, at)
}

// Stranger returns the decision of a Reader after another finger touched it.
func Stranger(tb testing.TB, person sensors.PersonID, challenge [32]byte, at time.Time) sensors.Decision {
	tb.Helper()
	return decide(tb, 1, person, challenge, at)
}

func decide(tb testing.TB, who int, person sensors.PersonID, challenge [32]byte, at time.Time) sensors.Decision {
	tb.Helper()
	s := &sensor{finger: fingers()[0]}
	r, err := finger.NewReader(s, 508)
	if err != nil {
		tb.Fatal(err)
	}
	refs, err := r.Enroll(tb.Context(), Views, nil)
	if err != nil {
		tb.Fatal(err)
	}
	s.finger = fingers()[who]
	references := func(use func([]sensors.Template) error) error { return use(refs) }
	d, err := r.Verify(tb.Context(), challenge, person, references, func() time.Time { return at })
	if err != nil {
		tb.Fatal(err)
	}
	return d
}
