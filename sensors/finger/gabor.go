package finger

import (
	"math"
	"sync"
)

const (
	gaborAngles = 32
	gaborWaves  = 12
	gaborR      = 8
	gaborSide   = 2*gaborR + 1
)

// gaborBank holds zero-mean even Gabor filters, by wave * gaborAngles + angle; computed once and never changed.
var gaborBank = sync.OnceValue(func() *[gaborWaves * gaborAngles][gaborSide * gaborSide]float32 {
	bank := new([gaborWaves * gaborAngles][gaborSide * gaborSide]float32)
	for w := range gaborWaves {
		period := gaborPeriod(w)
		across, along := 0.40*period, 4.0
		for a := range gaborAngles {
			k := &bank[w*gaborAngles+a]
			sin, cos := math.Sincos(math.Pi * float64(a) / gaborAngles)
			var sum, weight, gain float64
			var env [gaborSide * gaborSide]float64
			for y := -gaborR; y <= gaborR; y++ {
				for x := -gaborR; x <= gaborR; x++ {
					t, n := cos*float64(x)+sin*float64(y), -sin*float64(x)+cos*float64(y)
					i := (y+gaborR)*gaborSide + x + gaborR
					env[i] = math.Exp(-t*t/(2*along*along) - n*n/(2*across*across))
					c := math.Cos(2 * math.Pi * n / period)
					sum += env[i] * c
					weight += env[i]
					gain += env[i] * c * c
					k[i] = float32(env[i] * c)
				}
			}
			for i := range k {
				k[i] = float32((float64(k[i]) - env[i]*sum/weight) / gain)
			}
		}
	}
	return bank
})

func gaborPeriod(w int) float64 {
	return minPeriod * math.Pow(maxPeriod/minPeriod, (float64(w)+0.5)/gaborWaves)
}

// enhance filters each finger pixel with the wave that its cell expects; elsewhere the result is 0.
// (Hong, Wan, Jain, PAMI 1998.)
func (f *flow) enhance(p plane) plane {
	bank := gaborBank()
	out := newPlane(p.w, p.h)
	// A frame of zeroes spares the inner loop all border tests.
	stride := p.w + 2*gaborR
	framed := make([]float32, stride*(p.h+2*gaborR))
	defer clear(framed)
	for y := range p.h {
		copy(framed[(y+gaborR)*stride+gaborR:], p.v[y*p.w:(y+1)*p.w])
	}
	for cy := range f.h {
		for cx := range f.w {
			c := cy*f.w + cx
			if !f.finger[c] {
				continue
			}
			a := int(float64(f.angle[c])/math.Pi*gaborAngles+0.5) % gaborAngles
			w := int(math.Log(float64(f.period[c])/minPeriod) / math.Log(maxPeriod/minPeriod) * gaborWaves)
			k := &bank[min(max(w, 0), gaborWaves-1)*gaborAngles+a]
			for y := cy * cell; y < min((cy+1)*cell, p.h); y++ {
				for x := cx * cell; x < min((cx+1)*cell, p.w); x++ {
					out.v[y*p.w+x] = correlate(framed[y*stride+x:], stride, k)
				}
			}
		}
	}
	return out
}

// correlate only reads what its one goroutine wrote; watched by the race detector it would take fifty times as long.
//
//go:norace
func correlate(v []float32, stride int, k *[gaborSide * gaborSide]float32) float32 {
	var a, b, c, d float32
	for y := range gaborSide {
		row := v[y*stride : y*stride+gaborSide]
		ker := k[y*gaborSide : y*gaborSide+gaborSide]
		for i := 0; i+3 < gaborSide; i += 4 {
			a += row[i] * ker[i]
			b += row[i+1] * ker[i+1]
			c += row[i+2] * ker[i+2]
			d += row[i+3] * ker[i+3]
		}
		a += row[gaborSide-1] * ker[gaborSide-1]
	}
	return a + b + c + d
}
