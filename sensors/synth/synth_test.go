package synth

import (
	"bytes"
	"math"
	"sync"
	"testing"
)

var whorl = sync.OnceValue(func() *Finger { return NewFinger(7, Whorl) })

func TestSameSeedSamePixels(t *testing.T) {
	a, b := whorl(), NewFinger(7, Whorl)
	if len(a.Minutiae) != len(b.Minutiae) {
		t.Fatalf("%d and %d minutiae from one seed", len(a.Minutiae), len(b.Minutiae))
	}
	x, y := a.Impression(3, Touch(3)), b.Impression(3, Touch(3))
	if !bytes.Equal(x.Image.Pix, y.Image.Pix) {
		t.Error("one seed gave two images")
	}
	if z := a.Impression(4, Touch(4)); bytes.Equal(x.Image.Pix, z.Image.Pix) {
		t.Error("two touches gave the same image")
	}
}

func TestRidgePeriod(t *testing.T) {
	f := whorl()
	// Mean squared slope over mean square is the squared wave number of a wave train.
	var slope, power float64
	for y := 100; y < 320; y++ {
		for x := 60; x < 260; x++ {
			i := y*masterW + x
			dx, dy := float64(f.ridge[i+1]-f.ridge[i-1])/2, float64(f.ridge[i+masterW]-f.ridge[i-masterW])/2
			slope += dx*dx + dy*dy
			power += float64(f.ridge[i]) * float64(f.ridge[i])
		}
	}
	if period := 2 * math.Pi / math.Sqrt(slope/power); period < 6.5 || period > 11 {
		t.Errorf("ridge period %.1f px at 500 dpi, want about 9", period)
	}
	if n := len(f.Minutiae); n < 25 || n > 110 {
		t.Errorf("%d minutiae on a whole pad", n)
	}
}

func TestTruthFollowsTheTouch(t *testing.T) {
	f := whorl()
	opt := R503()
	opt.Rotation, opt.Translation, opt.Distortion = 0.4, [2]float64{12, -7}, 2
	im := f.Impression(1, opt)
	if len(im.Minutiae) < 10 {
		t.Fatalf("only %d true minutiae in the image", len(im.Minutiae))
	}
	// A true ending has ink ahead and none behind; a bifurcation the other way round.
	right := 0
	for _, m := range im.Minutiae {
		sin, cos := math.Sincos(m.Direction)
		at := func(d float64) float64 {
			x, y := int(m.X+d*cos+0.5), int(m.Y+d*sin+0.5)
			if x < 0 || y < 0 || x >= opt.W || y >= opt.H {
				return 128
			}
			return float64(im.Image.GrayAt(x, y).Y)
		}
		diff := at(5) + at(6) - at(-5) - at(-6)
		if m.Kind == Ending {
			diff = -diff
		}
		if diff >= 0 {
			right++
		}
	}
	if right < len(im.Minutiae)*8/10 {
		t.Errorf("%d of %d true minutiae agree with the pixels around them", right, len(im.Minutiae))
	}
}

func TestQuantised(t *testing.T) {
	im := whorl().Impression(9, Touch(9))
	for _, p := range im.Image.Pix {
		if p%17 != 0 {
			t.Fatalf("grey %d is not one of 16 levels", p)
		}
	}
}

func TestNoContactIsBlank(t *testing.T) {
	opt := R503()
	opt.Coverage = 0
	im := whorl().Impression(1, opt)
	dark := 0
	for _, p := range im.Image.Pix {
		if p < 128 {
			dark++
		}
	}
	if len(im.Minutiae) != 0 || dark > len(im.Image.Pix)/50 {
		t.Errorf("no contact, yet %d minutiae and %d dark pixels", len(im.Minutiae), dark)
	}
}

func BenchmarkNewFinger(b *testing.B) {
	for b.Loop() {
		NewFinger(1, Whorl)
	}
}

func BenchmarkImpression(b *testing.B) {
	f, opt := whorl(), Touch(1)
	for b.Loop() {
		f.Impression(1, opt)
	}
}
