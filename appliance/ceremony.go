package appliance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/drivers/r503"
	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/prover"
)

// ceremony is the one answer in progress, from the human's decision to its proof on the chain.
type ceremony struct {
	mu     sync.Mutex
	state  api.Ceremony
	cancel context.CancelFunc // nil once the match was made: nothing takes a signature back
}

func (c *ceremony) get() api.Ceremony {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Answer checks a human's answer against what was shown and arms the sensor for it, and it alone.
func (a *Appliance) Answer(ctx context.Context, id uint64, ans api.Answer) (api.Ceremony, error) {
	decision, err := poh.ParseDecision(ans.Decision)
	if err != nil {
		return api.Ceremony{}, invalid("Answer with approve, reject or abstain.")
	}
	p, err := a.people.find(ans.Person)
	if err != nil {
		return api.Ceremony{}, blocked("%s", err)
	}
	if !p.Registered {
		return api.Ceremony{}, blocked("%s is not registered on the chain yet; the box does it by itself.", p.Name)
	}
	r, d, err := a.review(ctx, id)
	if err != nil {
		return api.Ceremony{}, asAPI(err)
	}
	if r.Blocked != "" {
		return api.Ceremony{}, blocked("%s", r.Blocked)
	}
	if ans.Digest != r.Digest {
		return api.Ceremony{}, conflict("The request changed since it was shown. Read it again.")
	}
	if err := a.wasRead(d, r); err != nil {
		return api.Ceremony{}, err
	}
	if err := answersRules(decision, ans, r.Rules); err != nil {
		return api.Ceremony{}, err
	}
	left, again, err := a.tries.left(ctx, a.now())
	if err != nil {
		return api.Ceremony{}, asAPI(err)
	}
	if left == 0 {
		return api.Ceremony{}, conflict("Too many wrong fingers. The sensor rests until %s.", again.Format(time.TimeOnly))
	}
	if !a.claimSensor() {
		return api.Ceremony{}, conflict("The sensor is in use. Finish or cancel that first.")
	}
	intent, err := p.prover.Begin(ctx, d.shown, decision, p.address)
	if err != nil {
		a.releaseSensor()
		return api.Ceremony{}, asAPI(err)
	}
	deadline := a.now().Add(time.Duration(a.cfg.Ceremony.TouchTimeout))
	run, cancel := context.WithDeadline(a.running, deadline)
	s := api.Ceremony{
		Stage: api.StageTouch, Request: id, Decision: decision.String(), Words: r.Words, TriesLeft: left,
		Message: fmt.Sprintf("Touch the sensor to %s.", decision), Deadline: deadline,
	}
	a.showCeremony(s, cancel)
	a.background.Go(func() {
		defer cancel()
		matched, ok := a.awaitFinger(run, p, intent, s)
		a.releaseSensor()
		if ok {
			a.settle(a.running, p, intent, matched)
		}
	})
	return s, nil
}

// wasRead holds the answer back until the review was on the screen for its reading time.
func (a *Appliance) wasRead(d dossier, r api.Review) error {
	read, err := a.opened.since(d.shown.Digest(), a.now())
	if err != nil {
		return conflict("Open the request and read it before you answer.")
	}
	if wait := time.Duration(r.ReadingSeconds)*time.Second - read; wait > 0 {
		return conflict("There is more to read here: answer in %d s.", int(wait.Seconds())+1)
	}
	return nil
}

// answersRules checks that the human answered every rule that asks for judgement, and that the
// decision does not contradict the answers.
func answersRules(decision poh.Decision, ans api.Answer, rules []api.Rule) error {
	if decision == poh.Reject && strings.TrimSpace(ans.Reason) == "" {
		return invalid("Say why you reject: the requester reads it.")
	}
	if decision == poh.Abstain {
		return nil
	}
	for _, r := range rules {
		said := ans.Rules[r.ID]
		switch {
		case !r.Judged && !r.Passed && decision == poh.Approve:
			return blocked("The box found that the rule %q is not kept: %s", r.ID, r.Detail)
		case !r.Judged:
		case said != "yes" && said != "no" && said != "unsure":
			return invalid("Answer the rule %q with yes, no or not sure.", r.ID)
		case said != "yes" && decision == poh.Approve:
			return invalid("You did not say that the rule %q is kept, so this cannot be an approval.", r.ID)
		}
	}
	return nil
}

// Ceremony tells where the answer in progress stands.
func (a *Appliance) Ceremony(context.Context) (api.Ceremony, error) { return a.ceremony.get(), nil }

// Cancel disarms the sensor if no match was made yet.
func (a *Appliance) Cancel(context.Context) (api.Ceremony, error) {
	a.ceremony.mu.Lock()
	if a.ceremony.cancel != nil {
		a.ceremony.cancel()
	}
	a.ceremony.mu.Unlock()
	return a.ceremony.get(), nil
}

func (a *Appliance) showCeremony(s api.Ceremony, cancel context.CancelFunc) {
	a.ceremony.mu.Lock()
	a.ceremony.state, a.ceremony.cancel = s, cancel
	a.ceremony.mu.Unlock()
	a.hub.publish(api.Event{Kind: "ceremony", Ceremony: &s})
}

func (a *Appliance) say(s api.Ceremony) {
	a.ceremony.mu.Lock()
	a.ceremony.state = s
	a.ceremony.mu.Unlock()
	a.hub.publish(api.Event{Kind: "ceremony", Ceremony: &s})
}

// awaitFinger waits for the person's finger, as often as tries are left. It returns a matched
// decision, or shows why there is none.
func (a *Appliance) awaitFinger(ctx context.Context, p person, intent prover.Intent, s api.Ceremony) (sensors.Decision, bool) {
	a.sensor.light(ctx, r503.Breathe, r503.Purple)
	defer a.sensor.light(a.running, r503.Off, r503.Purple)
	a.sensor.hear(func(text string) {
		s.Message = text
		a.say(s)
	})
	defer a.sensor.hear(nil)
	for {
		d, err := a.match(ctx, p, intent)
		if ctx.Err() != nil {
			a.end(s, p, a.abandoned(ctx))
			return sensors.Decision{}, false
		}
		var poor *finger.QualityError
		switch {
		case errors.As(err, &poor):
			s.Message = poor.Quality.Reason.Advice() + " This did not cost a try."
		case errors.Is(err, finger.ErrReplay):
			a.note(ctx, "sensor.replay", map[string]string{"request": fmt.Sprint(s.Request)})
			s.Message = "The sensor sent a picture that it had sent before. Lift the finger and touch again."
		case errors.Is(err, context.DeadlineExceeded):
			continue // the reader looks up once a minute; the ceremony has its own deadline
		case err != nil:
			a.end(s, p, api.Ceremony{Stage: api.StageFailed, Message: "Nothing was signed. " + err.Error()})
			return sensors.Decision{}, false
		case d.Matched():
			return d, true
		default:
			left, again, err := a.tries.miss(a.running, a.now())
			if err != nil {
				a.end(s, p, api.Ceremony{Stage: api.StageFailed, Message: err.Error()})
				return sensors.Decision{}, false
			}
			a.note(ctx, "vote.refused", map[string]string{"request": fmt.Sprint(s.Request), "person": p.ID.String(), "tries_left": fmt.Sprint(left)})
			s.TriesLeft = left
			if left == 0 {
				a.end(s, p, api.Ceremony{
					Stage: api.StageRefused, Again: again,
					Message: fmt.Sprintf("That was not %s's finger, and no tries are left. Nothing was signed. The sensor rests until %s.", p.Name, again.Format(time.TimeOnly)),
				})
				return sensors.Decision{}, false
			}
			s.Message = fmt.Sprintf("That was not %s's enrolled finger. Nothing was signed. %s left.", p.Name, tries(left))
			a.sensor.light(ctx, r503.Flash, r503.Red)
		}
		a.say(s)
	}
}

func tries(n int) string {
	if n == 1 {
		return "1 try is"
	}
	return fmt.Sprintf("%d tries are", n)
}

// match compares one touch with the person's references, which stay in memory no longer than that.
func (a *Appliance) match(ctx context.Context, p person, intent prover.Intent) (d sensors.Decision, err error) {
	err = a.vault.References(ctx, p.ID, sensors.Finger, func(refs []sensors.Template) error {
		d, err = a.reader.Verify(ctx, intent.Challenge, p.ID, refs, a.now)
		return err
	})
	return d, err
}

func (a *Appliance) abandoned(ctx context.Context) api.Ceremony {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return api.Ceremony{Stage: api.StageCancelled, Message: "Nobody touched the sensor in time. Nothing was signed."}
	}
	return api.Ceremony{Stage: api.StageCancelled, Message: "Cancelled. Nothing was signed."}
}

// settle releases the one signature and proves the vote on the chain.
func (a *Appliance) settle(ctx context.Context, p person, intent prover.Intent, d sensors.Decision) {
	s := a.ceremony.get()
	s.Stage, s.Message, s.Deadline = api.StageSigning, "It is you. The TPM signs once.", time.Time{}
	a.showCeremony(s, nil)
	if err := a.tries.reset(ctx); err != nil {
		a.end(s, p, api.Ceremony{Stage: api.StageFailed, Message: "Nothing was signed. " + err.Error()})
		return
	}
	record, err := p.prover.Release(ctx, intent, d)
	if err != nil {
		a.end(s, p, api.Ceremony{Stage: api.StageFailed, Message: "Nothing left the box. " + err.Error()})
		return
	}
	s.Stage, s.TxHash, s.Message = api.StageSent, record.Hash.String(), "Signed. Waiting for a block to carry it."
	a.note(ctx, "vote.signed", map[string]string{"request": fmt.Sprint(s.Request), "person": p.ID.String(), "decision": s.Decision, "tx": s.TxHash})
	a.showCeremony(s, nil)
	a.conclude(ctx, s, p, record)
}

// conclude proves what became of a signed vote.
func (a *Appliance) conclude(ctx context.Context, s api.Ceremony, p person, record prover.Record) {
	record, err := p.prover.Settle(ctx, record)
	switch {
	case err != nil:
		// The signed bytes are on disk: the box settles them again by itself.
		a.end(s, p, api.Ceremony{Stage: api.StageFailed, Message: "The vote is signed and kept, but not proved on the chain yet. The box keeps trying. " + err.Error()})
	case record.State != prover.Included:
		a.end(s, p, api.Ceremony{Stage: api.StageFailed, Message: fmt.Sprintf("The chain did not take the vote: it is %s (code %d).", record.State, record.Code)})
	default:
		a.end(s, p, api.Ceremony{Stage: api.StageIncluded, Height: record.Height, Message: fmt.Sprintf("Signed and proved in block %d.", record.Height)})
	}
}

// end shows how it ended and writes it down.
func (a *Appliance) end(s api.Ceremony, p person, how api.Ceremony) {
	s.Stage, s.Message, s.Again, s.Height, s.Deadline = how.Stage, how.Message, how.Again, how.Height, time.Time{}
	a.note(a.running, "vote."+string(s.Stage), map[string]string{
		"request": fmt.Sprint(s.Request), "person": p.ID.String(), "decision": s.Decision, "tx": s.TxHash, "height": fmt.Sprint(s.Height),
	})
	a.showCeremony(s, nil)
	a.changed(a.running)
}

// resume finishes what was begun before the last stop. What was signed is settled with the same
// bytes; what was not signed has not left the box, and needs a new touch.
func (a *Appliance) resume(ctx context.Context) error {
	for _, p := range a.people.list() {
		done, err := p.prover.Pending(ctx)
		for _, r := range done {
			a.note(ctx, "vote.resumed", map[string]string{
				"request": fmt.Sprint(r.Shown.RequestID), "person": p.ID.String(), "tx": r.Hash.String(), "state": string(r.State),
			})
		}
		if err != nil {
			return fmt.Errorf("settle the votes of %s: %w", p.Name, err)
		}
	}
	return nil
}

// pause waits, and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
