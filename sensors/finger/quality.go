package finger

import (
	"math"

	"github.com/vouchbox/vouch/sensors"
)

// Limits of the quality measure. They were set on synthetic impressions of known coverage, pressure and noise, and looked
// at on public optical and thermal sets; the scale is this package's own and not that of NFIQ 2.
const (
	noFingerArea = 8.0  // mm2 below which there is no finger
	fullArea     = 62.0 // mm2 from which more does not help; the R503 sees 92
	poorWaves    = 0.42 // share of the signal that is ridges: useless
	goodWaves    = 0.75 // as good as it gets
	enoughPoints = 14
	dryInk       = 0.38 // share of the finger that is darker than the middle grey
	wetInk       = 0.62
	goodScore    = 60 // from here on there is nothing to complain about
)

// quality rates the reading: how much finger, how clear the ridges, how many minutiae. The reason is the worst of them.
func (r *reading) quality(dpi int) sensors.Quality {
	n, waves := 0, 0.0
	for c, ok := range r.flow.finger {
		if ok {
			n++
			waves += float64(r.flow.certainty[c])
		}
	}
	side := cell * 25.4 / float64(dpi)
	area := float64(n) * side * side
	if area < noFingerArea {
		return sensors.Quality{Score: 0, Reason: sensors.NoFinger}
	}
	coverage := min(area/fullArea, 1)
	clarity := min(max((waves/float64(n)-poorWaves)/(goodWaves-poorWaves), 0), 1)
	points := min(float64(len(r.points))/enoughPoints, 1)
	ink := r.ink()
	evenness := 1 - 2*max(0, dryInk-ink, ink-wetInk)
	q := sensors.Quality{Score: int(math.Round(100 * coverage * clarity * math.Sqrt(points) * max(evenness, 0)))}
	switch {
	case q.Score >= goodScore:
	case coverage < clarity && coverage < 0.8:
		q.Reason = sensors.Partial
	case ink < dryInk:
		q.Reason = sensors.Dry
	case ink > wetInk:
		q.Reason = sensors.Wet
	default:
		q.Reason = sensors.Smudged
	}
	return q
}

// ink returns the share of the finger that is darker than half way between its dark and its light.
func (r *reading) ink() float64 {
	var bins [256]int
	total := 0
	for y := range r.img.h {
		for x := range r.img.w {
			if r.flow.finger[y/cell*r.flow.w+x/cell] {
				bins[uint8(r.img.v[y*r.img.w+x])]++
				total++
			}
		}
	}
	at := func(share float64) int {
		left := int(share * float64(total))
		for g, n := range bins {
			if left -= n; left < 0 {
				return g
			}
		}
		return 255
	}
	middle := (at(0.03) + at(0.97)) / 2
	dark := 0
	for _, n := range bins[:middle] {
		dark += n
	}
	return float64(dark) / float64(max(total, 1))
}
