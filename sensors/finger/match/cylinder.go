package match

import (
	"math"
	"math/bits"
	"sync"

	"github.com/vouchbox/vouch/sensors/finger/minutiae"
)

// Cylinder parameters, as published where not noted.
const (
	radius   = 70.0     // R
	sections = 16       // N_S: cells across
	layers   = 6        // N_D: cells of direction difference
	sigmaS   = 28.0 / 3 // spatial
	sigmaD   = 2 * math.Pi / 9
	bitAt    = 0.01 // mu_psi: contribution from which a bit is set

	words = (sections*sections*layers + 63) / 64

	// Own values: validity follows the finger area and not the hull of the minutiae, because a small sensor cuts
	// most cylinders.
	minValid  = 0.35 // share of a cylinder's base on the finger for it to be used
	minCommon = 0.30 // share of the base that two cylinders must have in common
)

// cylinder is the neighbourhood of one minutia.
type cylinder struct {
	bits  [words]uint64
	valid [words]uint64 // the cells on the finger, each repeated for its layers
}

// Print is one impression made ready for comparison. It is immutable and safe for concurrent use.
type Print struct {
	set       minutiae.Set
	direction []uint8    // brads
	cylinders []cylinder // by minutia; unused ones have no valid bits
	usable    int
	area      int      // grid cells on the finger
	distance  []uint16 // n x n, eighths of a pixel
	bearing   []uint8  // n x n, brads: from the direction of i to the line towards j
}

// Prepare describes the neighbourhood of each minutia. The Set is kept, and must not be changed.
func Prepare(s minutiae.Set) *Print {
	n := len(s.Points)
	p := &Print{set: s, direction: make([]uint8, n), cylinders: make([]cylinder, n), distance: make([]uint16, n*n), bearing: make([]uint8, n*n)}
	for i, a := range s.Points {
		p.direction[i] = brads(float64(a.Direction))
		for j, b := range s.Points {
			dx, dy := float64(b.X-a.X), float64(b.Y-a.Y)
			p.distance[i*n+j] = uint16(min(8*math.Hypot(dx, dy)+0.5, math.MaxUint16))
			p.bearing[i*n+j] = brads(math.Atan2(dy, dx) - float64(a.Direction))
		}
	}
	for _, v := range s.Grid.Cells {
		if v != 0 {
			p.area++
		}
	}
	t := cylinderTables()
	for i := range s.Points {
		if p.describe(i, t) {
			p.usable++
		}
	}
	return p
}

// Clear overwrites the features. The Print must not be in use, and compares with nothing afterwards.
func (p *Print) Clear() {
	clear(p.set.Points)
	clear(p.set.Grid.Cells)
	clear(p.direction)
	clear(p.cylinders)
	clear(p.distance)
	clear(p.bearing)
	*p = Print{}
}

// Len returns the number of minutiae.
func (p *Print) Len() int { return len(p.set.Points) }

func brads(a float64) uint8 { return uint8(int(math.Round(a / (2 * math.Pi) * 256))) }

// gaussians are the contributions to a cell, by squared distance and by angle difference.
type gaussians struct {
	space [900]float32 // index d^2 in pixels
	angle [layers][256]float32
	base  int // cells in the circle
}

var cylinderTables = sync.OnceValue(func() *gaussians {
	t := new(gaussians)
	for d2 := range t.space {
		t.space[d2] = float32(math.Exp(-float64(d2)/(2*sigmaS*sigmaS)) / (sigmaS * math.Sqrt(2*math.Pi)))
	}
	const width = 2 * math.Pi / layers
	z := 1 / (sigmaD * math.Sqrt2)
	for k := range layers {
		mid := -math.Pi + (float64(k)+0.5)*width
		for b := range 256 {
			a := math.Remainder(mid-float64(b)*2*math.Pi/256, 2*math.Pi)
			t.angle[k][b] = float32((math.Erf((a+width/2)*z) - math.Erf((a-width/2)*z)) / 2)
		}
	}
	for a := range sections {
		for b := range sections {
			if _, _, ok := cellOffset(a, b); ok {
				t.base++
			}
		}
	}
	return t
})

func cellOffset(a, b int) (u, v float64, ok bool) {
	const step = 2 * radius / sections
	u, v = (float64(a)-(sections-1)/2.0)*step, (float64(b)-(sections-1)/2.0)*step
	return u, v, u*u+v*v <= radius*radius
}

// describe fills cylinder i, and empties it again if too little of it lies on the finger or it has too few neighbours.
func (p *Print) describe(i int, t *gaussians) bool {
	const reach = radius + 3*sigmaS
	m, c := p.set.Points[i], &p.cylinders[i]
	n := len(p.set.Points)
	var near [minutiae.MaxPoints]int
	neighbours := near[:0]
	for j := range p.set.Points {
		if j != i && float64(p.distance[i*n+j]) < 8*reach && len(neighbours) < len(near) {
			neighbours = append(neighbours, j)
		}
	}
	sin, cos := math.Sincos(float64(m.Direction))
	valid := 0
	var contributed [minutiae.MaxPoints]bool
	for a := range sections {
		for b := range sections {
			u, v, ok := cellOffset(a, b)
			if !ok {
				continue
			}
			x, y := m.X+float32(cos*u-sin*v), m.Y+float32(sin*u+cos*v)
			if p.set.Grid.At(x, y) == 0 {
				continue
			}
			valid++
			var sum [layers]float32
			for _, j := range neighbours {
				q := p.set.Points[j]
				dx, dy := q.X-x, q.Y-y
				d2 := dx*dx + dy*dy
				if d2 > 9*sigmaS*sigmaS {
					continue
				}
				contributed[j] = true
				g := t.space[int(d2)]
				diff := p.direction[i] - p.direction[j]
				for k := range layers {
					sum[k] += g * t.angle[k][diff]
				}
			}
			for k := range layers {
				at := (a*sections+b)*layers + k
				c.valid[at/64] |= 1 << (at % 64)
				if sum[k] > bitAt {
					c.bits[at/64] |= 1 << (at % 64)
				}
			}
		}
	}
	others := 0
	for _, ok := range contributed {
		if ok {
			others++
		}
	}
	if float64(valid) < minValid*float64(t.base) || others < 2 {
		*c = cylinder{}
		return false
	}
	return true
}

// minCommonBits is minCommon of the base of about 201 cells.
const minCommonBits = minCommon * math.Pi / 4 * sections * sections * layers

// similarity compares the cells that both cylinders have: 1 - |a xor b| / (|a| + |b|), norms of bit vectors.
func similarity(a, b *cylinder) float32 {
	var common, differ, inA, inB int
	for w := range words {
		v := a.valid[w] & b.valid[w]
		x, y := a.bits[w]&v, b.bits[w]&v
		common += bits.OnesCount64(v)
		inA += bits.OnesCount64(x)
		inB += bits.OnesCount64(y)
		differ += bits.OnesCount64(x ^ y)
	}
	if float64(common) < minCommonBits || inA+inB == 0 {
		return 0
	}
	return 1 - root(differ)/(root(inA)+root(inB))
}

func root(n int) float32 { return float32(math.Sqrt(float64(n))) }
