package synth

import (
	"math"
	"math/rand/v2"
)

// MasterDPI is the resolution of the master pattern.
const MasterDPI = 500

const (
	masterW, masterH = 320, 416 // 16.3 x 21.1 mm
	growSteps        = 14
	orientBins       = 48
	periodBins       = 7
	kernelR          = 9
	kernelSide       = 2*kernelR + 1
)

// Finger is one synthetic finger. It is immutable and safe for concurrent use.
type Finger struct {
	Class    Class
	Minutiae []Minutia // the truth, in master coordinates

	ridge  []float32 // masterW x masterH, -1 valley .. +1 ridge
	centre point     // where a person would put the middle of the sensor
}

// NewFinger grows the finger of a seed. It takes about a fifth of a second.
func NewFinger(seed uint64, class Class) *Finger {
	rng := rand.New(rand.NewPCG(seed, 0x66696e676572))
	if drawn := drawClass(rng); class == AnyClass {
		class = drawn
	}
	o := newOrientation(rng, class)
	g := newGrower(rng, &o)
	for range growSteps {
		g.step()
	}
	f := &Finger{Class: class, ridge: g.ridge, centre: point{masterW / 2, masterH * 0.47}}
	if len(o.loops) > 0 {
		f.centre = point{o.loops[0].x, o.loops[0].y + 12}
	}
	f.Minutiae = residues(g, &o)
	return f
}

// inside reports whether the point lies on the pad of the finger, shrunk by margin pixels.
func inside(x, y, margin float64) bool {
	a, b := masterW/2-4-margin, masterH/2-4-margin
	dx, dy := (x-masterW/2)/a, (y-masterH/2)/b
	return dx*dx+dy*dy < 1
}

// grower holds the pattern while it grows, with the filter index of each pixel.
type grower struct {
	ridge, next []float32
	bin         []uint16 // period bin * orientBins + orientation bin
	even, odd   [][]float32
	pixels      []int32 // indices on the pad
}

const minPeriod, maxPeriod = 7.2, 11.4

func newGrower(rng *rand.Rand, o *orientation) *grower {
	g := &grower{
		ridge: make([]float32, masterW*masterH),
		next:  make([]float32, masterW*masterH),
		bin:   make([]uint16, masterW*masterH),
	}
	g.even, g.odd = gaborBank()
	base := 8.5 + 1.2*rng.Float64()
	wander := newField(rng, masterW, masterH, 100)
	for y := range masterH {
		for x := range masterW {
			i := y*masterW + x
			// Ridges are wider below the core: Handbook ch. 6.
			period := base * (1 + 0.10*wander.at(float64(x), float64(y)) + 0.12*(float64(y)/masterH-0.45))
			pb := int((period - minPeriod) / (maxPeriod - minPeriod) * periodBins)
			pb = min(max(pb, 0), periodBins-1)
			th := o.at(float64(x), float64(y)) / math.Pi
			ob := int(math.Floor((th-math.Floor(th))*orientBins+0.5)) % orientBins
			g.bin[i] = uint16(pb*orientBins + ob)
			if inside(float64(x), float64(y), 0) {
				g.pixels = append(g.pixels, int32(i))
				if rng.Float64() < 0.003 {
					g.ridge[i] = 1
				}
			}
		}
	}
	return g
}

// gaborBank returns the even and odd parts of zero-mean Gabor filters, kernelSide squared each.
func gaborBank() (even, odd [][]float32) {
	for pb := range periodBins {
		period := minPeriod + (float64(pb)+0.5)*(maxPeriod-minPeriod)/periodBins
		sigma := 1.5 * period / math.Sqrt(-2*math.Log(1e-3)) // three peaks: SFinGe
		for ob := range orientBins {
			sin, cos := math.Sincos(math.Pi * float64(ob) / orientBins)
			e, d := make([]float32, kernelSide*kernelSide), make([]float32, kernelSide*kernelSide)
			var sum, weight float64
			for y := -kernelR; y <= kernelR; y++ {
				for x := -kernelR; x <= kernelR; x++ {
					n := -sin*float64(x) + cos*float64(y)
					w := math.Exp(-float64(x*x+y*y) / (2 * sigma * sigma))
					s, c := math.Sincos(2 * math.Pi * n / period)
					k := (y+kernelR)*kernelSide + x + kernelR
					e[k], d[k] = float32(w*c), float32(-w*s)
					sum += w * c
					weight += w
				}
			}
			for y := -kernelR; y <= kernelR; y++ {
				for x := -kernelR; x <= kernelR; x++ {
					k := (y+kernelR)*kernelSide + x + kernelR
					w := math.Exp(-float64(x*x+y*y) / (2 * sigma * sigma))
					e[k] = float32((float64(e[k]) - w*sum/weight) / weight)
					d[k] /= float32(weight)
				}
			}
			even, odd = append(even, e), append(odd, d)
		}
	}
	return even, odd
}

// filter correlates the pattern with a kernel at pixel i; beyond the border there is nothing.
// It only reads what its one goroutine wrote; watched by the race detector it would take fifty times as long.
//
//go:norace
func (g *grower) filter(i int32, kernel []float32) float32 {
	px, py := int(i)%masterW, int(i)/masterW
	x0, x1 := max(px-kernelR, 0), min(px+kernelR, masterW-1)
	y0, y1 := max(py-kernelR, 0), min(py+kernelR, masterH-1)
	var s0, s1 float32
	for y := y0; y <= y1; y++ {
		row := g.ridge[y*masterW+x0 : y*masterW+x1+1]
		k := kernel[(y-py+kernelR)*kernelSide+x0-px+kernelR:]
		k = k[:len(row)]
		j := 0
		for ; j+1 < len(row); j += 2 {
			s0 += row[j] * k[j]
			s1 += row[j+1] * k[j+1]
		}
		if j < len(row) {
			s0 += row[j] * k[j]
		}
	}
	return s0 + s1
}

// step filters each pixel along its own ridge and saturates, so that ridges grow into the gaps between them.
func (g *grower) step() {
	for _, i := range g.pixels {
		v := 12 * g.filter(i, g.even[g.bin[i]])
		g.next[i] = min(max(v, -1), 1)
	}
	g.ridge, g.next = g.next, g.ridge
}
