package api

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// A body decodes into an answer that Validate can judge, or is refused as an *Error.
func FuzzDecodeAnswer(f *testing.F) {
	f.Add(`{"decision":"approve","digest":"` + strings.Repeat("0f", 32) + `","rules":{"a":"yes"},"reason":""}`)
	f.Add(`{"decision":"approve","prove":true}`)
	f.Add(`{"rules":{"":"no"}} x`)
	f.Add("[")
	f.Fuzz(func(t *testing.T, s string) {
		a, err := decode[Answer](strings.NewReader(s))
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("err = %v, want an *Error", err)
			}
			return
		}
		if a.Validate() != nil {
			return
		}
		if d := a.Decision; d != "approve" && d != "reject" && d != "abstain" {
			t.Fatalf("accepted the decision %q", d)
		}
		for id, v := range a.Rules {
			if id == "" || (v != "yes" && v != "no" && v != "unsure") {
				t.Fatalf("accepted the rule %q: %q", id, v)
			}
		}
	})
}

func FuzzDecodeEnrolRequest(f *testing.F) {
	f.Add(`{"name":"Ada","consent":true}`)
	f.Add(`{"name":"","consent":true}`)
	f.Add(`{"name":"a\u0000b","consent":true}`)
	f.Fuzz(func(t *testing.T, s string) {
		r, err := decode[EnrolRequest](strings.NewReader(s))
		if err != nil || r.Validate() != nil {
			return
		}
		if !r.Consent || strings.TrimSpace(r.Name) == "" || strings.ContainsAny(r.Name, "\x00\n\r") {
			t.Fatalf("accepted %+v", r)
		}
	})
}

// A stream ends in an error, and each event was one whole JSON object.
func FuzzReadEvents(f *testing.F) {
	f.Add(": hello\n\nevent: ceremony\ndata: {\"kind\":\"ceremony\",\"ceremony\":{\"stage\":\"touch\"}}\n\n")
	f.Add("data: {\"kind\":\ndata: \"queue\"}\n\n")
	f.Add("data: {}\r\n\r\ndata")
	f.Add("\n\n\n")
	f.Fuzz(func(t *testing.T, s string) {
		events, lines := 0, 0
		err := readEvents(strings.NewReader(s), func() { lines++ }, func(Event) error { events++; return nil })
		if err == nil {
			t.Fatal("a stream that ended is not an error")
		}
		if events > lines {
			t.Fatalf("%d events in %d lines", events, lines)
		}
	})
}

func TestReadEvents(t *testing.T) {
	const stream = ": alive\n\nevent: queue\ndata: {\"kind\":\"queue\",\ndata: \"queue\":[{\"id\":7}]}\n\n"
	var got []Event
	err := readEvents(strings.NewReader(stream), func() {}, func(e Event) error { got = append(got, e); return nil })
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("err = %v", err)
	}
	if len(got) != 1 || got[0].Kind != "queue" || len(got[0].Queue) != 1 || got[0].Queue[0].ID != 7 {
		t.Errorf("events = %+v", got)
	}
}
