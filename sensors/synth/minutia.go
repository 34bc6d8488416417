package synth

import "math"

// Kind tells the two sorts of minutiae apart.
type Kind uint8

// The kinds.
const (
	Ending Kind = iota + 1
	Bifurcation
)

// Minutia is a true minutia. Direction points to the side with one ridge more: into an ending ridge, or
// into the valley between the two branches of a bifurcation.
type Minutia struct {
	X, Y      float64 // pixels
	Direction float64 // [0, 2 pi)
	Kind      Kind
}

// residues finds the minutiae of the grown pattern as the places where its phase winds by a full turn.
// A ridge pattern is cos(phase); a ridge that begins out of nothing adds one turn to the phase around its tip
// (Larkin and Fletcher: "A coherent framework for fingerprint analysis", Optics Express 2007).
func residues(g *grower, o *orientation) []Minutia {
	re, im := make([]float32, len(g.ridge)), make([]float32, len(g.ridge))
	for _, i := range g.pixels {
		re[i] = g.filter(i, g.even[g.bin[i]])
		im[i] = g.filter(i, g.odd[g.bin[i]])
	}
	angle := func(i int) float64 { return math.Pi * float64(g.bin[i]%orientBins) / orientBins }
	var found []Minutia
	var charge []int
	for _, p := range g.pixels {
		i := int(p)
		x, y := float64(i%masterW)+0.5, float64(i/masterW)+0.5
		if !inside(x, y, 14) || o.nearSingular(x, y, 10) {
			continue
		}
		corners := [4]int{i, i + 1, i + 1 + masterW, i + masterW}
		var phase [4]float64
		for c, j := range corners {
			s := im[j]
			if math.Cos(angle(j)-angle(i)) < 0 { // the normals disagree: walk the phase the same way
				s = -s
			}
			phase[c] = math.Atan2(float64(s), float64(re[j]))
		}
		turns := 0.0
		for c := range phase {
			turns += math.Remainder(phase[(c+1)%4]-phase[c], 2*math.Pi)
		}
		w := int(math.Round(turns / (2 * math.Pi)))
		if w == 0 {
			continue
		}
		dir := angle(i)
		if w < 0 {
			dir += math.Pi
		}
		found = append(found, Minutia{X: x, Y: y, Direction: math.Mod(dir, 2*math.Pi)})
		charge = append(charge, w)
	}
	// Two opposite turns nearer than a ridge period cancel: no ridge begins there.
	gone := make([]bool, len(found))
	for a := range found {
		for b := range a {
			if !gone[a] && !gone[b] && charge[a] != charge[b] && math.Hypot(found[a].X-found[b].X, found[a].Y-found[b].Y) < 7 {
				gone[a], gone[b] = true, true
			}
		}
	}
	var out []Minutia
	for a, m := range found {
		if gone[a] {
			continue
		}
		sin, cos := math.Sincos(m.Direction)
		m.Kind = Bifurcation
		if sample(g.ridge, m.X+5*cos, m.Y+5*sin) > 0 {
			m.Kind = Ending
		}
		out = append(out, m)
	}
	return out
}

// sample interpolates the master pattern; off the master it is 0.
func sample(ridge []float32, x, y float64) float32 {
	if !(x >= 0 && y >= 0 && x < masterW-1 && y < masterH-1) {
		return 0
	}
	ix, iy := int(x), int(y)
	fx, fy := float32(x-float64(ix)), float32(y-float64(iy))
	p := ridge[iy*masterW+ix : iy*masterW+ix+2]
	q := ridge[(iy+1)*masterW+ix : (iy+1)*masterW+ix+2]
	return (p[0]*(1-fx)+p[1]*fx)*(1-fy) + (q[0]*(1-fx)+q[1]*fx)*fy
}
