package main

import (
	"encoding/json"
	"testing"
)

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}

// The story of `make demo AUTO=1`, with the product's own programs.
func TestStory(t *testing.T) {
	res, err := play(t.Context(), testConfig(t), true, narrator{testWriter{t}})
	if err != nil {
		t.Fatal(err)
	}
	if !res.Enrolled || !res.Approved || !res.StrangerRefused || !res.VerifyOK || !res.TPMKeyFixed {
		t.Errorf("the story went wrong: %+v", res)
	}
	if res.TriesLeft != 4 {
		t.Errorf("%d tries are left after a stranger's touch, want 4", res.TriesLeft)
	}
	if res.TamperLink != "output" {
		t.Errorf("a changed output broke the link %q, want output", res.TamperLink)
	}
	var out struct {
		SpeechMS int `json:"speech_ms"`
		ClipMS   int `json:"clip_ms"`
	}
	if err := json.Unmarshal(res.Output, &out); err != nil {
		t.Fatalf("the model said %s: %v", res.Output, err)
	}
	if out.SpeechMS < 1000 || out.SpeechMS > out.ClipMS {
		t.Errorf("the model found %d ms of speech in a clip of %d ms that holds a spoken sentence", out.SpeechMS, out.ClipMS)
	}
	total := 0
	for _, name := range []string{"vouchd", "vouchnode", "vouchpanel", "vouchinfer", "swtpm"} {
		if res.PeakRSSMiB[name] == 0 {
			t.Errorf("the peak memory of %s was not measured", name)
		}
	}
	for _, mib := range res.PeakRSSMiB {
		total += mib
	}
	if first := res.Seconds["to_first_approval"]; first <= 0 || first >= res.Seconds["total"] {
		t.Errorf("the first approval came after %v s of %v s", first, res.Seconds["total"])
	}
	t.Logf("peak memory %v MiB, %d together; seconds %v", res.PeakRSSMiB, total, res.Seconds)
}
