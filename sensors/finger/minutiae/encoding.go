package minutiae

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Format is the number of the encoding, for sensors.Template.Format.
const Format uint16 = 1

// ErrTemplate says that bytes are not a template of this encoding.
var ErrTemplate = errors.New("not a finger template of format 1")

// Layout of format 1, big-endian:
//
//	offset size
//	0      4    "VFM1"
//	4      2    width, pixels at 500 dpi
//	6      2    height
//	8      1    number of minutiae n, at most MaxPoints
//	9      1    CellSize
//	10     6n   minutiae
//	10+6n  g    orientation grid, ceil(width/CellSize)*ceil(height/CellSize) bytes
//
// A minutia, fields in the order of ISO/IEC 19794-2:2005 clause 7.5.2:
//
//	0      2    kind (2 bits), x (14 bits) in eighths of a pixel
//	2      2    zero (2 bits), y (14 bits) in eighths of a pixel
//	4      1    direction, counter-clockwise from the x axis, in 1/256 turn (ISO: 1.40625 degrees)
//	5      1    quality, 1..100
const (
	magic        = "VFM1"
	headerSize   = 10
	minutiaSize  = 6
	subpixel     = 8
	maxSide      = 1<<14/subpixel - 1
	maxDirection = 256
)

// Encode returns the stored form of s. Directions and positions are rounded to it. It fails on a Set that Decode would refuse.
func (s *Set) Encode() ([]byte, error) {
	b := make([]byte, headerSize, headerSize+minutiaSize*len(s.Points)+len(s.Grid.Cells))
	copy(b, magic)
	if s.W < 1 || s.H < 1 || s.W > maxSide || s.H > maxSide || len(s.Points) > MaxPoints {
		return nil, fmt.Errorf("encode %dx%d pixels with %d minutiae: %w", s.W, s.H, len(s.Points), ErrTemplate)
	}
	binary.BigEndian.PutUint16(b[4:], uint16(s.W))
	binary.BigEndian.PutUint16(b[6:], uint16(s.H))
	b[8], b[9] = uint8(len(s.Points)), CellSize
	for _, m := range s.Points {
		x := uint16(math.Round(float64(m.X) * subpixel))
		y := uint16(math.Round(float64(m.Y) * subpixel))
		turn := math.Round(-float64(m.Direction) / (2 * math.Pi) * maxDirection)
		b = binary.BigEndian.AppendUint16(b, uint16(m.Kind)<<14|x&0x3fff)
		b = binary.BigEndian.AppendUint16(b, y&0x3fff)
		b = append(b, uint8(int(turn)), m.Quality)
	}
	b = append(b, s.Grid.Cells...)
	if _, err := Decode(b); err != nil {
		return nil, err
	}
	return b, nil
}

// Decode reads what Encode wrote. Each template has one encoding: trailing bytes, reserved bits, points outside the
// impression and values out of range are ErrTemplate.
func Decode(b []byte) (Set, error) {
	fail := func(what string) (Set, error) { return Set{}, fmt.Errorf("%s: %w", what, ErrTemplate) }
	if len(b) < headerSize || string(b[:4]) != magic {
		return fail("header")
	}
	s := Set{W: int(binary.BigEndian.Uint16(b[4:])), H: int(binary.BigEndian.Uint16(b[6:]))}
	n := int(b[8])
	if s.W < 1 || s.H < 1 || s.W > maxSide || s.H > maxSide || n > MaxPoints || b[9] != CellSize {
		return fail("header values")
	}
	s.Grid = Grid{W: (s.W + CellSize - 1) / CellSize, H: (s.H + CellSize - 1) / CellSize}
	if len(b) != headerSize+n*minutiaSize+s.Grid.W*s.Grid.H {
		return fail("length")
	}
	s.Points = make([]Minutia, n)
	for i := range s.Points {
		p := b[headerSize+i*minutiaSize:]
		xk, y := binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
		m := Minutia{
			X: float32(xk&0x3fff) / subpixel, Y: float32(y) / subpixel,
			Direction: float32(uint8(-p[4])) * (2 * math.Pi / maxDirection),
			Kind:      Kind(xk >> 14), Quality: p[5],
		}
		if y>>14 != 0 || m.Kind > Bifurcation || m.Quality < 1 || m.Quality > 100 || m.X >= float32(s.W) || m.Y >= float32(s.H) {
			return fail("minutia")
		}
		s.Points[i] = m
	}
	s.Grid.Cells = append([]uint8{}, b[headerSize+n*minutiaSize:]...)
	for _, c := range s.Grid.Cells {
		if c > 180 {
			return fail("orientation")
		}
	}
	return s, nil
}
