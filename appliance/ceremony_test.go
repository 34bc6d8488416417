package appliance

import (
	"strings"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/config"
	"github.com/vouchbox/vouch/sensors/synth"
)

// What a human answers is held against what was shown, before the sensor is armed.
func TestAnswersThatAreNotTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.open(nil)
	_, err := w.client.Answer(w.ctx(), 1, api.Answer{Decision: "approve", Digest: strings.Repeat("0", 64)})
	refused(t, "nobody is enrolled", err, api.CodeBlocked, "nobody is enrolled")
	w.enrol()
	nft := w.mint(false, judged, machine(ruleInLedger))
	id := w.submit(nft, clip())
	signed := w.signatures()

	_, err = w.client.Review(w.ctx(), 99)
	refused(t, "a request that is not there", err, api.CodeNotFound, "")
	_, err = w.client.Answer(w.ctx(), id, api.Answer{Decision: "approve", Digest: strings.Repeat("0", 64)})
	refused(t, "another digest", err, api.CodeConflict, "changed")
	r, err := w.client.Review(w.ctx(), id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.client.Answer(w.ctx(), id, approval(r))
	refused(t, "before the reading time", err, api.CodeConflict, "more to read")
	w.read(id)
	for _, c := range []struct {
		name       string
		change     func(*api.Answer)
		code, text string
	}{
		{"another digest", func(a *api.Answer) { a.Digest = strings.Repeat("0", 64) }, api.CodeConflict, "changed"},
		{"an unanswered rule", func(a *api.Answer) { a.Rules = nil }, api.CodeInvalid, judged.Id},
		{"a rule that is not kept", func(a *api.Answer) { a.Rules[judged.Id] = "no" }, api.CodeInvalid, judged.Id},
		{"a rule that the human is unsure of", func(a *api.Answer) { a.Rules[judged.Id] = "unsure" }, api.CodeInvalid, judged.Id},
		{"a reject without a reason", func(a *api.Answer) { a.Decision, a.Reason = "reject", "  " }, api.CodeInvalid, "why"},
		{"a reason too long", func(a *api.Answer) { a.Reason = strings.Repeat("x", maxReason+1) }, api.CodeInvalid, "at most"},
		{"another word", func(a *api.Answer) { a.Decision = "perhaps" }, api.CodeInvalid, "approve, reject or abstain"},
		{"a stranger's id", func(a *api.Answer) { a.Person = strings.Repeat("0", 32) }, api.CodeBlocked, "nobody"},
	} {
		a := approval(r)
		c.change(&a)
		_, err := w.client.Answer(w.ctx(), id, a)
		refused(t, c.name, err, c.code, c.text)
	}

	// A rule that the machine finds broken blocks the approval, and nothing else.
	broken := w.submit(w.mint(false, judged, machine(ruleWAV)), []byte("no clip at all"))
	_, err = w.client.Answer(w.ctx(), broken, approval(w.read(broken)))
	refused(t, "a machine rule that failed", err, api.CodeBlocked, ruleWAV)

	if c, err := w.client.Ceremony(w.ctx()); err != nil || c.Stage != api.StageIdle {
		t.Errorf("an answer that was not taken left the ceremony at %+v, %v", c, err)
	}
	w.unvoted(id)
	if n := w.signatures() - signed; n != 0 {
		t.Errorf("the TPM signed %d times for answers that were not taken", n)
	}

	// Reject and abstain reach the chain.
	a := approval(w.read(broken))
	a.Decision, a.Reason, a.Rules[judged.Id] = "reject", "That is no clip.", "no"
	w.vote(broken, a)
	w.awaitState(broken, api.StateRejected)
	entries, err := w.client.Audit(w.ctx(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	kept := false
	for _, e := range entries {
		kept = kept || e.Event == "vote.signed" && e.Fields["reason"] == a.Reason
	}
	if !kept {
		t.Error("the audit log does not keep why the human rejected")
	}
	w.vote(id, api.Answer{Decision: "abstain", Digest: r.Digest})
	if r, err = w.client.Review(w.ctx(), id); err != nil || r.Abstentions != 1 || r.Answer != "abstain" || r.State != api.StateOpen {
		t.Errorf("after an abstention: %+v, %v", r.Summary, err)
	}
	_, err = w.client.Answer(w.ctx(), id, approval(r))
	refused(t, "a second vote", err, api.CodeBlocked, "Your answer stands")
	if n := w.signatures() - signed; n != 2 {
		t.Errorf("the TPM signed %d times for two votes", n)
	}
}

// vote answers a request that was read, touches with the right finger, and waits for the proof.
func (w *world) vote(id uint64, a api.Answer) {
	w.t.Helper()
	if _, err := w.client.Answer(w.ctx(), id, a); err != nil {
		w.t.Fatal(err)
	}
	w.put(touch(ada()))
	c := w.awaitCeremony("the vote is counted", func(c api.Ceremony) bool { return c.Request == id && c.Stage.Ended() })
	if c.Stage != api.StageIncluded {
		w.t.Fatalf("the vote ended as %s: %s", c.Stage, c.Message)
	}
}

// A stranger gets so many tries, and a restart buys none. Nothing is signed.
func TestStranger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{change: func(c *config.Config) {
		c.Ceremony.Tries, c.Ceremony.CoolDown = 3, config.Duration(time.Hour)
	}})
	w.open(nil)
	w.enrol()
	id := w.submit(w.mint(false, judged), clip())
	signed, seq, sent := w.signatures(), w.auditSeq(), w.rpc.transactions()
	w.approve(id)
	w.put(touch(stranger()))
	c := w.awaitCeremony("a try is gone", func(c api.Ceremony) bool { return c.TriesLeft == 2 })
	if c.Stage != api.StageTouch || !strings.Contains(c.Message, "2 tries are left") {
		t.Errorf("after a stranger's touch: %+v", c)
	}
	w.reopen()
	w.approve(id)
	if c, err := w.client.Ceremony(w.ctx()); err != nil || c.TriesLeft != 2 {
		t.Errorf("a restart left %d tries, want 2", c.TriesLeft)
	}
	w.put(touch(stranger()))
	w.awaitCeremony("another try is gone", func(c api.Ceremony) bool { return c.TriesLeft == 1 })
	w.put(touch(stranger()))
	c = w.awaitStage(api.StageRefused)
	if c.TriesLeft != 0 || c.Again.Before(time.Now().Add(50*time.Minute)) || c.TxHash != "" {
		t.Errorf("after the last try: %+v", c)
	}
	for range 2 {
		_, err := w.client.Answer(w.ctx(), id, approval(w.read(id)))
		refused(t, "while the sensor rests", err, api.CodeConflict, "rests until "+c.Again.Format(time.TimeOnly))
		w.reopen()
		w.awaitState(id, api.StateOpen)
	}
	w.unvoted(id)
	if n := w.signatures() - signed; n != 0 {
		t.Errorf("the TPM signed %d times for a stranger", n)
	}
	if n := w.rpc.transactions() - sent; n != 0 {
		t.Errorf("%d transactions left the box for a stranger", n)
	}
	misses := 0
	for _, e := range w.events(seq) {
		if e == "vote.miss" {
			misses++
		}
	}
	if misses != 3 {
		t.Errorf("the audit log tells of %d misses, want 3: %q", misses, w.events(seq))
	}
}

// Poor touches and repeated pictures cost no try; one ceremony at a time, and it can be cancelled.
func TestCeremony(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{noNoise: true})
	w.open(nil)
	w.enrol()
	nft := w.mint(false, judged)
	id, second := w.submit(nft, clip()), w.submit(nft, clip())
	signed := w.signatures()

	w.approve(id)
	a := approval(w.read(second))
	_, err := w.client.Answer(w.ctx(), second, a)
	refused(t, "a second answer", err, api.CodeConflict, "in progress")
	_, err = w.client.Enrol(w.ctx(), api.EnrolRequest{Name: "Eve", Consent: true})
	refused(t, "an enrolment during a ceremony", err, api.CodeConflict, "in use")
	if _, err := w.client.Cancel(w.ctx()); err != nil {
		t.Fatal(err)
	}
	c := w.awaitStage(api.StageCancelled)
	if c.Request != id || !strings.Contains(c.Message, "Nothing was signed") {
		t.Errorf("cancelled: %+v", c)
	}

	// Who hears of the end may begin at once.
	if _, err := w.client.Answer(w.ctx(), second, a); err != nil {
		t.Fatalf("an answer right after a cancelled one: %v", err)
	}
	if _, err := w.client.Cancel(w.ctx()); err != nil {
		t.Fatal(err)
	}
	w.awaitCeremony("the second is cancelled", func(c api.Ceremony) bool { return c.Request == second && c.Stage == api.StageCancelled })
	if _, err := w.client.Enrol(w.ctx(), api.EnrolRequest{Name: "Eve", Consent: true}); err != nil {
		t.Fatal(err)
	}
	_, err = w.client.Answer(w.ctx(), second, a)
	refused(t, "an answer during an enrolment", err, api.CodeConflict, "in use")
	if _, err := w.client.CancelEnrolment(w.ctx()); err != nil {
		t.Fatal(err)
	}
	w.await("the enrolment is cancelled", func(e api.Event) bool { return e.Enrolment != nil && e.Enrolment.Failed })

	partial := synth.R503()
	partial.Coverage = 0.06
	w.approve(id)
	w.put(ada().Impression(1, partial).Image)
	c = w.awaitCeremony("the poor touch is judged", func(c api.Ceremony) bool { return strings.Contains(c.Message, "did not cost a try") })
	if c.TriesLeft != 5 || c.Stage != api.StageTouch {
		t.Errorf("after a poor touch: %+v", c)
	}
	wrong := touch(stranger())
	w.put(wrong)
	w.awaitCeremony("a try is gone", func(c api.Ceremony) bool { return c.TriesLeft == 4 })
	w.put(wrong)
	c = w.awaitCeremony("the replay is noticed", func(c api.Ceremony) bool { return strings.Contains(c.Message, "had sent before") })
	if c.TriesLeft != 4 {
		t.Errorf("a replay left %d tries, want 4", c.TriesLeft)
	}
	if _, err := w.client.Cancel(w.ctx()); err != nil {
		t.Fatal(err)
	}
	w.awaitStage(api.StageCancelled)
	for _, id := range []uint64{id, second} {
		w.unvoted(id)
	}
	if n := w.signatures() - signed; n != 0 {
		t.Errorf("the TPM signed %d times without a match", n)
	}
	replays := 0
	for _, e := range w.events(0) {
		if e == "sensor.replay" {
			replays++
		}
	}
	if replays != 1 {
		t.Errorf("the audit log tells of %d replays, want 1", replays)
	}
}

// A ceremony to which nobody comes ends by itself.
func TestTouchTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{change: func(c *config.Config) { c.Ceremony.TouchTimeout = config.Duration(5 * time.Second) }})
	w.open(nil)
	w.enrol()
	id := w.submit(w.mint(false, judged), clip())
	signed := w.signatures()
	w.approve(id)
	c := w.awaitStage(api.StageCancelled)
	if c.Request != id || !strings.Contains(c.Message, "in time") || c.TriesLeft != 5 {
		t.Errorf("nobody came: %+v", c)
	}
	w.unvoted(id)
	if n := w.signatures() - signed; n != 0 {
		t.Errorf("the TPM signed %d times with nobody there", n)
	}
}

// A payload that travels by digest blocks the request until the right file is here.
func TestPayloadByDigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.open(nil)
	w.enrol()
	long := append(clip(), make([]byte, 200_000)...)
	id := w.submit(w.mint(false, judged), long)
	r := w.read(id)
	if r.Payload.Available || !strings.Contains(r.Blocked, "Hand over the file") {
		t.Errorf("a payload that is not here: %+v, blocked %q", r.Payload, r.Blocked)
	}
	_, err := w.client.Answer(w.ctx(), id, approval(r))
	refused(t, "without the payload", err, api.CodeBlocked, "Hand over the file")
	_, _, err = w.client.Payload(w.ctx(), id)
	refused(t, "the payload itself", err, api.CodeBlocked, "Hand over the file")

	_, err = w.client.PutPayload(w.ctx(), strings.NewReader("another file"))
	refused(t, "a file that no request names", err, api.CodeInvalid, "No open request waits for this file")
	if r = w.read(id); r.Blocked == "" {
		t.Error("a wrong file unblocked the request")
	}
	_, err = w.client.PutPayload(w.ctx(), strings.NewReader(strings.Repeat("x", maxPayload+1)))
	refused(t, "a file too large", err, api.CodeTooLarge, "")
	p, err := w.client.PutPayload(w.ctx(), strings.NewReader(string(long)))
	if err != nil || p.Digest != r.Payload.Digest {
		t.Fatalf("the right file: %+v, %v", p, err)
	}
	if r = w.read(id); r.Blocked != "" || !r.Payload.Available {
		t.Fatalf("the right file did not unblock: %q", r.Blocked)
	}
	w.vote(id, approval(r))
}
