// Package minutiae is the vocabulary of fingerprint features and their stored form.
//
// A [Set] is what is kept of one impression: the minutiae, and a coarse grid of ridge orientations that also says
// where there was finger at all. Lengths are pixels at 500 dpi whatever the sensor was, origin in the upper left
// corner. Angles are radians in image coordinates: x right, y down, so they grow clockwise on a screen.
//
// The encoding (see [Set.Encode]) carries the fields of an ISO/IEC 19794-2 finger minutiae record with finer
// coordinates, plus the grid. It is secret and is stored only through sensors/vault.
package minutiae

// DPI is the resolution of all coordinates.
const DPI = 500

// CellSize is the pitch of the orientation grid in pixels.
const CellSize = 12

// MaxPoints is the most minutiae a Set may hold; a whole finger has fewer than 120 true ones.
const MaxPoints = 160

// Kind tells the two sorts of minutiae apart. The numbers are those of ISO/IEC 19794-2.
type Kind uint8

// The kinds.
const (
	Other       Kind = 0
	Ending      Kind = 1
	Bifurcation Kind = 2
)

// Minutia is one point where a ridge ends or forks.
type Minutia struct {
	X, Y      float32 // pixels
	Direction float32 // [0, 2 pi): into the ending ridge, or into the valley between the branches
	Kind      Kind
	Quality   uint8 // 1 worst .. 100 best
}

// Set is the features of one impression.
type Set struct {
	W, H   int // of the impression, pixels
	Points []Minutia
	Grid   Grid
}

// Grid holds the ridge orientation at the middle of each CellSize x CellSize cell, row-major.
type Grid struct {
	W, H  int
	Cells []uint8 // 0: no finger; v in 1..180: orientation (v-1) degrees, modulo 180
}

// NewGrid returns an empty grid that covers w x h pixels.
func NewGrid(w, h int) Grid {
	g := Grid{W: (w + CellSize - 1) / CellSize, H: (h + CellSize - 1) / CellSize}
	g.Cells = make([]uint8, g.W*g.H)
	return g
}

// At returns the cell value under a pixel, 0 outside.
func (g *Grid) At(x, y float32) uint8 {
	if x < 0 || y < 0 {
		return 0
	}
	cx, cy := int(x)/CellSize, int(y)/CellSize
	if cx >= g.W || cy >= g.H {
		return 0
	}
	return g.Cells[cy*g.W+cx]
}
