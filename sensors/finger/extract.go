package finger

import (
	"fmt"
	"image"
	"math"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger/minutiae"
)

// The resolutions and sizes that Extract takes.
const (
	MinDPI, MaxDPI   = 480, 520
	MinSide, MaxSide = 96, 1024 // pixels
)

// Extract finds the minutiae of one impression. It is pure and deterministic, and takes some 20 ms for 192 x 192 pixels.
// An image without a finger gives an empty Set and the quality that says so; the error is ErrSample for an
// image of the wrong size or resolution. Dark ridges on a light ground are expected.
func Extract(s sensors.Sample) (minutiae.Set, sensors.Quality, error) {
	if s.Image == nil {
		return minutiae.Set{}, sensors.Quality{}, fmt.Errorf("no image: %w", ErrSample)
	}
	b := s.Image.Bounds()
	if s.DPI < MinDPI || s.DPI > MaxDPI {
		return minutiae.Set{}, sensors.Quality{}, fmt.Errorf("%d dpi, want %d to %d: %w", s.DPI, MinDPI, MaxDPI, ErrSample)
	}
	if b.Dx() < MinSide || b.Dy() < MinSide || b.Dx() > MaxSide || b.Dy() > MaxSide || s.Image.Stride < b.Dx() || len(s.Image.Pix) < (b.Dy()-1)*s.Image.Stride+b.Dx() {
		return minutiae.Set{}, sensors.Quality{}, fmt.Errorf("%dx%d pixels, want sides of %d to %d: %w", b.Dx(), b.Dy(), MinSide, MaxSide, ErrSample)
	}
	r := read(s.Image)
	defer clear(r.img.v)
	q := r.quality(s.DPI)
	return r.set(float64(minutiae.DPI) / float64(s.DPI)), q, nil
}

// reading is one impression as the stages of the extraction leave it.
type reading struct {
	img    plane
	flow   *flow
	points []minutiae.Minutia // pixels of the image
}

func read(img *image.Gray) *reading {
	r := &reading{img: fromGray(img)}
	levelled, deviation := level(r.img)
	f := newFlow(r.img.w, r.img.h)
	f.segment(deviation)
	f.orient(levelled, 2)
	f.measure(levelled)
	// The first pass joins what noise has cut; its clean ridges tell the orientation again, sharper.
	once := f.enhance(levelled)
	f.orient(once, 1)
	twice := f.enhance(levelled)
	lines := skeletonise(twice, f)
	r.flow = f
	r.points = detect(lines, r.img.w, r.img.h, f)
	for _, p := range []plane{levelled, deviation, once, twice} {
		clear(p.v) // pictures of the finger
	}
	clear(lines)
	return r
}

// set scales the reading to 500 dpi.
func (r *reading) set(scale float64) minutiae.Set {
	s := minutiae.Set{W: int(math.Round(float64(r.img.w) * scale)), H: int(math.Round(float64(r.img.h) * scale))}
	s.Grid = minutiae.NewGrid(s.W, s.H)
	k := float32(scale)
	for _, m := range r.points {
		m.X, m.Y = min(m.X*k, float32(s.W)-1), min(m.Y*k, float32(s.H)-1)
		s.Points = append(s.Points, m)
	}
	for gy := range s.Grid.H {
		for gx := range s.Grid.W {
			x := int((float64(gx) + 0.5) * minutiae.CellSize / scale)
			y := int((float64(gy) + 0.5) * minutiae.CellSize / scale)
			if x >= r.img.w || y >= r.img.h || !r.flow.finger[y/cell*r.flow.w+x/cell] {
				continue
			}
			s.Grid.Cells[gy*s.Grid.W+gx] = 1 + uint8(int(math.Round(r.flow.angleAt(x, y)*180/math.Pi))%180)
		}
	}
	return s
}
