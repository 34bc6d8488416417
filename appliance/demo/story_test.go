package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}

// The story of `make demo AUTO=1`, with the product's own programs.
func TestStory(t *testing.T) {
	cfg := testConfig(t)
	var stdout bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(binDir, "demo"), "-auto", "-bin", cfg.bin, "-dir", cfg.dir, "-models", cfg.models)
	cmd.Stdout, cmd.Stderr = &stdout, testWriter{t}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(stdout.Bytes(), []byte("\n")); n != 1 {
		t.Errorf("stdout holds %d lines, want the result alone:\n%s", n, stdout.Bytes())
	}
	// The names are a contract with whoever runs the demo unattended.
	var fields map[string]json.RawMessage
	var res result
	if err := errors.Join(json.Unmarshal(stdout.Bytes(), &fields), json.Unmarshal(stdout.Bytes(), &res)); err != nil {
		t.Fatalf("%v: %s", err, stdout.Bytes())
	}
	want := []string{"approved", "enrolled", "output", "peak_rss_mib", "receipt", "seconds", "stranger_refused", "tamper_link", "tpm_key_fixed", "tries_left", "trusted", "verify_ok"}
	if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		t.Errorf("the result has the fields %v, want %v", got, want)
	}
	if _, err := os.Stat(res.Receipt); err != nil || res.Trusted.Height != 1 || len(res.Trusted.Hash) != 64 {
		t.Errorf("receipt %q (%v), trusted block %+v", res.Receipt, err, res.Trusted)
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
	for _, name := range []string{"vouchd", "vouchnode", "vouchpanel", "vouchinfer", "swtpm", "demo"} {
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
