package finger

import (
	"math"
	"slices"

	"github.com/vouchbox/vouch/sensors/finger/minutiae"
)

const (
	borderCells  = 3  // minutiae nearer to the edge of the finger than this are its edge
	traceSteps   = 12 // pixels followed along a line to learn its direction
	dipole       = 8  // pixels: an opposite pair nearer than a ridge period is a gap, bridge, spur, island or pore
	crowdRadius  = 16
	crowdLimit   = 4 // more than this many within crowdRadius are noise
	worstQuality = 12
)

// skeletonise thresholds the enhanced image and thins the ridges.
func skeletonise(enhanced plane, f *flow) []uint8 {
	b := make([]uint8, len(enhanced.v))
	for y := 1; y < enhanced.h-1; y++ {
		for x := 1; x < enhanced.w-1; x++ {
			if i := y*enhanced.w + x; enhanced.v[i] > 0 && f.finger[y/cell*f.w+x/cell] {
				b[i] = 1
			}
		}
	}
	thin(b, enhanced.w)
	return b
}

// detect finds the minutiae on a skeleton and drops those that are artefacts.
func detect(skeleton []uint8, w, h int, f *flow) []minutiae.Minutia {
	depth := f.depth()
	var found []minutiae.Minutia
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			i := y*w + x
			if skeleton[i] == 0 {
				continue
			}
			n := neighbours(skeleton, i, w)
			kind := minutiae.Ending
			switch c := crossings(n); {
			case c >= 3:
				kind = minutiae.Bifurcation
			case c != 1:
				continue
			}
			angle, ok := direction(skeleton, i, w, f.angleAt(x, y))
			if !ok {
				continue
			}
			c := y/cell*f.w + x/cell
			q := 100 * f.certainty[c] * min(1.25*f.coherence[c], 1)
			found = append(found, minutiae.Minutia{X: float32(x), Y: float32(y), Direction: angle, Kind: kind, Quality: uint8(min(max(q, 1), 100))})
		}
	}
	found = cancel(found)
	found = slices.DeleteFunc(found, func(m minutiae.Minutia) bool {
		return depth[int(m.Y)/cell*f.w+int(m.X)/cell] < borderCells || m.Quality < worstQuality
	})
	return thinOut(found)
}

// angleAt interpolates the orientation between the cells.
func (f *flow) angleAt(x, y int) float64 {
	gx, gy := (float64(x)+0.5)/cell-0.5, (float64(y)+0.5)/cell-0.5
	x0, y0 := int(math.Floor(gx)), int(math.Floor(gy))
	var re, im float64
	for _, d := range [4][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
		cx, cy := min(max(x0+d[0], 0), f.w-1), min(max(y0+d[1], 0), f.h-1)
		s, c := math.Sincos(2 * float64(f.angle[cy*f.w+cx]))
		k := (1 - math.Abs(gx-float64(x0+d[0]))) * (1 - math.Abs(gy-float64(y0+d[1])))
		re += k * c
		im += k * s
	}
	return math.Mod(math.Atan2(im, re)/2+math.Pi, math.Pi)
}

// direction follows the lines that leave pixel i and returns the ridge orientation there, turned to the side that has
// one ridge more. It fails when the lines do not say which side that is.
func direction(skeleton []uint8, i, w int, orientation float64) (float32, bool) {
	sin, cos := math.Sincos(orientation)
	var starts [8]int
	branches := starts[:0]
	n := neighbours(skeleton, i, w)
	offsets := [8]int{-w, -w + 1, 1, w + 1, w, w - 1, -1, -w - 1}
	for k := range 8 {
		// Of a straight neighbour and the diagonal ones beside it, the straight one is the line.
		set := func(j int) bool { return n>>(j&7)&1 == 1 }
		if set(k) && (k&1 == 0 || !set(k+1) && !set(k+7)) {
			branches = append(branches, i+offsets[k])
		}
	}
	sum := 0.0
	for _, b := range branches {
		e := follow(skeleton, i, b, branches, w)
		dx, dy := float64(e%w-i%w), float64(e/w-i/w)
		if l := math.Hypot(dx, dy); l > 0 {
			sum += (dx*cos + dy*sin) / l
		}
	}
	if math.Abs(sum) < 0.3 {
		return 0, false
	}
	if sum < 0 {
		orientation += math.Pi
	}
	return float32(math.Mod(orientation, 2*math.Pi)), true
}

// follow walks a line from pixel i through its neighbour b and returns where it is after traceSteps, or where it ends or
// forks. The first step may not cross over to another branch.
func follow(skeleton []uint8, i, b int, branches []int, w int) int {
	var path [traceSteps + 1]int
	path[0], path[1] = i, b
	n := 2
	for ; n < len(path); n++ {
		next := -1
		for _, o := range [8]int{-w, 1, w, -1, -w + 1, w + 1, w - 1, -w - 1} {
			p := path[n-1] + o
			if skeleton[p] == 0 || slices.Contains(path[:n], p) || n == 2 && slices.Contains(branches, p) {
				continue
			}
			if near(p, path[n-2], w) { // the corner beside the step just made
				continue
			}
			next = p
			break
		}
		if next < 0 {
			break
		}
		path[n] = next
	}
	return path[n-1]
}

func near(a, b, w int) bool {
	dx, dy := a%w-b%w, a/w-b/w
	return dx >= -1 && dx <= 1 && dy >= -1 && dy <= 1
}

// cancel removes pairs of opposite minutiae, nearest first. A minutia adds a turn to the phase of the ridge pattern; two
// opposite turns nearer than a ridge period are no change of the pattern but a flaw in its picture.
func cancel(ms []minutiae.Minutia) []minutiae.Minutia {
	type pair struct {
		a, b int
		d    float64
	}
	var pairs []pair
	for a := range ms {
		for b := range a {
			d := math.Hypot(float64(ms[a].X-ms[b].X), float64(ms[a].Y-ms[b].Y))
			if d < dipole && math.Cos(float64(ms[a].Direction-ms[b].Direction)) < -0.5 {
				pairs = append(pairs, pair{a, b, d})
			}
		}
	}
	slices.SortStableFunc(pairs, func(p, q pair) int {
		if p.d < q.d {
			return -1
		} else if p.d > q.d {
			return 1
		}
		return 0
	})
	gone := make([]bool, len(ms))
	for _, p := range pairs {
		if !gone[p.a] && !gone[p.b] {
			gone[p.a], gone[p.b] = true, true
		}
	}
	kept := ms[:0]
	for i, m := range ms {
		if !gone[i] {
			kept = append(kept, m)
		}
	}
	return kept
}

// thinOut removes crowds, and then the worst beyond the number that a template holds.
func thinOut(ms []minutiae.Minutia) []minutiae.Minutia {
	kept := make([]minutiae.Minutia, 0, len(ms))
	for i, m := range ms {
		crowd := 0
		for j, o := range ms {
			if i != j && math.Hypot(float64(m.X-o.X), float64(m.Y-o.Y)) < crowdRadius {
				crowd++
			}
		}
		if crowd <= crowdLimit {
			kept = append(kept, m)
		}
	}
	if len(kept) > minutiae.MaxPoints {
		slices.SortStableFunc(kept, func(a, b minutiae.Minutia) int { return int(b.Quality) - int(a.Quality) })
		kept = kept[:minutiae.MaxPoints]
	}
	return kept
}
