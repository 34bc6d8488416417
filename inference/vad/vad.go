// Package vad is the pipeline around the voice activity network: a WAV clip in,
// canonical JSON out, saying which parts are speech.
//
// The network is Silero VAD v5 at 16 kHz. One step takes 512 samples (32 ms) behind
// the 64 samples before them as context, float32 in -1..1, and a recurrent state
// [2,1,128] that starts at zero; it gives the probability of speech, 0..1, and the
// next state (github.com/snakers4/silero-vad, src/silero_vad/utils_vad.py,
// OnnxWrapper). The last frame is filled with silence.
//
// Scores leave as integers in thousandths, so that the output bytes of one device
// class are equal, and those of another can be compared within a tolerance.
//
// The package is pure but for the Network it is given; the worker's composition
// imports it. Errors: inference.ErrInput wrapping those of package wav,
// inference.ErrModel.
package vad

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/wav"
)

const (
	// Pipeline is the name of this package in a model manifest.
	Pipeline = "vad/silero-v5"
	// Name is the network's name in outputs.
	Name = "silero_vad_v5"

	// Rate in Hz; the only one taken.
	Rate = 16000
	// FrameMS is the length of one frame in milliseconds.
	FrameMS = 32
	// LongestClip bounds the work of one request.
	LongestClip = 120 * time.Second

	frameSamples   = 512
	contextSamples = 64
)

// Signature is the network's, for the engine that loads it.
func Signature() inference.Signature {
	rate := int64(Rate)
	return inference.Signature{
		Inputs: []inference.Tensor{
			{Name: "input", Shape: []int64{1, contextSamples + frameSamples}},
			{Name: "state", Shape: []int64{2, 1, 128}},
			{Name: "sr", Constant: &rate},
		},
		Outputs: []inference.Tensor{
			{Name: "output", Shape: []int64{1, 1}},
			{Name: "stateN", Shape: []int64{2, 1, 128}},
		},
	}
}

// Network is a loaded network with the tensors of Signature.
type Network interface {
	// Float32 is the memory of a tensor, read and written in place; nil if the
	// network has no such tensor.
	Float32(name string) []float32
	// Run computes the outputs from the inputs.
	Run() error
}

// Detector runs the network over clips. It is for one goroutine at a time.
type Detector struct {
	net           Network
	input         []float32
	state, nextSt []float32
	probability   []float32
}

// New wraps a network and makes it give its known answer, so a detector that exists
// is one that computes right on this machine. Errors: inference.ErrModel.
func New(net Network) (*Detector, error) {
	d := &Detector{net: net, input: net.Float32("input"), state: net.Float32("state"),
		nextSt: net.Float32("stateN"), probability: net.Float32("output")}
	if len(d.input) != contextSamples+frameSamples || len(d.state) != 256 || len(d.nextSt) != 256 || len(d.probability) != 1 {
		return nil, fmt.Errorf("%w: its tensors are not those of %s", inference.ErrModel, Name)
	}
	if err := d.checkKnownAnswer(); err != nil {
		return nil, err
	}
	return d, nil
}

// Probabilities gives the probability of speech of each frame of 32 ms.
// Errors: inference.ErrModel, or ctx's.
func (d *Detector) Probabilities(ctx context.Context, samples []int16) ([]float32, error) {
	clear(d.state)
	clear(d.input)
	out := make([]float32, 0, (len(samples)+frameSamples-1)/frameSamples)
	for frame := range slices.Chunk(samples, frameSamples) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		copy(d.input, d.input[frameSamples:]) // the tail of the last frame becomes the context
		body := d.input[contextSamples:]
		clear(body[len(frame):])
		for i, s := range frame {
			body[i] = float32(s) / 32768
		}
		if err := d.net.Run(); err != nil {
			return nil, fmt.Errorf("%w: frame %d: %w", inference.ErrModel, len(out), err)
		}
		p := d.probability[0]
		if !(p >= 0 && p <= 1) { // also refuses NaN
			return nil, fmt.Errorf("%w: frame %d has the probability %v", inference.ErrModel, len(out), p)
		}
		out = append(out, p)
		copy(d.state, d.nextSt)
	}
	return out, nil
}

// Answer is the output. Field order and integers make its JSON canonical.
type Answer struct {
	Model               string    `json:"model"`
	SpeechMS            int       `json:"speech_ms"`
	ClipMS              int       `json:"clip_ms"`
	Segments            []Segment `json:"segments"`
	MaxProbabilityMilli int       `json:"max_probability_milli"`
}

// Infer answers one request: a WAV clip in, the canonical JSON of Answer out.
// Errors: inference.ErrInput, inference.ErrModel, or ctx's.
func (d *Detector) Infer(ctx context.Context, input []byte) ([]byte, error) {
	samples, err := wav.Parse(input, Rate, LongestClip)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", inference.ErrInput, err)
	}
	probabilities, err := d.Probabilities(ctx, samples)
	if err != nil {
		return nil, err
	}
	return json.Marshal(summarise(probabilities, len(samples)))
}

func summarise(probabilities []float32, samples int) Answer {
	milli := make([]int, len(probabilities))
	for i, p := range probabilities {
		milli[i] = toMilli(p)
	}
	a := Answer{Model: Name, ClipMS: samples * 1000 / Rate, MaxProbabilityMilli: slices.Max(append(milli, 0))}
	a.Segments = segments(milli, a.ClipMS)
	for _, s := range a.Segments {
		a.SpeechMS += s.EndMS - s.StartMS
	}
	return a
}

// ParseAnswer reads an output back, for showing it. Errors: inference.ErrModel.
func ParseAnswer(output []byte) (Answer, error) {
	var a Answer
	d := json.NewDecoder(bytes.NewReader(output))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return Answer{}, fmt.Errorf("%w: answer: %w", inference.ErrModel, err)
	}
	if a.Model != Name || a.ClipMS < 0 || a.SpeechMS < 0 || a.SpeechMS > a.ClipMS {
		return Answer{}, fmt.Errorf("%w: the answer contradicts itself", inference.ErrModel)
	}
	return a, nil
}
