package finger_test

import (
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger"
	"github.com/vouchbox/vouch/sensors/finger/minutiae"
	"github.com/vouchbox/vouch/sensors/synth"
)

// fingers are shared by the tests; growing one takes a fifth of a second.
var fingers = sync.OnceValue(func() []*synth.Finger {
	var out []*synth.Finger
	for seed, class := range []synth.Class{synth.Whorl, synth.LeftLoop, synth.RightLoop, synth.TentedArch} {
		out = append(out, synth.NewFinger(uint64(seed)+1, class))
	}
	return out
})

func sample(im synth.Impression) sensors.Sample { return sensors.Sample{Image: im.Image, DPI: im.DPI} }

// agree counts the points that lie on a point of the other list, one to one.
func agree(found []minutiae.Minutia, truth []synth.Minutia, scale float64) int {
	taken := make([]bool, len(truth))
	n := 0
	for _, m := range found {
		for i, t := range truth {
			if !taken[i] && math.Hypot(float64(m.X)*scale-t.X, float64(m.Y)*scale-t.Y) < 9 && math.Cos(float64(m.Direction)-t.Direction) > math.Cos(math.Pi/6) {
				taken[i] = true
				n++
				break
			}
		}
	}
	return n
}

func TestExtractAgainstTruth(t *testing.T) {
	for _, c := range []struct {
		name              string
		opt               func(*synth.Options)
		recall, precision float64
	}{
		{"clean", func(*synth.Options) {}, 0.95, 0.85},
		{"8 bit", func(o *synth.Options) { o.Levels = 0 }, 0.95, 0.85},
		{"500 dpi, 300x360", func(o *synth.Options) { o.W, o.H, o.DPI = 300, 360, 500 }, 0.93, 0.85},
		{"turned", func(o *synth.Options) { o.Rotation = 0.7 }, 0.93, 0.85},
		{"stretched", func(o *synth.Options) { o.Distortion = 3 }, 0.93, 0.85},
		{"noise 0.4", func(o *synth.Options) { o.Noise = 0.4 }, 0.93, 0.85},
		{"noise 0.6", func(o *synth.Options) { o.Noise = 0.6 }, 0.88, 0.85},
		{"dry", func(o *synth.Options) { o.Pressure = -0.7 }, 0.90, 0.82},
		{"wet", func(o *synth.Options) { o.Pressure = 0.7 }, 0.88, 0.82},
		{"partial", func(o *synth.Options) { o.Coverage = 0.25 }, 0.75, 0.65},
	} {
		var recalled, truths, confirmed, found int
		for i, f := range fingers()[:4] {
			opt := synth.R503()
			c.opt(&opt)
			im := f.Impression(uint64(i), opt)
			set, _, err := finger.Extract(sample(im))
			if err != nil {
				t.Fatal(err)
			}
			// The extractor leaves the rim out on purpose.
			var truth []synth.Minutia
			for _, m := range im.Minutiae {
				if min(m.X, m.Y, float64(opt.W)-m.X, float64(opt.H)-m.Y) > 14 {
					truth = append(truth, m)
				}
			}
			scale := float64(im.DPI) / minutiae.DPI
			recalled += agree(set.Points, truth, scale)
			confirmed += agree(set.Points, im.Minutiae, scale)
			truths += len(truth)
			found += len(set.Points)
		}
		recall, precision := float64(recalled)/float64(truths), float64(confirmed)/float64(found)
		t.Logf("%-18s recall %.2f precision %.2f (%d true, %d found)", c.name, recall, precision, truths, found)
		if recall < c.recall || precision < c.precision {
			t.Errorf("%s: recall %.2f precision %.2f, want %.2f and %.2f", c.name, recall, precision, c.recall, c.precision)
		}
	}
}

func TestQuality(t *testing.T) {
	for _, c := range []struct {
		name     string
		opt      func(*synth.Options)
		min, max int
		reason   sensors.Reason
	}{
		{"good", func(o *synth.Options) { o.Noise = 0.2 }, 90, 100, sensors.Good},
		{"nobody", func(o *synth.Options) { o.Coverage = 0 }, 0, 0, sensors.NoFinger},
		{"partial", func(o *synth.Options) { o.Coverage = 0.1 }, 1, 45, sensors.Partial},
		{"smudged", func(o *synth.Options) { o.Noise = 1 }, 1, 59, sensors.Smudged},
		{"dry", func(o *synth.Options) { o.Pressure, o.Noise = -1, 0.7 }, 1, 59, sensors.Dry},
		{"wet", func(o *synth.Options) { o.Pressure, o.Noise = 1, 0.7 }, 1, 59, sensors.Wet},
	} {
		for i, f := range fingers()[:3] {
			opt := synth.R503()
			c.opt(&opt)
			_, q, err := finger.Extract(sample(f.Impression(uint64(i), opt)))
			if err != nil {
				t.Fatal(err)
			}
			if q.Score < c.min || q.Score > c.max || q.Reason != c.reason {
				t.Errorf("%s, finger %d: quality %v, want %d to %d (%v)", c.name, i, q, c.min, c.max, c.reason)
			}
		}
	}
}

func TestExtractRefuses(t *testing.T) {
	img := func(w, h int) *image.Gray { return image.NewGray(image.Rect(0, 0, w, h)) }
	for name, s := range map[string]sensors.Sample{
		"no image":     {DPI: 500},
		"no dpi":       {Image: img(192, 192)},
		"coarse":       {Image: img(192, 192), DPI: 250},
		"small":        {Image: img(64, 192), DPI: 500},
		"huge":         {Image: img(192, 5000), DPI: 500},
		"short pixels": {Image: &image.Gray{Pix: make([]byte, 10), Stride: 192, Rect: image.Rect(0, 0, 192, 192)}, DPI: 500},
		"bad stride":   {Image: &image.Gray{Pix: make([]byte, 192*192), Stride: -1, Rect: image.Rect(0, 0, 192, 192)}, DPI: 500},
	} {
		if _, _, err := finger.Extract(s); !errors.Is(err, finger.ErrSample) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever the pixels, extraction gives a template that encodes.
func TestExtractAnyPixels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 12 {
		w, h := 96+rng.IntN(150), 96+rng.IntN(150)
		g := image.NewGray(image.Rect(0, 0, w, h))
		for i := range g.Pix {
			switch n % 4 {
			case 0:
				g.Pix[i] = uint8(rng.Uint32())
			case 1:
				g.Pix[i] = uint8(255 * (i / 3 & 1))
			case 2:
				g.Pix[i] = uint8(128 + 127*math.Sin(float64(i%w)*0.7+float64(n)*math.Sin(float64(i/w)/20)))
			case 3:
				g.Pix[i] = uint8(i * n)
			}
		}
		set, q, err := finger.Extract(sensors.Sample{Image: g, DPI: 480 + rng.IntN(41)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.Encode(); err != nil || q.Score < 0 || q.Score > 100 {
			t.Errorf("picture %d (%dx%d): quality %v, %v", n, w, h, q, err)
		}
	}
}

func TestExtractSubImage(t *testing.T) {
	im := fingers()[0].Impression(1, synth.Touch(1))
	r := image.Rect(20, 30, 160, 180)
	part := im.Image.SubImage(r).(*image.Gray)
	whole := image.NewGray(image.Rect(0, 0, r.Dx(), r.Dy()))
	for y := range r.Dy() {
		for x := range r.Dx() {
			whole.SetGray(x, y, im.Image.GrayAt(r.Min.X+x, r.Min.Y+y))
		}
	}
	a, _, err := finger.Extract(sensors.Sample{Image: part, DPI: 508})
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := finger.Extract(sensors.Sample{Image: whole, DPI: 508})
	if err != nil || fmt.Sprint(a) != fmt.Sprint(b) || len(a.Points) == 0 {
		t.Errorf("a window on an image reads differently from its copy (%v)", err)
	}
}

func BenchmarkExtract(b *testing.B) {
	s := sample(fingers()[0].Impression(1, synth.Touch(1)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := finger.Extract(s); err != nil {
			b.Fatal(err)
		}
	}
}
