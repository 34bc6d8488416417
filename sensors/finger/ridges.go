package finger

import (
	"math"
	"sync"
)

// cell is the pitch in pixels of the maps that steer the filters.
const cell = 4

// flow is what is known of the ridges around each cell.
type flow struct {
	w, h      int       // cells
	angle     []float32 // ridge orientation, [0, pi)
	coherence []float32 // 0 no common orientation .. 1 parallel ridges
	period    []float32 // pixels
	certainty []float32 // 0..1: share of the signal that is a wave of that period
	finger    []bool
}

func newFlow(w, h int) *flow {
	f := &flow{w: (w + cell - 1) / cell, h: (h + cell - 1) / cell}
	n := f.w * f.h
	f.angle, f.coherence = make([]float32, n), make([]float32, n)
	f.period, f.certainty = make([]float32, n), make([]float32, n)
	f.finger = make([]bool, n)
	return f
}

// level returns the image with local mean 0 and local deviation about 1, ridges positive, and the deviation itself.
// Where there is little contrast the noise floor keeps the amplitude small.
func level(img plane) (out, deviation plane) {
	const radius, noiseFloor = 8, 6
	mean, square := newPlane(img.w, img.h), newPlane(img.w, img.h)
	copy(mean.v, img.v)
	mean.blur(radius, 2)
	for i, v := range img.v {
		d := v - mean.v[i]
		square.v[i] = d * d
	}
	square.blur(radius, 2)
	out = mean
	for i, v := range img.v {
		s := float32(math.Sqrt(max(float64(square.v[i]), 0)))
		square.v[i] = s
		out.v[i] = min(max((mean.v[i]-v)/(s+noiseFloor), -2), 2)
	}
	return out, square
}

// orient estimates the orientation from the gradients: the structure tensor, averaged over about sigma cells
// (Kass and Witkin 1987; Bazen and Gerez, PAMI 2002).
func (f *flow) orient(p plane, radius int) {
	xx, yy, xy := newPlane(f.w, f.h), newPlane(f.w, f.h), newPlane(f.w, f.h)
	for y := 1; y < p.h-1; y++ {
		up, mid, down := p.v[(y-1)*p.w:y*p.w], p.v[y*p.w:(y+1)*p.w], p.v[(y+1)*p.w:(y+2)*p.w]
		row := y / cell * f.w
		for x := 1; x < p.w-1; x++ {
			gx := up[x+1] - up[x-1] + 2*(mid[x+1]-mid[x-1]) + down[x+1] - down[x-1]
			gy := down[x-1] - up[x-1] + 2*(down[x]-up[x]) + down[x+1] - up[x+1]
			c := row + x/cell
			xx.v[c] += gx * gx
			yy.v[c] += gy * gy
			xy.v[c] += gx * gy
		}
	}
	for _, t := range []plane{xx, yy, xy} {
		t.blur(radius, 3)
	}
	for c := range f.angle {
		dif, sum := float64(xx.v[c]-yy.v[c]), float64(xx.v[c]+yy.v[c])
		a := math.Atan2(2*float64(xy.v[c]), dif)/2 + math.Pi/2 // along the ridge
		if a >= math.Pi {
			a -= math.Pi
		}
		f.angle[c] = float32(a)
		f.coherence[c] = float32(math.Hypot(dif, 2*float64(xy.v[c])) / (sum + 1e-3))
	}
}

const (
	minPeriod, maxPeriod = 5.0, 15.0
	signature            = 32 // length of the window across the ridges, pixels
	waves                = 21 // periods tried
)

// wavePeriod spaces the periods evenly in frequency.
func wavePeriod(k float64) float64 {
	return 1 / (1/maxPeriod + k/(waves-1)*(1/minPeriod-1/maxPeriod))
}

// waveTables hold the windowed cosines and sines for the periods.
type waveTables struct {
	cos, sin [waves][signature]float32
	window   [signature]float32
}

var waveTable = sync.OnceValue(func() *waveTables {
	t := new(waveTables)
	for i := range signature {
		t.window[i] = float32(0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/signature))
	}
	for k := range waves {
		for i := range signature {
			s, c := math.Sincos(2 * math.Pi * (float64(i) - signature/2 + 0.5) / wavePeriod(float64(k)))
			t.cos[k][i], t.sin[k][i] = t.window[i]*float32(c), t.window[i]*float32(s)
		}
	}
	return t
})

// measure finds the ridge period: the strongest wave in the x-signature, the profile across the ridges averaged along
// them (Hong, Wan, Jain, PAMI 1998), in each second cell; then smooths by certainty.
func (f *flow) measure(p plane) {
	tables := waveTable()
	weight, weighted, sure := newPlane(f.w, f.h), newPlane(f.w, f.h), newPlane(f.w, f.h)
	for cy := 0; cy < f.h; cy += 2 {
		for cx := 0; cx < f.w; cx += 2 {
			c := cy*f.w + cx
			if !f.finger[c] {
				continue
			}
			period, certainty := profile(p, float32(cx*cell+cell), float32(cy*cell+cell), f.angle[c], tables)
			for _, n := range [4]int{c, c + 1, c + f.w, c + f.w + 1} {
				if (n == c+1 || n == c+f.w+1) && cx+1 == f.w || (n >= c+f.w) && cy+1 == f.h {
					continue
				}
				g := certainty * certainty
				weight.v[n], weighted.v[n], sure.v[n] = g, g/period, certainty
			}
		}
	}
	var all, total float32
	for c := range weight.v {
		all += weight.v[c]
		total += weighted.v[c]
	}
	typical := float32(1.0 / 9)
	if all > 0 {
		typical = total / all
	}
	weight.blur(4, 2)
	weighted.blur(4, 2)
	sure.blur(2, 2)
	const prior = 0.02 // lets the whole print fill in where nothing can be measured
	for c := range f.period {
		f.period[c] = (weight.v[c] + prior) / (weighted.v[c] + prior*typical)
		f.certainty[c] = sure.v[c]
	}
}

func profile(p plane, x, y, angle float32, t *waveTables) (period, certainty float32) {
	s64, c64 := math.Sincos(float64(angle))
	s, c := float32(s64), float32(c64)
	var sig [signature]float32
	var mean, power float32
	for i := range signature {
		n := float32(i) - signature/2 + 0.5
		bx, by := x-s*n, y+c*n
		v := float32(0)
		for d := float32(-7.5); d < 8; d += 2.5 {
			v += p.at(bx+c*d, by+s*d)
		}
		sig[i] = v / 7
		mean += sig[i] * t.window[i]
	}
	mean /= signature / 2 // the window sums to half its length
	for i := range signature {
		sig[i] -= mean
		power += sig[i] * sig[i] * t.window[i]
	}
	var spectrum [waves]float32
	best := 0
	for k := range waves {
		var re, im float32
		for i := range signature {
			re += sig[i] * t.cos[k][i]
			im += sig[i] * t.sin[k][i]
		}
		spectrum[k] = re*re + im*im
		if spectrum[k] > spectrum[best] {
			best = k
		}
	}
	at := float64(best)
	if best > 0 && best < waves-1 {
		l, m, r := spectrum[best-1], spectrum[best], spectrum[best+1]
		if d := l - 2*m + r; d < 0 {
			at += 0.5 * float64((l-r)/d)
		}
	}
	// A pure wave of amplitude a has power a^2/2 * S and spectrum (a/2)^2 S^2, with S the window's sum.
	certainty = spectrum[best] * 2 / (power*signature/2 + 0.05*signature)
	return float32(wavePeriod(at)), min(certainty, 1)
}
