package synth

import (
	"math"
	"math/rand/v2"
)

// Class is the Henry class of a pattern.
type Class uint8

// The classes. AnyClass draws one by its natural frequency.
const (
	AnyClass Class = iota
	Arch
	TentedArch
	LeftLoop
	RightLoop
	Whorl
)

type point struct{ x, y float64 }

// orientation is a ridge-flow model over the master, plus the slow bends that tell fingers of one class apart.
type orientation struct {
	loops, deltas []point
	arch          float64 // height of the arch formula; used when there are no singular points
	bend          *field
	bendBy        float64
}

func drawClass(rng *rand.Rand) Class {
	// Natural frequencies: Wilson, Candela, Watson 1994.
	switch p := rng.Float64(); {
	case p < 0.037:
		return Arch
	case p < 0.066:
		return TentedArch
	case p < 0.404:
		return LeftLoop
	case p < 0.721:
		return RightLoop
	}
	return Whorl
}

func newOrientation(rng *rand.Rand, class Class) orientation {
	jitter := func(by float64) float64 { return (2*rng.Float64() - 1) * by }
	cx, cy := masterW/2+jitter(14), masterH*0.45+jitter(18)
	o := orientation{bend: newField(rng, masterW, masterH, 120), bendBy: 0.25}
	switch class {
	case Arch:
		o.arch = 0.9 + jitter(0.3)
	case TentedArch:
		o.loops = []point{{cx, cy + jitter(8)}}
		o.deltas = []point{{cx + jitter(12), cy + 75 + jitter(25)}}
	case LeftLoop:
		o.loops = []point{{cx, cy}}
		o.deltas = []point{{cx + 62 + jitter(28), cy + 110 + jitter(32)}}
	case RightLoop:
		o.loops = []point{{cx, cy}}
		o.deltas = []point{{cx - 62 + jitter(28), cy + 110 + jitter(32)}}
	default:
		gap := 12 + 22*rng.Float64()
		o.loops = []point{{cx + jitter(12), cy - gap}, {cx + jitter(12), cy + gap}}
		o.deltas = []point{{cx - 100 + jitter(28), cy + 105 + jitter(32)}, {cx + 100 + jitter(28), cy + 105 + jitter(32)}}
	}
	return o
}

// at returns the ridge orientation at (x, y) in image coordinates, modulo pi.
func (o *orientation) at(x, y float64) float64 {
	up := 0.0 // counter-clockwise, y up
	if len(o.loops) == 0 {
		k := math.Max(0, o.arch*(1.25-1.5*y/masterH))
		up = math.Atan(k * math.Cos(math.Pi*x/masterW))
	}
	for _, p := range o.loops {
		up += math.Atan2(p.y-y, x-p.x) / 2
	}
	for _, p := range o.deltas {
		up -= math.Atan2(p.y-y, x-p.x) / 2
	}
	return -up + o.bendBy*o.bend.at(x, y)
}

// nearSingular reports whether a loop or delta lies within r of (x, y).
func (o *orientation) nearSingular(x, y, r float64) bool {
	for _, ps := range [][]point{o.loops, o.deltas} {
		for _, p := range ps {
			if math.Hypot(p.x-x, p.y-y) < r {
				return true
			}
		}
	}
	return false
}
