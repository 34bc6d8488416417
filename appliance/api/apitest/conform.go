package apitest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vouchbox/vouch/appliance/api"
)

// Conform runs the suite of the local interface. reach returns what a caller holds, given the
// scripted box behind it: the box itself, or a client of a handler that serves it.
func Conform(t *testing.T, reach func(t *testing.T, box *Box) api.Box) {
	start := func(t *testing.T) (*Box, api.Box, context.Context) {
		t.Helper()
		script := New(Household())
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		t.Cleanup(cancel)
		return script, reach(t, script), ctx
	}
	answer := func() api.Answer {
		return api.Answer{
			Decision: "approve", Digest: Household().Reviews[0].Digest,
			Rules: map[string]string{"own-voice": "yes", "no-child": "unsure"},
		}
	}

	t.Run("reads", func(t *testing.T) {
		_, box, ctx := start(t)
		want := Household()
		same(t, want.Status)(box.Status(ctx))
		same(t, want.Reviews[0])(box.Review(ctx, Open))
		same(t, want.Reviews[1])(box.Review(ctx, Final))
		same(t, want.Receipts[Final])(box.Receipt(ctx, Final))
		same(t, want.Audit[2:3])(box.Audit(ctx, 2, 1))
		same(t, want.Ceremony)(box.Ceremony(ctx))
		same(t, want.Enrolment)(box.Enrolment(ctx))
		same(t, []api.Summary{want.Reviews[0].Summary, want.Reviews[1].Summary})(box.Requests(ctx, 2))
	})

	t.Run("refusals keep their code and status", func(t *testing.T) {
		script, box, ctx := start(t)
		_, err := box.Review(ctx, 404)
		refused(t, err, api.CodeNotFound, 404)
		_, err = box.Receipt(ctx, Open)
		refused(t, err, api.CodeConflict, 409)
		_, err = box.Cancel(ctx)
		refused(t, err, api.CodeConflict, 409)
		_, err = box.Enrol(ctx, api.EnrolRequest{Name: "Bo"})
		refused(t, err, api.CodeInvalid, 422)
		_, err = box.Answer(ctx, Open, api.Answer{Decision: "maybe"})
		refused(t, err, api.CodeInvalid, 422)
		script.Update(func(s *State) { s.Payloads = nil })
		_, _, err = box.Payload(ctx, Open)
		refused(t, err, api.CodeUnready, 503)
	})

	t.Run("payload", func(t *testing.T) {
		script, box, ctx := start(t)
		want := Household().Reviews[0].Payload
		r, p, err := box.Payload(ctx, Open)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(got); hex.EncodeToString(sum[:]) != want.Digest || p != want {
			t.Fatalf("payload = %+v with digest %x, want %+v", p, sum, want)
		}
		script.Update(func(s *State) { s.Payloads = nil })
		p, err = box.PutPayload(ctx, bytes.NewReader(got))
		if err != nil || p.Digest != want.Digest || p.Size != want.Size {
			t.Fatalf("PutPayload = %+v, %v", p, err)
		}
	})

	t.Run("one answer at a time", func(t *testing.T) {
		script, box, ctx := start(t)
		_, err := box.Answer(ctx, Open, answer())
		refused(t, err, api.CodeConflict, 409) // nobody opened the review
		if _, err := box.Review(ctx, Open); err != nil {
			t.Fatal(err)
		}
		unanswered := answer()
		delete(unanswered.Rules, "no-child")
		_, err = box.Answer(ctx, Open, unanswered)
		refused(t, err, api.CodeInvalid, 422)
		c, err := box.Answer(ctx, Open, answer())
		if err != nil || c.Stage != api.StageTouch || c.Request != Open || c.TriesLeft != 5 {
			t.Fatalf("Answer = %+v, %v", c, err)
		}
		_, err = box.Answer(ctx, Open, answer())
		refused(t, err, api.CodeConflict, 409)
		if c, err = box.Cancel(ctx); err != nil || c.Stage != api.StageCancelled {
			t.Fatalf("Cancel = %+v, %v", c, err)
		}
		same(t, c)(box.Ceremony(ctx))
		if diff := cmp.Diff([]Answered{{Open, answer()}}, script.Answers()); diff != "" {
			t.Fatal(diff)
		}
	})

	t.Run("enrolment", func(t *testing.T) {
		_, box, ctx := start(t)
		e, err := box.Enrol(ctx, api.EnrolRequest{Name: "Bo", Consent: true})
		if err != nil || !e.Active || e.Name != "Bo" {
			t.Fatalf("Enrol = %+v, %v", e, err)
		}
		_, err = box.Enrol(ctx, api.EnrolRequest{Name: "Cy", Consent: true})
		refused(t, err, api.CodeConflict, 409)
		if e, err = box.CancelEnrolment(ctx); err != nil || e.Active {
			t.Fatalf("CancelEnrolment = %+v, %v", e, err)
		}
	})

	t.Run("forget", func(t *testing.T) {
		script, box, ctx := start(t)
		refused(t, box.Forget(ctx, "p404"), api.CodeNotFound, 404)
		refused(t, box.Forget(ctx, "../status"), api.CodeNotFound, 404)
		refused(t, box.Forget(ctx, ""), api.CodeNotFound, 404)
		script.Update(func(s *State) { s.Enrolment = api.Enrolment{Active: true, Name: "Bo"} })
		refused(t, box.Forget(ctx, "p1"), api.CodeConflict, 409)
		script.Update(func(s *State) { s.Enrolment = api.Enrolment{} })
		if err := box.Forget(ctx, "p1"); err != nil {
			t.Fatal(err)
		}
		if s, err := box.Status(ctx); err != nil || len(s.Humans) != 0 {
			t.Fatalf("after Forget: %+v, %v", s.Humans, err)
		}
		refused(t, box.Forget(ctx, "p1"), api.CodeNotFound, 404)
	})

	t.Run("events begin with the present and follow", func(t *testing.T) {
		script, box, ctx := start(t)
		script.Update(func(s *State) { s.Enrolment = api.Enrolment{Active: true, Name: "Bo", Taken: 1, Wanted: 8} })
		enough := errors.New("enough")
		moved := false
		err := box.Events(ctx, func(e api.Event) error {
			switch {
			case e.Kind == "enrolment" && !moved:
				moved = true
				if e.Enrolment == nil || e.Enrolment.Taken != 1 {
					t.Errorf("first enrolment event = %+v", e.Enrolment)
				}
				script.Update(func(s *State) { s.Enrolment.Taken = 2 })
			case e.Kind == "enrolment" && e.Enrolment.Taken == 2:
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) {
			t.Fatalf("Events = %v, want the caller's own error", err)
		}
	})

	t.Run("events end with their context", func(t *testing.T) {
		_, box, ctx := start(t)
		ctx, cancel := context.WithCancel(ctx)
		err := box.Events(ctx, func(api.Event) error { cancel(); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("Events = %v, want context.Canceled", err)
		}
	})
}

func same[T any](t *testing.T, want T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	}
}

func refused(t *testing.T, err error, code string, status int) {
	t.Helper()
	e, ok := errors.AsType[*api.Error](err)
	if !ok || e.Code != code || e.Status != status || e.Detail == "" {
		t.Fatalf("err = %#v, want an *api.Error %s with status %d", err, code, status)
	}
}
