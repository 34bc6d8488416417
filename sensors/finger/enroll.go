package finger

import (
	"context"
	"fmt"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger/match"
	"github.com/vouchbox/vouch/sensors/finger/minutiae"
)

// The number of views that an enrolment may ask for. On a sensor of 192 x 192 pixels eight is a good number.
const (
	MinViews = 3
	MaxViews = 12
)

// Hint tells the person what to do for the next touch.
type Hint uint8

// The hints.
const (
	TouchSensor  Hint = iota // touch the sensor
	LiftAndShift             // accepted: lift, and touch again a little to the side
	SameSpot                 // accepted, but it shows little new: shift more
	OtherFinger              // not accepted: it does not look like the finger before
	BadTouch                 // not accepted: see the quality
	Finished                 // all views are there
)

var hintText = [...]string{
	TouchSensor:  "Touch the sensor.",
	LiftAndShift: "Good. Lift your finger and touch again, a little to the side.",
	SameSpot:     "Lift your finger and shift it more: this shows the same part as before.",
	OtherFinger:  "This does not look like the same finger. Use the one you began with.",
	BadTouch:     "Try again.",
	Finished:     "Done.",
}

// String returns the sentence for the person.
func (h Hint) String() string {
	if int(h) < len(hintText) {
		return hintText[h]
	}
	return hintText[BadTouch]
}

// Progress is the state of an enrolment after a touch, and before the first.
type Progress struct {
	Accepted, Wanted int // views
	Hint             Hint
	Quality          sensors.Quality // of the touch just made
}

// Advice returns the sentence for the person, the quality's own if that was the trouble.
func (p Progress) Advice() string {
	if a := p.Quality.Reason.Advice(); p.Hint == BadTouch && a != "" {
		return a
	}
	return p.Hint.String()
}

const (
	strangersAllowed = 3    // touches in a row that look like another finger
	sameOverlap      = 0.88 // share of the finger area in common with an earlier view, above which a view shows little new
)

// Enroll takes touches until it has the wanted number of views of one finger, MinViews to MaxViews, and returns their
// templates. Each view but the first must match an accepted one as in Verify, so that no other finger gets in.
// progress, if not nil, is called from this goroutine before the first touch and after each.
//
// Errors: ErrDifferentFinger, ErrGaveUp, ErrReplay, ErrSample, and those of the sensor and ctx. Nothing is kept then.
func (r *Reader) Enroll(ctx context.Context, views int, progress func(Progress)) ([]sensors.Template, error) {
	if views < MinViews || views > MaxViews {
		return nil, fmt.Errorf("enrol finger: %d views, want %d to %d", views, MinViews, MaxViews)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if progress == nil {
		progress = func(Progress) {}
	}
	progress(Progress{Wanted: views})
	e := enrolment{matcher: r.matcher}
	defer func() { forget(e.prints) }()
	for touches := 0; len(e.prints) < views; touches++ {
		if touches >= 3*views {
			return nil, fmt.Errorf("enrol finger: %d of %d views after %d touches: %w", len(e.prints), views, touches, ErrGaveUp)
		}
		set, q, err := r.touch(ctx)
		if err != nil {
			return nil, fmt.Errorf("enrol finger: %w", err)
		}
		hint, err := e.add(set, q)
		if err != nil {
			return nil, fmt.Errorf("enrol finger: %w", err)
		}
		if len(e.prints) == views {
			hint = Finished
		}
		progress(Progress{Accepted: len(e.prints), Wanted: views, Hint: hint, Quality: q})
	}
	return e.templates, nil
}

// enrolment collects the views of one finger.
type enrolment struct {
	matcher   *match.Matcher
	prints    []*match.Print
	templates []sensors.Template
	strangers int
}

// add takes a view if it is good and of the same finger.
func (e *enrolment) add(set minutiae.Set, q sensors.Quality) (Hint, error) {
	if q.Score < enrollQuality {
		return BadTouch, nil
	}
	p := match.Prepare(set)
	hint := LiftAndShift
	if len(e.prints) > 0 {
		var best match.Comparison
		for _, v := range e.prints {
			if c := e.matcher.Compare(p, v); c.Score >= best.Score {
				best = c
			}
		}
		if best.Score < match.Accept {
			if e.strangers++; e.strangers >= strangersAllowed {
				return OtherFinger, ErrDifferentFinger
			}
			return OtherFinger, nil
		}
		if best.Overlap > sameOverlap {
			hint = SameSpot
		}
	}
	e.strangers = 0
	data, err := set.Encode()
	if err != nil {
		return BadTouch, err
	}
	e.prints = append(e.prints, p)
	e.templates = append(e.templates, sensors.Template{Modality: sensors.Finger, Format: minutiae.Format, Data: data})
	return hint, nil
}
