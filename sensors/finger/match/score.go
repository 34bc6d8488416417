package match

import (
	"math"

	"github.com/vouchbox/vouch/sensors"
)

// Features are the parts of a score.
type Features struct {
	Global float32
	E      evidence
	UA, UB int
}

func (m *Matcher) Features(a, b *Print) Features {
	m.local(a, b)
	m.relax(a, b)
	return Features{m.global(a, b), m.verify(a, b), a.usable, b.usable}
}

func (f Features) Row() []float64 {
	return []float64{float64(f.Global), float64(f.E.matched), float64(f.E.inA), float64(f.E.inB), float64(f.E.area), f.E.agreement, f.E.spread, f.E.surprise(), float64(min(f.UA, f.UB))}
}

// Compare returns the similarity.
func (m *Matcher) Compare(a, b *Print) sensors.Score {
	return sensors.Score(m.Features(a, b).sum())
}

func (f Features) sum() float64 {
	return 10 * float64(f.Global) * math.Pow(4+f.E.surprise(), 0.75) * math.Pow(float64(max(min(f.UA, f.UB), 8)), 0.2)
}
