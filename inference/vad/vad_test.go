package vad

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/wav"
)

// network is a stand-in that keeps what it is given and answers with run.
type network struct {
	tensors map[string][]float32
	run     func(n *network) error
	inputs  [][]float32
}

func newNetwork(run func(*network) error) *network {
	return &network{tensors: map[string][]float32{
		"input": make([]float32, 576), "state": make([]float32, 256), "stateN": make([]float32, 256), "output": make([]float32, 1),
	}, run: run}
}

func (n *network) Float32(name string) []float32 { return n.tensors[name] }

func (n *network) Run() error {
	n.inputs = append(n.inputs, append([]float32{}, n.tensors["input"]...))
	return n.run(n)
}

func detector(t *testing.T, n *network) *Detector {
	t.Helper()
	return &Detector{net: n, input: n.tensors["input"], state: n.tensors["state"], nextSt: n.tensors["stateN"], probability: n.tensors["output"]}
}

func TestFramesCarryContextAndState(t *testing.T) {
	steps := 0
	n := newNetwork(func(n *network) error {
		if want := float32(steps); n.tensors["state"][7] != want {
			t.Errorf("step %d starts with state %v, want %v", steps, n.tensors["state"][7], want)
		}
		steps++
		n.tensors["stateN"][7] = float32(steps)
		n.tensors["output"][0] = 0.25
		return nil
	})
	samples := make([]int16, 1100) // two frames and 76 samples
	for i := range samples {
		samples[i] = int16(i + 1)
	}
	d := detector(t, n)
	for range 2 { // the second clip must not see the first
		steps, n.inputs = 0, nil
		got, err := d.Probabilities(t.Context(), samples)
		if err != nil || len(got) != 3 {
			t.Fatalf("got %v, %v; want 3 frames", got, err)
		}
		if first := n.inputs[0]; first[63] != 0 || first[64] != 1.0/32768 {
			t.Errorf("the first frame does not start from silence: %v %v", first[63], first[64])
		}
		if second := n.inputs[1]; second[0] != 449.0/32768 || second[63] != 512.0/32768 || second[64] != 513.0/32768 {
			t.Errorf("the second frame's context is not the first one's tail: %v", second[:65])
		}
		if third := n.inputs[2]; third[64+75] != 1100.0/32768 || third[64+76] != 0 {
			t.Errorf("the last frame is not filled with silence: %v", third[64+70:64+80])
		}
	}
}

func TestAnswerIsCanonical(t *testing.T) {
	n := newNetwork(func(n *network) error { n.tensors["output"][0] = 0.9; return nil })
	got, err := detector(t, n).Infer(t.Context(), wav.Encode(make([]int16, 16000), Rate))
	const want = `{"model":"silero_vad_v5","speech_ms":1000,"clip_ms":1000,"segments":[{"start_ms":0,"end_ms":1000}],"max_probability_milli":900}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	a, err := ParseAnswer(got)
	if err != nil || a.SpeechMS != 1000 {
		t.Errorf("read back: %+v, %v", a, err)
	}
	n.run = func(n *network) error { n.tensors["output"][0] = 0; return nil }
	got, err = detector(t, n).Infer(t.Context(), wav.Encode(make([]int16, 16000), Rate))
	if err != nil || !strings.Contains(string(got), `"segments":[]`) {
		t.Errorf("no speech must be an empty list: %s, %v", got, err)
	}
}

func TestFailuresAreNamed(t *testing.T) {
	clip := wav.Encode(make([]int16, 1024), Rate)
	cause := errors.New("kernel failed")
	nan := float32(math.NaN())
	for _, c := range []struct {
		name  string
		run   func(*network) error
		input []byte
		want  error
	}{
		{"not a clip", nil, []byte("hello"), inference.ErrInput},
		{"another rate", nil, wav.Encode(make([]int16, 8), 8000), wav.ErrRate},
		{"the engine fails", func(*network) error { return cause }, clip, cause},
		{"not a number", func(n *network) error { n.tensors["output"][0] = nan; return nil }, clip, inference.ErrModel},
		{"more than certain", func(n *network) error { n.tensors["output"][0] = 1.5; return nil }, clip, inference.ErrModel},
	} {
		if _, err := detector(t, newNetwork(c.run)).Infer(t.Context(), c.input); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := detector(t, newNetwork(nil)).Infer(ctx, clip); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestNewRefusesWhatComputesWrong(t *testing.T) {
	step := 0
	known := knownProbabilities()
	right := newNetwork(func(n *network) error { n.tensors["output"][0] = known[step]; step++; return nil })
	if _, err := New(right); err != nil {
		t.Errorf("the known answer is refused: %v", err)
	}
	step = 0
	wrong := newNetwork(func(n *network) error { n.tensors["output"][0] = known[step] + 2e-4; step++; return nil })
	if _, err := New(wrong); !errors.Is(err, inference.ErrModel) {
		t.Errorf("a wrong answer: got %v, want ErrModel", err)
	}
	delete(right.tensors, "stateN")
	if _, err := New(right); !errors.Is(err, inference.ErrModel) {
		t.Errorf("a network without state: got %v, want ErrModel", err)
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"model":"silero_vad_v5","speech_ms":1,"clip_ms":2,"segments":[],"max_probability_milli":3}`))
	f.Fuzz(func(t *testing.T, output []byte) {
		if a, err := ParseAnswer(output); err == nil && (a.Model != Name || a.SpeechMS > a.ClipMS) {
			t.Fatalf("accepted %+v", a)
		}
	})
}
