package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/sensors/synth"
)

// enrol touches until the box is content, then waits for the chain.
func (s *stage) enrol(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := s.enrolFinger(ctx); err != nil {
		return err
	}
	return s.registered(ctx)
}

func (s *stage) enrolFinger(ctx context.Context) error {
	if _, err := s.client.Enrol(ctx, api.EnrolRequest{Name: "Ada", Consent: true}); err != nil {
		return err
	}
	if err := s.enrolUntil(ctx, func(e api.Enrolment) bool { return !e.Active || e.Taken >= e.Wanted }); err != nil {
		return err
	}
	// The box now puts the references away and makes the vote key.
	return s.await(ctx, func(e api.Event) (bool, error) {
		if e.Enrolment != nil && e.Enrolment.Failed {
			return false, errors.New(e.Enrolment.Message)
		}
		return e.Enrolment != nil && !e.Enrolment.Active, nil
	})
}

// enrolUntil touches until fn is content with how far the enrolment is.
func (s *stage) enrolUntil(ctx context.Context, fn func(api.Enrolment) bool) error {
	for {
		e, err := s.client.Enrolment(ctx)
		switch {
		case err != nil:
			return err
		case e.Failed:
			return errors.New(e.Message)
		case fn(e):
			return nil
		}
		if err := s.press(ctx, s.fingers.ada, func(now api.Event) bool {
			n := now.Enrolment
			return n != nil && (n.Active != e.Active || n.Taken != e.Taken || n.Quality != e.Quality || n.Message != e.Message)
		}); err != nil {
			return err
		}
	}
}

// touchUntil touches with a finger until fn is content with the ceremony.
func (s *stage) touchUntil(ctx context.Context, finger *synth.Finger, fn func(api.Ceremony) bool) (api.Ceremony, error) {
	for {
		c, err := s.client.Ceremony(ctx)
		if err != nil || fn(c) {
			return c, err
		}
		if err := s.press(ctx, finger, func(now api.Event) bool {
			n := now.Ceremony
			return n != nil && (n.Stage != c.Stage || n.TriesLeft != c.TriesLeft || n.Message != c.Message)
		}); err != nil {
			return c, err
		}
	}
}

// heardLimit is how long the box may take to tell what it made of a touch.
const heardLimit = 5 * time.Second

// press touches once and waits until the box tells what came of it. When the box tells something else
// first, it may want no touch any more, and the finger goes. A touch that nobody read is no error: the
// box looks away for a moment, and the next one counts.
func (s *stage) press(ctx context.Context, finger *synth.Finger, told func(api.Event) bool) error {
	wait, cancel := context.WithTimeout(ctx, heardLimit)
	defer cancel()
	var heard sync.WaitGroup
	heard.Go(func() {
		defer cancel()
		_ = s.await(wait, func(e api.Event) (bool, error) { return told(e), nil })
	})
	if s.fingers.touch(wait, finger) != nil {
		cancel()
	}
	heard.Wait()
	return ctx.Err()
}

// registered waits until the chain proves the one enrolled person.
func (s *stage) registered(ctx context.Context) error {
	return s.await(ctx, func(e api.Event) (bool, error) {
		return e.Status != nil && len(e.Status.Humans) == 1 && e.Status.Humans[0].Registered, nil
	})
}

// await follows the box's events until fn is content.
func (s *stage) await(ctx context.Context, fn func(api.Event) (bool, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	found := errors.New("found")
	err := s.client.Events(ctx, func(e api.Event) error {
		ok, err := fn(e)
		if err != nil {
			return err
		}
		if ok {
			return found
		}
		return nil
	})
	if errors.Is(err, found) {
		return nil
	}
	return err
}

// ask opens a request as a person does, takes the reading time, and approves it.
func (s *stage) ask(ctx context.Context, id uint64) error {
	var r api.Review
	err := s.await(ctx, func(e api.Event) (bool, error) {
		for _, q := range e.Queue {
			if q.ID == id {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if r, err = s.client.Review(ctx, id); err != nil {
		return err
	}
	select {
	case <-time.After(time.Duration(r.ReadingSeconds)*time.Second + 200*time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	ans := api.Answer{Decision: "approve", Digest: r.Digest, Rules: make(map[string]string)}
	for _, q := range r.Rules {
		if q.Judged {
			ans.Rules[q.ID] = "yes"
		}
	}
	_, err = s.client.Answer(ctx, id, ans)
	return err
}

// answer approves a request and touches with the given finger until the ceremony has ended.
func (s *stage) answer(ctx context.Context, id uint64, finger *synth.Finger) (api.Ceremony, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	if err := s.ask(ctx, id); err != nil {
		return api.Ceremony{}, err
	}
	if _, err := s.touchUntil(ctx, finger, func(c api.Ceremony) bool { return c.Stage != api.StageTouch }); err != nil {
		return api.Ceremony{}, err
	}
	var last api.Ceremony
	err := s.await(ctx, func(e api.Event) (bool, error) {
		if e.Ceremony != nil {
			last = *e.Ceremony
		}
		return e.Ceremony != nil && last.Request == id && last.Stage.Ended(), nil
	})
	return last, err
}
