package match_test

import (
	"errors"
	"math"
	"sync"
	"testing"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger"
	"github.com/vouchbox/vouch/sensors/finger/match"
	"github.com/vouchbox/vouch/sensors/finger/minutiae"
	"github.com/vouchbox/vouch/sensors/synth"
)

const touches = 3

var fingers = sync.OnceValue(func() []*synth.Finger {
	var out []*synth.Finger
	for seed := range uint64(4) {
		out = append(out, synth.NewFinger(seed+1, synth.AnyClass))
	}
	return out
})

// prints are ordinary touches, [finger][touch].
var prints = sync.OnceValue(func() [][]*match.Print {
	var out [][]*match.Print
	for i, f := range fingers() {
		var views []*match.Print
		for t := range touches {
			seed := uint64(100*i + t)
			views = append(views, prepare(f.Impression(seed, synth.Touch(seed))))
		}
		out = append(out, views)
	}
	return out
})

func prepare(im synth.Impression) *match.Print {
	set, _, err := finger.Extract(sensors.Sample{Image: im.Image, DPI: im.DPI})
	if err != nil {
		panic(err)
	}
	return match.Prepare(set)
}

func TestFingersSeparate(t *testing.T) {
	m := match.New()
	lowest, highest := sensors.Score(math.Inf(1)), sensors.Score(0)
	for i, a := range prints() {
		for j, b := range prints() {
			for k, p := range a {
				for l, q := range b {
					if i == j && k == l {
						continue
					}
					s := m.Compare(p, q).Score
					if i == j {
						lowest = min(lowest, s)
					} else {
						highest = max(highest, s)
					}
				}
			}
		}
	}
	t.Logf("genuine from %.1f, impostors to %.1f, Accept %.1f", lowest, highest, match.Accept)
	if lowest < match.Accept || highest >= match.Accept {
		t.Errorf("genuine from %.1f, impostors to %.1f, want them on two sides of %.1f", lowest, highest, match.Accept)
	}
}

func TestSameFingerUnder(t *testing.T) {
	m := match.New()
	for name, change := range map[string]func(*synth.Options){
		"turn of 40 degrees":     func(o *synth.Options) { o.Rotation = 40 * math.Pi / 180 },
		"turn of -40 degrees":    func(o *synth.Options) { o.Rotation = -40 * math.Pi / 180 },
		"shift of 3 mm":          func(o *synth.Options) { o.Translation = [2]float64{50, 30} },
		"strong stretch":         func(o *synth.Options) { o.Distortion = 4 },
		"a third of the contact": func(o *synth.Options) { o.Coverage = 0.25 },
		"noise":                  func(o *synth.Options) { o.Noise = 0.65 },
		"dry":                    func(o *synth.Options) { o.Pressure = -0.9 },
		"wet":                    func(o *synth.Options) { o.Pressure = 0.9 },
		"8 bit":                  func(o *synth.Options) { o.Levels = 0 },
		"500 dpi, larger sensor": func(o *synth.Options) { o.W, o.H, o.DPI = 256, 288, 500 },
	} {
		for i, f := range fingers()[:3] {
			opt := synth.R503()
			change(&opt)
			p := prepare(f.Impression(77, opt))
			if s := m.Compare(p, prepare(f.Impression(78, synth.R503()))).Score; s < match.Accept {
				t.Errorf("%s, finger %d: score %.1f, want %.1f", name, i, s, match.Accept)
			}
			other := prints()[(i+1)%len(prints())][0]
			if s := m.Compare(p, other).Score; s >= match.Accept {
				t.Errorf("%s, finger %d: score %.1f with another finger", name, i, s)
			}
		}
	}
}

func TestSmallInputs(t *testing.T) {
	m := match.New()
	whole := prints()[0][0]
	empty := match.Prepare(minutiae.Set{W: 192, H: 192, Grid: minutiae.NewGrid(192, 192)})
	one := match.Prepare(minutiae.Set{W: 192, H: 192, Grid: minutiae.NewGrid(192, 192), Points: []minutiae.Minutia{{X: 5, Y: 5, Kind: minutiae.Ending, Quality: 50}}})
	crowd := minutiae.Set{W: 192, H: 192, Grid: minutiae.NewGrid(192, 192)}
	for i := range crowd.Grid.Cells {
		crowd.Grid.Cells[i] = 1
	}
	for range minutiae.MaxPoints {
		crowd.Points = append(crowd.Points, minutiae.Minutia{X: 96, Y: 96, Kind: minutiae.Ending, Quality: 50})
	}
	for name, p := range map[string]*match.Print{"empty": empty, "one": one, "one place": match.Prepare(crowd)} {
		for _, pair := range [][2]*match.Print{{p, whole}, {whole, p}, {p, empty}} {
			s := float64(m.Compare(pair[0], pair[1]).Score)
			if math.IsNaN(s) || s < 0 || s >= float64(match.Accept) {
				t.Errorf("%s: score %v", name, s)
			}
		}
	}
	if s := m.CompareViews(whole, nil); s != 0 {
		t.Errorf("no views score %v", s)
	}
}

func TestViews(t *testing.T) {
	m := match.New()
	own, other := prints()[0], prints()[1]
	probe := own[0]
	best := m.Compare(probe, own[1]).Score
	if s := m.CompareViews(probe, own[1:2]); s != best {
		t.Errorf("one view scores %v, want %v", s, best)
	}
	if s := m.CompareViews(probe, own[1:]); s < match.Accept {
		t.Errorf("two own views score %v", s)
	}
	// One view that fits does not carry a stranger's enrolment as far as two.
	mixed := m.CompareViews(probe, []*match.Print{own[1], other[0], other[1]})
	if mixed >= best || mixed < best/2 {
		t.Errorf("one fitting view of three scores %v, alone %v", mixed, best)
	}
}

func TestOverlap(t *testing.T) {
	m := match.New()
	f := fingers()[0]
	still := prepare(f.Impression(5, synth.R503()))
	same := m.Compare(still, prepare(f.Impression(6, synth.R503()))).Overlap
	opt := synth.R503()
	opt.Translation = [2]float64{70, 0}
	moved := m.Compare(still, prepare(f.Impression(7, opt))).Overlap
	if same < 0.85 || moved > 0.75 || moved < 0.4 {
		t.Errorf("overlap %.2f on the same spot, %.2f shifted by 70 of 192 pixels", same, moved)
	}
}

func TestClear(t *testing.T) {
	opt := synth.R503()
	p := prepare(fingers()[0].Impression(9, opt))
	own := prints()[0][0]
	p.Clear()
	if s := match.New().Compare(p, own).Score; s != 0 || p.Len() != 0 {
		t.Errorf("a cleared print scores %v with %d minutiae", s, p.Len())
	}
}

func TestThreshold(t *testing.T) {
	if _, err := match.Threshold(1e-6); !errors.Is(err, match.ErrUnmeasured) {
		t.Errorf("a rate nobody measured: %v", err)
	}
	loose, err1 := match.Threshold(0.05)
	tight, err2 := match.Threshold(0.001)
	if err1 != nil || err2 != nil || !(loose < tight && tight < match.Accept) {
		t.Errorf("thresholds %v (%v) and %v (%v), Accept %v", loose, err1, tight, err2, match.Accept)
	}
}

func TestCompareAllocatesNothing(t *testing.T) {
	m := match.New()
	a, b := prints()[0][0], prints()[0][1]
	if n := testing.AllocsPerRun(10, func() { m.Compare(a, b) }); n != 0 {
		t.Errorf("%v allocations in a comparison", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	m := match.New()
	p, own, other := prints()[0][0], prints()[0][1], prints()[1][0]
	b.Run("genuine", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Compare(p, own)
		}
	})
	b.Run("impostor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Compare(p, other)
		}
	})
}

func BenchmarkPrepare(b *testing.B) {
	im := fingers()[0].Impression(1, synth.Touch(1))
	set, _, err := finger.Extract(sensors.Sample{Image: im.Image, DPI: im.DPI})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		match.Prepare(set)
	}
}
