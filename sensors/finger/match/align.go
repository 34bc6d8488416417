package match

import (
	"math"

	"github.com/vouchbox/vouch/sensors/finger/minutiae"
)

const (
	seedPairs  = 8  // pairs that propose the first motion
	nearness   = 8  // pixels between minutiae that the motion brings together
	sameTurn   = 16 // brads
	alignRound = 2
	soloPairs  = 12 // pairs that each propose a motion
	minMatched = 3
)

// motion maps a point of the first print onto the second: turn, then shift.
type motion struct{ sin, cos, dx, dy, angle float64 }

// aligner holds the working space of the alignment.
type aligner struct {
	x, y      [minutiae.MaxPoints]float32
	direction [minutiae.MaxPoints]uint8
	partner   [minutiae.MaxPoints]int16
	taken     [minutiae.MaxPoints]bool
}

// evidence is what a motion brings together.
type evidence struct {
	matched  int // minutiae
	inA, inB int // minutiae of each print that lie on the finger of the other
	area     int // grid cells in common
	// agreement is the mean cosine of twice the difference of the ridge orientations over them, -1 to 1
	agreement float64
}

// sums accumulate weighted pairs for the least-squares rigid motion (Umeyama 1991, without scale).
type sums struct {
	w, ax, ay, bx, by float64
	dot, cross        float64 // of the positions
	cos, sin          float64 // of the direction differences
}

func (s *sums) add(p, q minutiae.Minutia, w float64) {
	px, py, qx, qy := float64(p.X), float64(p.Y), float64(q.X), float64(q.Y)
	s.w += w
	s.ax, s.ay = s.ax+w*px, s.ay+w*py
	s.bx, s.by = s.bx+w*qx, s.by+w*qy
	s.dot += w * (px*qx + py*qy)
	s.cross += w * (px*qy - py*qx)
	sin, cos := math.Sincos(float64(q.Direction - p.Direction))
	s.cos, s.sin = s.cos+w*cos, s.sin+w*sin
}

// motion fails when nothing was added.
func (s *sums) motion() (motion, bool) {
	if s.w <= 0 {
		return motion{}, false
	}
	ax, ay, bx, by := s.ax/s.w, s.ay/s.w, s.bx/s.w, s.by/s.w
	// The directions steady the turn when the pairs lie close together: each counts as an arm of 20 pixels.
	const arm = 20 * 20
	cos := s.dot - s.w*(ax*bx+ay*by) + arm*s.cos
	sin := s.cross - s.w*(ax*by-ay*bx) + arm*s.sin
	t := motion{angle: math.Atan2(sin, cos)}
	t.sin, t.cos = math.Sincos(t.angle)
	t.dx = bx - t.cos*ax + t.sin*ay
	t.dy = by - t.sin*ax - t.cos*ay
	return t, true
}

// verify aligns the prints and counts what falls together. The best pairs jointly, and then each by itself, propose a
// motion; the one with the strongest evidence counts.
func (m *Matcher) verify(a, b *Print) evidence {
	joint := m.pairs[:min(seedPairs, len(m.pairs))]
	best := m.try(a, b, joint)
	for i := range min(soloPairs, len(m.pairs)) {
		if e := m.try(a, b, m.pairs[i:i+1]); e.surprise() > best.surprise() {
			best = e
		}
	}
	return best
}

// try aligns by the given pairs and refines the motion with what it brought together.
func (m *Matcher) try(a, b *Print, seeds []pair) evidence {
	al := &m.align
	var s sums
	for _, p := range seeds {
		s.add(a.set.Points[p.i], b.set.Points[p.j], float64(p.relaxed*p.survived))
	}
	for range alignRound {
		t, ok := s.motion()
		if !ok || al.pairUp(a, b, t) < minMatched {
			return evidence{}
		}
		s = sums{}
		for i := range a.direction {
			if j := al.partner[i]; j >= 0 {
				s.add(a.set.Points[i], b.set.Points[j], 1)
			}
		}
	}
	t, ok := s.motion()
	if !ok {
		return evidence{}
	}
	return al.weigh(a, b, t)
}

// weigh counts what the motion brings together.
func (al *aligner) weigh(a, b *Print, t motion) evidence {
	e := evidence{matched: al.pairUp(a, b, t)}
	for i := range a.direction {
		if b.set.Grid.At(al.x[i], al.y[i]) != 0 {
			e.inA++
		}
	}
	for _, q := range b.set.Points {
		dx, dy := float64(q.X)-t.dx, float64(q.Y)-t.dy
		if a.set.Grid.At(float32(t.cos*dx+t.sin*dy), float32(-t.sin*dx+t.cos*dy)) != 0 {
			e.inB++
		}
	}
	e.area, e.agreement = overlap(&a.set.Grid, &b.set.Grid, t)
	return e
}

// surprise is how unlikely chance would bring this many minutiae together, as the Chernoff bound of the binomial tail,
// in natural logarithms: n KL(matched/n, p), p the share of the overlap that the tolerance covers. A direction counts for
// one bit only: the ridge flow of two fingers of one class agrees anyway once they are aligned, but for the side.
func (e evidence) surprise() float64 {
	n := float64(min(e.inA, e.inB))
	if e.matched < minMatched || n == 0 || e.area == 0 {
		return 0
	}
	p := float64(max(e.inA, e.inB)) / float64(e.area*minutiae.CellSize*minutiae.CellSize) * math.Pi * nearness * nearness * 0.5
	p = min(max(p, 0.01), 0.8)
	q := min(float64(e.matched)/n, 1)
	if q <= p {
		return 0
	}
	kl := q * math.Log(q/p)
	if q < 1 {
		kl += (1 - q) * math.Log((1-q)/(1-p))
	}
	return n * kl
}

// pairUp moves the first print and pairs each of its minutiae with the nearest free one of the second, nearest pairs first
// within a print's order.
func (al *aligner) pairUp(a, b *Print, t motion) int {
	turned := brads(t.angle)
	clear(al.taken[:])
	count := 0
	for i, p := range a.set.Points {
		x, y := float64(p.X), float64(p.Y)
		al.x[i] = float32(t.cos*x - t.sin*y + t.dx)
		al.y[i] = float32(t.sin*x + t.cos*y + t.dy)
		al.direction[i] = a.direction[i] + turned
		al.partner[i] = -1
		best := float32(nearness * nearness)
		for j, q := range b.set.Points {
			dx, dy := q.X-al.x[i], q.Y-al.y[i]
			if d := dx*dx + dy*dy; d < best && !al.taken[j] && turn(al.direction[i], b.direction[j]) < sameTurn {
				best, al.partner[i] = d, int16(j)
			}
		}
		if j := al.partner[i]; j >= 0 {
			al.taken[j] = true
			count++
		}
	}
	return count
}

// overlap counts the cells of the first finger that the motion puts on the second, and compares their ridge flow.
func overlap(a, b *minutiae.Grid, t motion) (cells int, agreement float64) {
	turned := int(math.Round(t.angle * 180 / math.Pi))
	sum := 0.0
	for gy := range a.H {
		for gx := range a.W {
			v := a.Cells[gy*a.W+gx]
			if v == 0 {
				continue
			}
			x, y := (float64(gx)+0.5)*minutiae.CellSize, (float64(gy)+0.5)*minutiae.CellSize
			o := b.At(float32(t.cos*x-t.sin*y+t.dx), float32(t.sin*x+t.cos*y+t.dy))
			if o == 0 {
				continue
			}
			cells++
			sum += cosTwice[((int(v)-int(o)+turned)%180+180)%180]
		}
	}
	if cells == 0 {
		return 0, 0
	}
	return cells, sum / float64(cells)
}

// cosTwice is cos(2d) by degrees; never changed.
var cosTwice = func() (t [180]float64) {
	for d := range t {
		t[d] = math.Cos(2 * float64(d) * math.Pi / 180)
	}
	return t
}()
