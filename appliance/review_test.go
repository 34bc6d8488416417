package appliance

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/inference/wav"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
)

func TestReadingSeconds(t *testing.T) {
	judge := func(n int, text string) poh.Rules {
		var r poh.Rules
		for range n {
			r.Rules = append(r.Rules, poh.Rule{Text: text, Kind: poh.Judgement})
		}
		return r
	}
	for _, c := range []struct {
		name        string
		instruction string
		rules       poh.Rules
		want        int
	}{
		{"never under three seconds", "Go.", judge(0, ""), 3},
		{"eight words a second and two for a judgement", strings.Repeat("word ", 32), judge(1, "four words in it"), 36/8 + 2},
		{"machine checks are read, not judged", strings.Repeat("word ", 40), poh.Rules{Rules: []poh.Rule{{Text: "a b c d e f g h", Kind: poh.MachineChecked}}}, 6},
		{"never over a minute", strings.Repeat("word ", 1000), judge(32, "x"), 60},
	} {
		if got := readingSeconds(c.instruction, c.rules); got != c.want {
			t.Errorf("%s: %d s, want %d", c.name, got, c.want)
		}
	}
}

func TestMachineChecks(t *testing.T) {
	clip := func(seconds, rate int) []byte { return wav.Encode(make([]int16, seconds*rate), rate) }
	for _, c := range []struct {
		rule    string
		payload []byte
		inline  bool
		want    bool
	}{
		{ruleWAV, clip(1, 16000), true, true},
		{ruleWAV, clip(1, 22050), true, false},
		{ruleWAV, []byte("RIFF"), true, false},
		{ruleTenSec, clip(9, 16000), true, true},
		{ruleTenSec, clip(10, 16000), true, false},
		{ruleInLedger, nil, true, true},
		{ruleInLedger, nil, false, false},
		{"a-rule-of-a-newer-box", clip(1, 16000), true, false},
	} {
		got, evidence := check(c.rule, dossier{payload: c.payload, request: requestv1.Request{Inline: c.inline}})
		if got != c.want || evidence == "" {
			t.Errorf("%s on %d bytes: %t (%s), want %t", c.rule, len(c.payload), got, evidence, c.want)
		}
	}
}

// A rule is never passed for want of a payload.
func TestNoPayloadPassesNoCheck(t *testing.T) {
	d := dossier{rules: poh.Rules{Rules: []poh.Rule{{ID: ruleWAV, Text: "x", Kind: poh.MachineChecked}}}}
	for _, r := range checkedRules(d) {
		if r.Passed || r.Detail == "" {
			t.Errorf("%s passed without a payload: %q", r.ID, r.Detail)
		}
	}
}

func TestAnswersRules(t *testing.T) {
	rules := []api.Rule{{ID: "a", Judged: true}, {ID: "m", Passed: true}}
	failed := []api.Rule{{ID: "a", Judged: true}, {ID: "m", Detail: "too long"}}
	say := func(a string) map[string]string { return map[string]string{"a": a} }
	for _, c := range []struct {
		name     string
		decision poh.Decision
		answer   api.Answer
		rules    []api.Rule
		code     string // of the refusal; empty when accepted
	}{
		{"approve with every rule kept", poh.Approve, api.Answer{Rules: say("yes")}, rules, ""},
		{"approve with a rule unanswered", poh.Approve, api.Answer{}, rules, api.CodeInvalid},
		{"approve with a word that is no answer", poh.Approve, api.Answer{Rules: say("maybe")}, rules, api.CodeInvalid},
		{"approve against the own answer", poh.Approve, api.Answer{Rules: say("no")}, rules, api.CodeInvalid},
		{"approve without being sure", poh.Approve, api.Answer{Rules: say("unsure")}, rules, api.CodeInvalid},
		{"approve what the machine found broken", poh.Approve, api.Answer{Rules: say("yes")}, failed, api.CodeBlocked},
		{"reject without a reason", poh.Reject, api.Answer{Rules: say("no")}, rules, api.CodeInvalid},
		{"reject with a blank reason", poh.Reject, api.Answer{Rules: say("no"), Reason: " \n"}, rules, api.CodeInvalid},
		{"reject with a reason", poh.Reject, api.Answer{Rules: say("no"), Reason: "A name is said."}, rules, ""},
		{"reject what the machine found broken", poh.Reject, api.Answer{Rules: say("yes"), Reason: "Too long."}, failed, ""},
		{"abstain costs nothing", poh.Abstain, api.Answer{}, failed, ""},
	} {
		err := answersRules(c.decision, c.answer, c.rules)
		var e *api.Error
		switch {
		case c.code == "" && err != nil:
			t.Errorf("%s: refused: %v", c.name, err)
		case c.code != "" && (!errors.As(err, &e) || e.Code != c.code):
			t.Errorf("%s: %v, want a refusal as %s", c.name, err, c.code)
		}
	}
}

func TestOpenedMarksTheFirstTime(t *testing.T) {
	o := &opened{at: make(map[poh.Digest]time.Time)}
	d, now := poh.Sum([]byte("request")), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	if _, err := o.since(d, now); !errors.Is(err, errUnread) {
		t.Fatalf("an unopened request: %v", err)
	}
	o.mark(d, now)
	o.mark(d, now.Add(time.Minute))
	if got, err := o.since(d, now.Add(2*time.Minute)); err != nil || got != 2*time.Minute {
		t.Fatalf("read for %s, %v", got, err)
	}
}
