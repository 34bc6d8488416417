package synth

import (
	"image"
	"math"
	"math/rand/v2"
)

// Options says how the finger touches and what the sensor is like.
type Options struct {
	W, H, DPI   int        // of the image
	Rotation    float64    // radians, clockwise on the screen
	Translation [2]float64 // pixels at MasterDPI that the finger is shifted right and down
	Distortion  float64    // root mean square skin displacement, pixels at MasterDPI; 2 is natural
	Coverage    float64    // share of the pad in contact: 1 all, 0 none
	Noise       float64    // 0 clean to 1 very bad
	Pressure    float64    // -1 dry, 0 normal, +1 wet
	Levels      int        // grey levels; 16 for 4 bits, 0 means 256
}

// R503 returns a perfect, centred touch on the R503: 192 x 192 pixels at 508 dpi in 16 grey levels.
func R503() Options {
	return Options{W: 192, H: 192, DPI: 508, Coverage: 1, Levels: 16}
}

// Touch returns an ordinary touch on the R503: what a person does when asked to put the finger on the sensor.
func Touch(seed uint64) Options {
	rng := rand.New(rand.NewPCG(seed, 0x746f756368))
	within := func(by float64) float64 { return (2*rng.Float64() - 1) * by }
	o := R503()
	o.Rotation = within(20 * math.Pi / 180)
	o.Translation = [2]float64{within(22), within(22)}
	o.Distortion = 1 + 1.5*rng.Float64()
	o.Coverage = 0.8 + 0.2*rng.Float64()
	o.Noise = 0.1 + 0.3*rng.Float64()
	o.Pressure = within(0.4)
	return o
}

// Impression is one touch and its truth.
type Impression struct {
	Image    *image.Gray
	DPI      int
	Minutiae []Minutia // those in contact, in pixels of Image
}

// Impression renders one touch. The seed draws the skin distortion, the contact and the noise.
func (f *Finger) Impression(seed uint64, opt Options) Impression {
	rng := rand.New(rand.NewPCG(seed, 0x696d7072657373))
	t := newTouch(rng, f, opt)
	out := Impression{Image: image.NewGray(image.Rect(0, 0, opt.W, opt.H)), DPI: opt.DPI}
	t.render(rng, out.Image, opt)
	for _, m := range f.Minutiae {
		p, ok := t.toImage(m.X, m.Y)
		if !ok || !(p.x >= 0 && p.y >= 0 && p.x < float64(opt.W) && p.y < float64(opt.H)) || t.contact(p.x, p.y) < 1 {
			continue
		}
		sin, cos := math.Sincos(m.Direction)
		q, _ := t.toImage(m.X+4*cos, m.Y+4*sin)
		dir := math.Mod(math.Atan2(q.y-p.y, q.x-p.x)+2*math.Pi, 2*math.Pi)
		out.Minutiae = append(out.Minutiae, Minutia{X: p.x, Y: p.y, Direction: dir, Kind: m.Kind})
	}
	return out
}

// touch maps image pixels to master pixels: shift and turn, then stretch.
type touch struct {
	f        *Finger
	sin, cos float64 // of the rotation
	scale    float64 // master pixels in an image pixel
	mid      point   // middle of the image
	shift    point   // of the finger, master pixels
	dx, dy   *field
	stretch  float64
	edge     *field
	reach    float64 // relative radius of the contact
}

func newTouch(rng *rand.Rand, f *Finger, opt Options) *touch {
	t := &touch{f: f, scale: MasterDPI / float64(opt.DPI), mid: point{float64(opt.W-1) / 2, float64(opt.H-1) / 2}, shift: point{opt.Translation[0], opt.Translation[1]}}
	t.sin, t.cos = math.Sincos(opt.Rotation)
	// The components share the rms; a wavelength of about the pad keeps it a stretch and not a ripple.
	t.dx, t.dy = newField(rng, masterW, masterH, 260), newField(rng, masterW, masterH, 260)
	t.stretch = opt.Distortion / math.Sqrt2
	t.edge = newField(rng, masterW, masterH, 60)
	t.reach = math.Sqrt(max(opt.Coverage, 0)) * 1.05
	return t
}

// rigid maps an image pixel to the master without stretch.
func (t *touch) rigid(x, y float64) point {
	u := (x-t.mid.x)*t.scale - t.shift.x
	v := (y-t.mid.y)*t.scale - t.shift.y
	return point{t.f.centre.x + t.cos*u + t.sin*v, t.f.centre.y - t.sin*u + t.cos*v}
}

func (t *touch) toMaster(x, y float64) point {
	q := t.rigid(x, y)
	return point{q.x + t.stretch*t.dx.at(q.x, q.y), q.y + t.stretch*t.dy.at(q.x, q.y)}
}

// toImage inverts toMaster by fixed-point iteration; the stretch is a contraction.
func (t *touch) toImage(mx, my float64) (point, bool) {
	q := point{mx, my}
	for range 12 {
		q = point{mx - t.stretch*t.dx.at(q.x, q.y), my - t.stretch*t.dy.at(q.x, q.y)}
	}
	du, dv := q.x-t.f.centre.x, q.y-t.f.centre.y
	u, v := t.cos*du-t.sin*dv+t.shift.x, t.sin*du+t.cos*dv+t.shift.y
	p := point{u/t.scale + t.mid.x, v/t.scale + t.mid.y}
	back := t.toMaster(p.x, p.y)
	return p, math.Hypot(back.x-mx, back.y-my) < 0.5
}

// contact returns 0 off the finger rising to 1 well inside the contact.
func (t *touch) contact(x, y float64) float64 {
	q := t.rigid(x, y)
	// The part in contact lies around the middle of the touch, not of the pad.
	dx, dy := (q.x-masterW/2)/(masterW/2-8), (q.y-masterH/2)/(masterH/2-8)
	pad := 1 - math.Sqrt(dx*dx+dy*dy)
	c := t.rigid(t.mid.x, t.mid.y)
	ex, ey := (q.x-c.x)/(masterW/2-20), (q.y-c.y)/(masterH/2-40)
	spot := t.reach - math.Sqrt(ex*ex+ey*ey)
	return min(max((min(pad, spot)+0.03*t.edge.at(q.x, q.y))*12, 0), 1)
}

func (t *touch) render(rng *rand.Rand, img *image.Gray, opt Options) {
	w, h := opt.W, opt.H
	press := newField(rng, masterW, masterH, 120)
	blobs, fine := grain(rng, w, h, 2), grain(rng, w, h, 0)
	pores := grain(rng, w, h, 1)
	scratch := scratches(rng, w, h, int(8*opt.Noise*rng.Float64()))
	rough := 0.15 + 2*opt.Noise*opt.Noise + 0.6*opt.Pressure*opt.Pressure
	for y := range h {
		for x := range w {
			i := y*w + x
			m := t.toMaster(float64(x), float64(y))
			q := t.rigid(float64(x), float64(y))
			c := t.contact(float64(x), float64(y))
			r := float64(sample(t.f.ridge, m.x, m.y))
			// A dry ridge breaks up; a wet valley fills in.
			v := r + 0.9*opt.Pressure + 0.15*press.at(q.x, q.y) + rough*float64(blobs[i])
			v -= 0.15 * max(0, float64(pores[i])-1.2) * max(r, 0)
			v -= 2.5 * float64(scratch[i])
			ink := c / (1 + math.Exp(-4*v))
			g := 236 - 205*ink + (2+14*opt.Noise)*float64(fine[i])
			img.Pix[y*img.Stride+x] = quantise(g, opt.Levels)
		}
	}
}

func quantise(g float64, levels int) uint8 {
	g = min(max(g, 0), 255)
	if levels < 2 || levels > 255 {
		return uint8(g + 0.5)
	}
	n := float64(levels - 1)
	return uint8(math.Round(math.Round(g/255*n) * 255 / n))
}

// scratches draws n thin lines where the skin does not touch.
func scratches(rng *rand.Rand, w, h, n int) []float32 {
	out := make([]float32, w*h)
	for range n {
		x, y := rng.Float64()*float64(w), rng.Float64()*float64(h)
		sin, cos := math.Sincos(2 * math.Pi * rng.Float64())
		for range 30 + rng.IntN(60) {
			for _, d := range [2]float64{0, 1} {
				px, py := int(x-d*sin), int(y+d*cos)
				if px >= 0 && py >= 0 && px < w && py < h {
					out[py*w+px] = 1
				}
			}
			x, y = x+cos, y+sin
		}
	}
	return out
}
