package synth

import (
	"math"
	"math/rand/v2"
)

// field is smooth random noise with mean 0 and variance 1, kept on a coarse grid.
type field struct {
	w, h int
	v    []float32
}

const (
	fieldStep  = 8
	fieldWaves = 8
)

// newField sums plane waves of about the given wavelength in random directions.
func newField(rng *rand.Rand, w, h int, wavelength float64) *field {
	f := &field{w: w/fieldStep + 2, h: h/fieldStep + 2}
	f.v = make([]float32, f.w*f.h)
	for range fieldWaves {
		k := 2 * math.Pi / (wavelength * (0.75 + 0.75*rng.Float64()))
		sin, cos := math.Sincos(2 * math.Pi * rng.Float64())
		phase := 2 * math.Pi * rng.Float64()
		for y := range f.h {
			for x := range f.w {
				f.v[y*f.w+x] += float32(math.Sin(k*fieldStep*(cos*float64(x)+sin*float64(y))+phase) * math.Sqrt(2.0/fieldWaves))
			}
		}
	}
	return f
}

// at interpolates; outside the field the border value holds.
func (f *field) at(x, y float64) float64 {
	gx := min(max(x/fieldStep, 0), float64(f.w)-1.001)
	gy := min(max(y/fieldStep, 0), float64(f.h)-1.001)
	ix, iy := int(gx), int(gy)
	fx, fy := float32(gx-float64(ix)), float32(gy-float64(iy))
	p := f.v[iy*f.w+ix:]
	q := f.v[(iy+1)*f.w+ix:]
	return float64((p[0]*(1-fx)+p[1]*fx)*(1-fy) + (q[0]*(1-fx)+q[1]*fx)*fy)
}

// grain is white noise blurred to blobs of about 2r+1 pixels, variance 1.
func grain(rng *rand.Rand, w, h, r int) []float32 {
	a, b := make([]float32, w*h), make([]float32, w*h)
	for i := range a {
		a[i] = float32(rng.NormFloat64())
	}
	for y := range h {
		for x := range w {
			s := float32(0)
			for d := -r; d <= r; d++ {
				s += a[y*w+min(max(x+d, 0), w-1)]
			}
			b[y*w+x] = s
		}
	}
	for y := range h {
		for x := range w {
			s := float32(0)
			for d := -r; d <= r; d++ {
				s += b[min(max(y+d, 0), h-1)*w+x]
			}
			a[y*w+x] = s / float32(2*r+1)
		}
	}
	return a
}
