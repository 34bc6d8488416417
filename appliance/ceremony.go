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
	hub *hub

	mu     sync.Mutex
	state  api.Ceremony
	busy   bool
	cancel context.CancelFunc // nil once the match was made: nothing takes a signature back
}

// claim takes the ceremony for one answer; false when another is in progress.
func (c *ceremony) claim() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	free := !c.busy
	c.busy = true
	return free
}

// free gives a claim back that came to nothing.
func (c *ceremony) free() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
}

func (c *ceremony) active() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy
}

func (c *ceremony) arm(s api.Ceremony, cancel context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = cancel
	c.set(s)
}

func (c *ceremony) show(s api.Ceremony) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(s)
}

// commit is the point of no return: either the answer was cancelled before, and it reports false, or
// nothing cancels it any more.
func (c *ceremony) commit(ctx context.Context, s api.Ceremony) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ctx.Err() != nil {
		return false
	}
	c.cancel = nil
	c.set(s)
	return true
}

// end shows how it ended and frees the ceremony in one step: who hears of the end may answer again.
func (c *ceremony) end(s api.Ceremony) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel, c.busy = nil, false
	c.set(s)
}

// set publishes under the lock, which keeps the events in order.
func (c *ceremony) set(s api.Ceremony) {
	c.state = s
	c.hub.publish(api.Event{Kind: "ceremony", Ceremony: &s})
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
	if !a.ceremony.claim() {
		return api.Ceremony{}, conflict("Another answer is in progress. Finish or cancel that first.")
	}
	s := api.Ceremony{Stage: api.StageTouch, Request: id, Decision: decision.String(), Words: r.Words, Message: fmt.Sprintf("Touch the sensor to %s.", decision)}
	if s, err = a.arm(ctx, p, d, decision, strings.TrimSpace(ans.Reason), s); err != nil {
		a.ceremony.free()
		return api.Ceremony{}, asAPI(err)
	}
	return s, nil
}

// arm begins the vote and waits for the finger in the background. The caller holds the ceremony.
func (a *Appliance) arm(ctx context.Context, p person, d dossier, decision poh.Decision, reason string, s api.Ceremony) (api.Ceremony, error) {
	if !a.claimSensor() {
		return s, conflict("The sensor is in use. Finish or cancel that first.")
	}
	intent, err := a.intend(ctx, p, d, decision, &s)
	if err != nil {
		a.releaseSensor()
		return s, err
	}
	limit := time.Duration(a.cfg.Ceremony.TouchTimeout)
	run, cancel := context.WithTimeout(a.running, limit)
	s.Deadline = a.now().Add(limit)
	a.ceremony.arm(s, cancel)
	err = a.background.start(func() {
		defer cancel()
		matched, last := a.awaitFinger(run, p, intent, s)
		a.releaseSensor()
		if matched.Matched() {
			last = a.settle(a.running, p, intent, matched, last, reason)
		}
		a.end(last, p)
	})
	if err != nil {
		cancel()
		a.releaseSensor()
		s.Stage, s.Message, s.Deadline = api.StageCancelled, err.Error(), time.Time{}
		a.ceremony.show(s)
	}
	return s, err
}

// intend checks that the sensor takes fingers now and writes down what the human wants.
func (a *Appliance) intend(ctx context.Context, p person, d dossier, decision poh.Decision, s *api.Ceremony) (prover.Intent, error) {
	left, again, err := a.tries.left(ctx, a.now())
	if err != nil {
		return prover.Intent{}, err
	}
	if left == 0 {
		return prover.Intent{}, conflict("Too many wrong fingers. The sensor rests until %s.", again.Format(time.TimeOnly))
	}
	s.TriesLeft = left
	return p.prover.Begin(ctx, d.shown, decision, p.address)
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

// maxReason bounds a human's reason, which the audit log keeps.
const maxReason = 1000 // bytes

// answersRules checks that the human answered every rule that asks for judgement, and that the
// decision does not contradict the answers.
func answersRules(decision poh.Decision, ans api.Answer, rules []api.Rule) error {
	switch reason := strings.TrimSpace(ans.Reason); {
	case decision == poh.Reject && reason == "":
		return invalid("Say why you reject; your words stay in the audit log of this box.")
	case len(reason) > maxReason:
		return invalid("Say it in %d letters at most.", maxReason)
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
	defer a.ceremony.mu.Unlock()
	if a.ceremony.cancel != nil {
		a.ceremony.cancel()
	}
	return a.ceremony.state, nil
}

// awaitFinger waits for the person's finger, as often as tries are left. It returns a matched decision,
// after which nothing cancels the answer, or how the ceremony ended without one.
func (a *Appliance) awaitFinger(ctx context.Context, p person, intent prover.Intent, s api.Ceremony) (sensors.Decision, api.Ceremony) {
	a.sensor.light(ctx, r503.Breathe, r503.Purple)
	defer a.sensor.light(a.running, r503.Off, r503.Purple)
	a.sensor.hear(func(text string) {
		s.Message = text
		a.ceremony.show(s)
	})
	defer a.sensor.hear(nil)
	for {
		d, err := a.match(ctx, p, intent)
		var poor *finger.QualityError
		switch {
		case d.Matched():
			s.Stage, s.Message, s.Deadline = api.StageSigning, "It is you. The TPM signs once.", time.Time{}
			if a.ceremony.commit(ctx, s) {
				return d, s
			}
			return sensors.Decision{}, abandoned(ctx, s)
		case err == nil:
			// Cancelling after the touch does not buy a try.
			if s, err = a.missed(ctx, p, s); err != nil || s.Stage == api.StageRefused {
				return sensors.Decision{}, failed(s, err)
			}
			a.sensor.light(ctx, r503.Flash, r503.Red)
		case ctx.Err() != nil:
			return sensors.Decision{}, abandoned(ctx, s)
		case errors.As(err, &poor):
			s.Message = poor.Quality.Reason.Advice() + " This did not cost a try."
		case errors.Is(err, finger.ErrReplay):
			a.note(ctx, "sensor.replay", map[string]string{"request": fmt.Sprint(s.Request)})
			s.Message = "The sensor sent a picture that it had sent before. Lift the finger and touch again."
		case errors.Is(err, context.DeadlineExceeded):
			continue // the reader looks up once a minute; the ceremony has its own deadline
		default:
			return sensors.Decision{}, failed(s, err)
		}
		a.ceremony.show(s)
	}
}

// missed counts a wrong finger and says what is left.
func (a *Appliance) missed(ctx context.Context, p person, s api.Ceremony) (api.Ceremony, error) {
	left, again, err := a.tries.miss(context.WithoutCancel(ctx), a.now())
	if err != nil {
		return s, err
	}
	a.note(ctx, "vote.miss", map[string]string{"request": fmt.Sprint(s.Request), "person": p.ID.String(), "tries_left": fmt.Sprint(left)})
	s.TriesLeft = left
	if left > 0 {
		s.Message = fmt.Sprintf("That was not %s's enrolled finger. Nothing was signed. %s left.", p.Name, tries(left))
		return s, nil
	}
	s.Stage, s.Again, s.Deadline = api.StageRefused, again, time.Time{}
	s.Message = fmt.Sprintf("That was not %s's finger, and no tries are left. Nothing was signed. The sensor rests until %s.", p.Name, again.Format(time.TimeOnly))
	return s, nil
}

// failed is a ceremony that an error ended before the signature; without an error it stays what it is.
func failed(s api.Ceremony, err error) api.Ceremony {
	if err != nil {
		s.Stage, s.Message, s.Deadline = api.StageFailed, "Nothing was signed. "+err.Error(), time.Time{}
	}
	return s
}

func abandoned(ctx context.Context, s api.Ceremony) api.Ceremony {
	s.Stage, s.Message, s.Deadline = api.StageCancelled, "Cancelled. Nothing was signed.", time.Time{}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.Message = "Nobody touched the sensor in time. Nothing was signed."
	}
	return s
}

func tries(n int) string {
	if n == 1 {
		return "1 try is"
	}
	return fmt.Sprintf("%d tries are", n)
}

// match compares one touch with the person's references, which leave the vault once the touch is there.
func (a *Appliance) match(ctx context.Context, p person, intent prover.Intent) (sensors.Decision, error) {
	refs := func(use func([]sensors.Template) error) error {
		return a.vault.References(ctx, p.ID, sensors.Finger, use)
	}
	return a.reader.Verify(ctx, intent.Challenge, p.ID, refs, a.now)
}

// settle releases the one signature and proves the vote on the chain; it returns how that ended.
func (a *Appliance) settle(ctx context.Context, p person, intent prover.Intent, d sensors.Decision, s api.Ceremony, reason string) api.Ceremony {
	if err := a.tries.reset(ctx); err != nil {
		return failed(s, err)
	}
	record, err := p.prover.Release(ctx, intent, d)
	if err != nil {
		s = failed(s, err)
		s.Message = "Nothing left the box. " + err.Error()
		return s
	}
	fields := map[string]string{"request": fmt.Sprint(s.Request), "person": p.ID.String(), "decision": s.Decision, "tx": record.Hash.String()}
	if reason != "" {
		fields["reason"] = reason
	}
	a.note(ctx, "vote.signed", fields)
	s.Stage, s.TxHash, s.Message = api.StageSent, record.Hash.String(), "Signed. Waiting for a block to carry it."
	a.ceremony.show(s)
	record, err = p.prover.Settle(ctx, record)
	switch {
	case err != nil && !record.State.Final():
		// The signed bytes are on disk.
		s.Stage, s.Message = api.StageFailed, "The vote is signed and kept, but not proved on the chain yet. The box keeps trying. "+err.Error()
		a.leaveOpen()
	case err != nil:
		s.Stage, s.Message = api.StageFailed, err.Error()
	case record.State != prover.Included:
		s.Stage, s.Message = api.StageFailed, fmt.Sprintf("The chain did not take the vote: it is %s (code %d).", record.State, record.Code)
	default:
		s.Stage, s.Height, s.Message = api.StageIncluded, record.Height, "The chain counted it, and this box proved that."
	}
	return s
}

// end writes down how it ended, then shows it.
func (a *Appliance) end(s api.Ceremony, p person) {
	a.note(a.running, "vote."+string(s.Stage), map[string]string{
		"request": fmt.Sprint(s.Request), "person": p.ID.String(), "decision": s.Decision, "tx": s.TxHash, "height": fmt.Sprint(s.Height),
	})
	a.ceremony.end(s)
	a.changed()
}
