package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/gpu"
	"github.com/vouchbox/vouch/inference/model"
	"github.com/vouchbox/vouch/inference/model/modeltest"
	"github.com/vouchbox/vouch/inference/onnx"
	"github.com/vouchbox/vouch/inference/sandbox"
	"github.com/vouchbox/vouch/inference/vad"
	"github.com/vouchbox/vouch/inference/wav"
)

// build makes the real program.
func build(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "vouchinfer")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/vouchbox/vouch/cmd/vouchinfer").CombinedOutput()
	if err != nil {
		t.Fatalf("build vouchinfer: %v: %s", err, out)
	}
	return binary
}

func reference(t testing.TB) inference.Digest {
	t.Helper()
	d, err := model.SileroVAD().Manifest.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// start starts the real worker on the real network with every layer.
func start(t testing.TB, store *model.Store, d inference.Digest) *sandbox.Worker {
	t.Helper()
	w, err := sandbox.Start(t.Context(), sandbox.Config{Binary: build(t), Store: store, Model: d})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func ask(t testing.TB, w *sandbox.Worker, clip []byte) (inference.Result, vad.Answer) {
	t.Helper()
	r, err := w.Run(t.Context(), inference.Request{Model: reference(t), Input: clip})
	if err != nil {
		t.Fatal(err)
	}
	a, err := vad.ParseAnswer(r.Output)
	if err != nil {
		t.Fatal(err)
	}
	return r, a
}

func TestVoiceActivityInTheSandbox(t *testing.T) {
	store := modeltest.Store(t)
	w := start(t, store, reference(t))
	if err := w.Confinement().Complete(); err != nil {
		t.Error(err)
	}

	speech := modeltest.Speech(t, "The quick brown fox jumps over the lazy dog.")
	first, a := ask(t, w, speech)
	if a.SpeechMS < 1500 || a.SpeechMS > a.ClipMS || a.MaxProbabilityMilli < 900 || len(a.Segments) == 0 {
		t.Errorf("speech: %s", first.Output)
	}
	library, err := w.Manifest().Engine.Library(runtime.GOOS + "/" + runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	if first.Runtime != library.Digest || first.Device != "cpu/"+runtime.GOARCH || first.OutputDigest != inference.DigestOf(first.Output) {
		t.Errorf("result %+v", first)
	}
	for name, samples := range map[string][]int16{
		"silence": make([]int16, 3*vad.Rate), "white noise": modeltest.Noise(3 * vad.Rate),
	} {
		if r, a := ask(t, w, wav.Encode(samples, vad.Rate)); a.SpeechMS != 0 || len(a.Segments) != 0 || a.ClipMS != 3000 {
			t.Errorf("%s: %s", name, r.Output)
		}
	}
	// Bytes repeat, after other clips and in another process.
	again, _ := ask(t, w, speech)
	other, _ := ask(t, start(t, store, reference(t)), speech)
	if !bytes.Equal(again.Output, first.Output) || !bytes.Equal(other.Output, first.Output) {
		t.Errorf("outputs differ:\n%s\n%s\n%s", first.Output, again.Output, other.Output)
	}
	t.Logf("peak memory %d MiB of %d MiB allowed", w.PeakMemory()>>20, inference.DefaultMemory>>20)
}

func TestBadClipsAreTheRequestersFault(t *testing.T) {
	w := start(t, modeltest.Store(t), reference(t))
	for name, c := range map[string]struct {
		clip []byte
		want string
	}{
		"not a clip":  {[]byte("hello"), "not a WAV file"},
		"44100 Hz":    {wav.Encode(make([]int16, 100), 44100), "resample to 16 kHz"},
		"121 seconds": {wav.Encode(make([]int16, 121*vad.Rate), vad.Rate), "too long"},
	} {
		_, err := w.Run(t.Context(), inference.Request{Model: reference(t), Input: c.clip})
		if !errors.Is(err, inference.ErrInput) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want ErrInput with %q", name, err, c.want)
		}
	}
}

func TestModelsThatCannotRunAreRefused(t *testing.T) {
	real := modeltest.Store(t)
	manifest := model.SileroVAD().Manifest
	network, err := real.ReadBlob(manifest.Files[0].Digest, manifest.Files[0].Size)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(network)
	for i := range 4096 {
		damaged[len(network)*3/4+i] ^= 0x40
	}
	library, err := manifest.Engine.Library(runtime.GOOS + "/" + runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := real.ReadBlob(library.Digest, library.Size)
	if err != nil {
		t.Fatal(err)
	}
	store, err := model.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	put := func(b []byte) (inference.Digest, int64) {
		t.Helper()
		d := inference.DigestOf(b)
		if err := store.Put(d, int64(len(b)), bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		return d, int64(len(b))
	}
	put(engine)
	put(network)
	binary := build(t)
	for name, change := range map[string]func(*model.Manifest){
		"other weights":       func(m *model.Manifest) { m.Files[0].Digest, m.Files[0].Size = put(damaged) },
		"not a network":       func(m *model.Manifest) { m.Files[0].Digest, m.Files[0].Size = put([]byte("not a network")) },
		"an unknown pipeline": func(m *model.Manifest) { m.Pipeline = "llm/any" },
		"not a library": func(m *model.Manifest) {
			l := &m.Engine.Libraries[0]
			l.Platform = runtime.GOOS + "/" + runtime.GOARCH
			l.Digest, l.Size = put([]byte("not a library"))
			m.Engine.Libraries = m.Engine.Libraries[:1]
		},
	} {
		m := model.SileroVAD().Manifest
		change(&m)
		d, err := store.PutManifest(m)
		if err != nil {
			t.Fatal(err)
		}
		_, err = sandbox.Start(t.Context(), sandbox.Config{Binary: binary, Store: store, Model: d})
		if !errors.Is(err, inference.ErrModel) {
			t.Errorf("%s: got %v, want ErrModel", name, err)
		}
	}
}

func TestGPUIsAskedThroughTheWorker(t *testing.T) {
	w := start(t, modeltest.Store(t), reference(t))
	r, err := w.GPU(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/dev/nvidiactl"); err != nil && (len(r.GPUs) != 0 || r.Note != "no NVIDIA management library on this machine") {
		t.Errorf("without a GPU: %+v", r)
	}
	if _, a := ask(t, w, wav.Encode(make([]int16, vad.Rate), vad.Rate)); a.ClipMS != 1000 {
		t.Errorf("the worker does not go on after a GPU question: %+v", a)
	}
}

func TestPrintGPUIsAlwaysJSON(t *testing.T) {
	var b bytes.Buffer
	if err := PrintGPU(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	var r gpu.Report
	if err := json.Unmarshal(b.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, &b)
	}
	if len(r.GPUs) == 0 && r.Note == "" {
		t.Errorf("no GPU and no word why: %s", &b)
	}
}

// BenchmarkRun compares the whole path, daemon to confined worker and back, with the
// same session inside one process, on the same clip of 3 s. The figure to look at is
// p50-ms: means suffer from whatever else the machine does.
func BenchmarkRun(b *testing.B) {
	store := modeltest.Store(b)
	clip := wav.Encode(modeltest.Noise(3*vad.Rate), vad.Rate)
	w, d := start(b, store, reference(b)), inProcess(b, store)
	b.Run("sandboxed", func(b *testing.B) { p50(b, func() { ask(b, w, clip) }) })
	b.Run("in-process", func(b *testing.B) {
		p50(b, func() {
			if _, err := d.Infer(b.Context(), clip); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("start", func(b *testing.B) {
		binary := build(b)
		p50(b, func() {
			w, err := sandbox.Start(b.Context(), sandbox.Config{Binary: binary, Store: store, Model: reference(b)})
			if err != nil {
				b.Fatal(err)
			}
			if err := w.Close(); err != nil {
				b.Fatal(err)
			}
		})
	})
}

func p50(b *testing.B, once func()) {
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		once()
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
}

func inProcess(t testing.TB, store *model.Store) *vad.Detector {
	t.Helper()
	manifest := model.SileroVAD().Manifest
	library, err := manifest.Engine.Library(runtime.GOOS + "/" + runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	network, err := store.ReadBlob(manifest.Files[0].Digest, manifest.Files[0].Size)
	if err != nil {
		t.Fatal(err)
	}
	var d *vad.Detector
	s, err := onnx.Open(modeltest.Blob(t, store, library.Digest), network, onnx.Options{
		Signature: vad.Signature(), Check: func(s *onnx.Session) (err error) { d, err = vad.New(s); return err },
	})
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
