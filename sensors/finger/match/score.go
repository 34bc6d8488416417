package match

import (
	"math"

	"github.com/vouchbox/vouch/sensors"
)

// Comparison is the outcome of comparing two prints.
type Comparison struct {
	Score   sensors.Score // see Accept for the scale
	Overlap float64       // 0..1: share of the smaller finger area that the best motion brings together
}

// Compare compares two impressions. It is deterministic, nearly but not exactly symmetric, and allocates nothing.
func (m *Matcher) Compare(a, b *Print) Comparison {
	m.local(a, b)
	m.relax(a, b)
	e := m.verify(a, b)
	// The cylinders and the alignment err in different ways, so their product is better than either. The relaxed
	// similarity falls with the number of minutiae; the last factor makes up for it. The exponents are round numbers.
	usable := float64(max(min(a.usable, b.usable), 8))
	score := 10 * float64(m.global(a, b)) * math.Pow(4+e.surprise(), 0.75) * math.Pow(usable, 0.2) * max(e.agreement, 0)
	c := Comparison{Score: sensors.Score(score)}
	if smaller := min(a.area, b.area); smaller > 0 {
		c.Overlap = min(float64(e.area)/float64(smaller), 1)
	}
	return c
}

// CompareViews compares a print with several views of one finger: the mean of the two best scores, so that one lucky view does
// not decide; with one view, its score. No views score 0.
func (m *Matcher) CompareViews(p *Print, views []*Print) sensors.Score {
	var first, second sensors.Score
	for _, v := range views {
		switch s := m.Compare(p, v).Score; {
		case s > first:
			first, second = s, first
		case s > second:
			second = s
		}
	}
	if len(views) < 2 {
		return first
	}
	return (first + second) / 2
}
