package onnx

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/model"
	"github.com/vouchbox/vouch/inference/model/modeltest"
	"github.com/vouchbox/vouch/inference/vad"
	"github.com/vouchbox/vouch/inference/wav"
)

type fixture struct {
	runtime *Runtime
	network []byte
	store   *model.Store
}

// TestONNX is one test because the library can be loaded once in a process.
func TestONNX(t *testing.T) {
	store := modeltest.Store(t)
	manifest := model.SileroVAD().Manifest
	library, err := manifest.Engine.Library(runtime.GOOS + "/" + runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	libPath := modeltest.Blob(t, store, library.Digest)
	network, err := store.ReadBlob(manifest.Files[0].Digest, manifest.Files[0].Size)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("OpenIsQuiet", func(t *testing.T) { openIsQuiet(t, libPath, network) })
	r, err := Load(libPath)
	if err != nil {
		t.Fatalf("load again after closing: %v", err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	f := fixture{runtime: r, network: network, store: store}
	if got := r.Version(); got != manifest.Engine.Version {
		t.Errorf("the library says %q, the manifest %q", got, manifest.Engine.Version)
	}
	t.Run("RefusesOtherModels", f.refuses)
	t.Run("Repeats", f.repeats)
	t.Run("EqualsNode", f.equalsNode)
}

// openIsQuiet opens and closes a session and looks for the traces of the telemetry
// client in the vendor's builds: an identifier in the home directory and a log.
func openIsQuiet(t *testing.T, libPath string, network []byte) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, ".cache"))
	if _, err := Load(filepath.Join(home, "missing.so")); !errors.Is(err, ErrLibrary) {
		t.Errorf("a missing library: got %v, want ErrLibrary", err)
	}
	s, err := Open(libPath, network, Options{Signature: vad.Signature()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(libPath); !errors.Is(err, ErrLibrary) {
		t.Errorf("a second library: got %v, want ErrLibrary", err)
	}
	if err := s.Run(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 0 {
		t.Errorf("the engine wrote %v into the home directory (%v)", left, err)
	}
	if _, err := os.Stat(fmt.Sprintf("/tmp/mat-debug-%d.log", os.Getpid())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the engine wrote its telemetry log (%v)", err)
	}
}

func (f fixture) detector(t *testing.T) *vad.Detector {
	t.Helper()
	var d *vad.Detector
	s, err := f.runtime.Open(f.network, Options{Signature: vad.Signature(), Check: func(s *Session) (err error) {
		d, err = vad.New(s)
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (f fixture) refuses(t *testing.T) {
	refused := errors.New("known answer is wrong")
	otherName := vad.Signature()
	otherName.Inputs[0].Name = "sound"
	badShape := vad.Signature()
	badShape.Inputs[0].Shape = []int64{1, -1}
	damaged := bytes.Clone(f.network)
	for i := range 4096 {
		damaged[len(damaged)*3/4+i] ^= 0x40 // inside the weights for 16 kHz
	}
	check := func(s *Session) error { _, err := vad.New(s); return err }
	for _, c := range []struct {
		name    string
		network []byte
		options Options
		want    error
	}{
		{"nothing", nil, Options{Signature: vad.Signature()}, inference.ErrModel},
		{"not a model", []byte("not a model"), Options{Signature: vad.Signature()}, inference.ErrModel},
		{"half a model", f.network[:len(f.network)/2], Options{Signature: vad.Signature()}, inference.ErrModel},
		{"another input", f.network, Options{Signature: otherName, Check: check}, inference.ErrModel},
		{"an open shape", f.network, Options{Signature: badShape}, inference.ErrModel},
		{"a check that fails", f.network, Options{Signature: vad.Signature(), Check: func(*Session) error { return refused }}, refused},
		{"a few weights changed", damaged, Options{Signature: vad.Signature(), Check: check}, inference.ErrModel},
	} {
		s, err := f.runtime.Open(c.network, c.options)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if err == nil {
			s.Close()
		}
	}
}

func (f fixture) repeats(t *testing.T) {
	samples := modeltest.Noise(8 * vad.Rate)
	first, second := f.detector(t), f.detector(t)
	want, err := first.Probabilities(t.Context(), samples)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range []*vad.Detector{first, second, first} {
		got, err := d.Probabilities(t.Context(), samples)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("run %d differs in its bits: %v", i, err)
		}
	}
}

// equalsNode compares with the same library driven by other people's code: Node's
// binding, and a script that frames the clip by itself.
func (f fixture) equalsNode(t *testing.T) {
	clip := modeltest.Speech(t, "Proof of human means that a living person said yes.")
	samples, err := wav.Parse(clip, vad.Rate, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.detector(t).Probabilities(t.Context(), samples)
	if err != nil {
		t.Fatal(err)
	}
	want := node(t, f.store, clip)
	if len(got) != len(want) || len(got) < 60 {
		t.Fatalf("%d frames, the oracle has %d", len(got), len(want))
	}
	worst := 0.0
	for i := range got {
		worst = max(worst, math.Abs(float64(got[i])-want[i]))
	}
	t.Logf("%d frames, largest difference %.3g", len(got), worst)
	if worst > 1e-5 {
		t.Errorf("probabilities differ by %v, at most 1e-5 is allowed", worst)
	}
}

func node(t *testing.T, store *model.Store, clip []byte) []float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	version := model.SileroVAD().Manifest.Engine.Version
	prefix := filepath.Join(modeltest.Root(t), ".cache", "oracle", "onnxruntime-node-"+version)
	if _, err := os.Stat(filepath.Join(prefix, "node_modules", "onnxruntime-node", "package.json")); err != nil {
		// The install script would download a GPU provider, which is not needed.
		out, err := exec.CommandContext(ctx, "npm", "install", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund",
			"--prefix", prefix, "onnxruntime-node@"+version).CombinedOutput()
		if err != nil {
			t.Fatalf("npm install onnxruntime-node (apt install nodejs npm): %v: %s", err, out)
		}
	}
	clipPath := filepath.Join(t.TempDir(), "clip.wav")
	if err := os.WriteFile(clipPath, clip, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", filepath.Join("testdata", "oracle.js"),
		modeltest.Blob(t, store, model.SileroVAD().Manifest.Files[0].Digest), clipPath)
	cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(prefix, "node_modules"), "ORT_DISABLE_TELEMETRY=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node oracle: %v: %s", err, &stderr)
	}
	var probabilities []float64
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		p, err := strconv.ParseFloat(lines.Text(), 64)
		if err != nil {
			t.Fatalf("node oracle printed %q", lines.Text())
		}
		probabilities = append(probabilities, p)
	}
	return probabilities
}
