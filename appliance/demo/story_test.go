package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the module's folder.
func root(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Clean(string(out[:len(out)-1]))
}

// build makes the product's programs as `make demo` does.
func build(t *testing.T, root string) string {
	t.Helper()
	bin := t.TempDir()
	for name, cgo := range map[string]string{"vouchd": "0", "vouchpanel": "0", "vouchnode": "0", "vouch": "0", "vouchinfer": "1"} {
		cmd := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(bin, name), "./cmd/"+name)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED="+cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	return bin
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", b)
	return len(b), nil
}

// The story of `make demo AUTO=1`, with the product's own programs.
func TestStory(t *testing.T) {
	top := root(t)
	cfg := config{
		bin: build(t, top), dir: t.TempDir(), models: filepath.Join(top, ".cache", "models"),
		panel: "127.0.0.1:0", sensor: "127.0.0.1:0",
	}
	res, err := play(t.Context(), cfg, true, narrator{testWriter{t}})
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
	t.Logf("peak memory %v MiB, %d together; seconds %v", res.PeakRSSMiB, total, res.Seconds)
}
