package match

import (
	"math"
	"slices"

	"github.com/vouchbox/vouch/sensors/finger/minutiae"
)

// Relaxation parameters, as published.
const (
	maxTurn     = 64 // brads: a quarter turn between the impressions
	relaxWeight = 0.5
	relaxRounds = 5
	minPairs    = 4
	maxPairs    = 12
	pairsMid    = 20
	pairsSlope  = 0.4
)

// Matcher holds the working space of a comparison. It is not safe for concurrent use: one for each goroutine.
type Matcher struct {
	keys   []uint64 // similarity, i, j
	pairs  []pair
	rho    []float32
	before []float32
	usedA  [minutiae.MaxPoints]bool
	usedB  [minutiae.MaxPoints]bool
	tables relaxTables
	align  aligner
}

// pair says that minutia i of one print may be minutia j of the other.
type pair struct {
	i, j     int
	start    float32 // similarity of the cylinders
	relaxed  float32 // after support by the other pairs
	survived float32 // relaxed / start
}

// New returns a Matcher.
func New() *Matcher {
	const n = minutiae.MaxPoints
	return &Matcher{
		keys:   make([]uint64, 0, n*n),
		pairs:  make([]pair, 0, n),
		rho:    make([]float32, n*n),
		before: make([]float32, n),
		tables: newRelaxTables(),
	}
}

// relaxTables hold the sigmoids of the compatibility of two pairs.
type relaxTables struct {
	distance [256]float32 // index |difference| in eighths of a pixel; beyond it 0
	angle    [129]float32 // index |difference| in brads
}

func newRelaxTables() (t relaxTables) {
	for d := range t.distance {
		t.distance[d] = float32(sigmoid(float64(d)/8, 5, -8.0/5))
	}
	for a := range t.angle {
		t.angle[a] = float32(sigmoid(float64(a)*2*math.Pi/256, math.Pi/12, -30))
	}
	return t
}

func sigmoid(v, mid, slope float64) float64 { return 1 / (1 + math.Exp(-slope*(v-mid))) }

func turn(a, b uint8) int {
	d := int(int8(a - b))
	if d < 0 {
		return -d
	}
	return d
}

// local fills m.pairs with the best one-to-one pairs by cylinder.
func (m *Matcher) local(a, b *Print) {
	m.keys, m.pairs = m.keys[:0], m.pairs[:0]
	for i := range a.cylinders {
		for j := range b.cylinders {
			if turn(a.direction[i], b.direction[j]) > maxTurn {
				continue
			}
			if s := similarity(&a.cylinders[i], &b.cylinders[j]); s > 0 {
				m.keys = append(m.keys, uint64((1-s)*(1<<24))<<16|uint64(i)<<8|uint64(j))
			}
		}
	}
	slices.Sort(m.keys)
	clear(m.usedA[:])
	clear(m.usedB[:])
	for _, k := range m.keys {
		i, j := int(k>>8&0xff), int(k&0xff)
		if m.usedA[i] || m.usedB[j] {
			continue
		}
		m.usedA[i], m.usedB[j] = true, true
		m.pairs = append(m.pairs, pair{i: i, j: j, start: 1 - float32(k>>16)/(1<<24)})
	}
}

// relax lets pairs that agree in distance, direction and bearing support each other.
func (m *Matcher) relax(a, b *Print) {
	n, na, nb := len(m.pairs), len(a.direction), len(b.direction)
	for t, p := range m.pairs {
		for k, q := range m.pairs {
			d := int(a.distance[p.i*na+q.i]) - int(b.distance[p.j*nb+q.j])
			if d < 0 {
				d = -d
			}
			if t == k || d >= len(m.tables.distance) {
				m.rho[t*n+k] = 0
				continue
			}
			direction := turn(a.direction[p.i]-a.direction[q.i], b.direction[p.j]-b.direction[q.j])
			bearing := turn(a.bearing[p.i*na+q.i], b.bearing[p.j*nb+q.j])
			m.rho[t*n+k] = m.tables.distance[d] * m.tables.angle[direction] * m.tables.angle[bearing]
		}
		m.pairs[t].relaxed = p.start
	}
	for range relaxRounds {
		for t := range m.pairs {
			m.before[t] = m.pairs[t].relaxed
		}
		for t := range m.pairs {
			support := float32(0)
			for k, r := range m.rho[t*n : t*n+n] {
				support += r * m.before[k]
			}
			m.pairs[t].relaxed = (1-relaxWeight)*m.before[t] + relaxWeight/float32(max(n-1, 1))*support
		}
	}
	for t := range m.pairs {
		p := &m.pairs[t]
		p.survived = p.relaxed / p.start
	}
	slices.SortFunc(m.pairs, func(p, q pair) int {
		if p.survived != q.survived {
			if p.survived > q.survived {
				return -1
			}
			return 1
		}
		return p.i - q.i
	})
}

// global is the mean of the relaxed similarity of the pairs that survived best.
func (m *Matcher) global(a, b *Print) float32 {
	least := min(a.usable, b.usable)
	n := minPairs + int(math.Round(sigmoid(float64(least), pairsMid, pairsSlope)*(maxPairs-minPairs)))
	sum := float32(0)
	for _, p := range m.pairs[:min(n, len(m.pairs))] {
		sum += p.relaxed
	}
	return sum / float32(n)
}
