package minutiae

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func drawSet(t *rapid.T) Set {
	s := Set{W: rapid.IntRange(1, 400).Draw(t, "w"), H: rapid.IntRange(1, 400).Draw(t, "h")}
	s.Grid = NewGrid(s.W, s.H)
	for i := range s.Grid.Cells {
		s.Grid.Cells[i] = uint8(rapid.IntRange(0, 180).Draw(t, "cell"))
	}
	for range rapid.IntRange(0, 20).Draw(t, "n") {
		s.Points = append(s.Points, Minutia{
			X:         float32(rapid.IntRange(0, s.W*8-1).Draw(t, "x")) / 8,
			Y:         float32(rapid.IntRange(0, s.H*8-1).Draw(t, "y")) / 8,
			Direction: float32(rapid.IntRange(0, 255).Draw(t, "dir")) * (2 * math.Pi / 256),
			Kind:      Kind(rapid.IntRange(0, 2).Draw(t, "kind")),
			Quality:   uint8(rapid.IntRange(1, 100).Draw(t, "q")),
		})
	}
	return s
}

func TestEncodeDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSet(t)
		b, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Points) != len(s.Points) || got.W != s.W || got.H != s.H || !bytes.Equal(got.Grid.Cells, s.Grid.Cells) {
			t.Fatal("the header or the grid changed")
		}
		for i := range s.Points {
			if got.Points[i] != s.Points[i] {
				t.Fatalf("minutia %d: %+v became %+v", i, s.Points[i], got.Points[i])
			}
		}
	})
}

func TestISODirection(t *testing.T) {
	// Straight up on the screen is a quarter turn counter-clockwise: 64/256.
	s := Set{W: 20, H: 20, Points: []Minutia{{X: 3, Y: 4, Direction: 3 * math.Pi / 2, Kind: Ending, Quality: 50}}, Grid: NewGrid(20, 20)}
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if want := []byte{0x40, 24, 0, 32, 64, 50}; !bytes.Equal(b[headerSize:headerSize+6], want) {
		t.Errorf("minutia bytes % x, want % x", b[headerSize:headerSize+6], want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, s := range map[string]Set{
		"empty":    {},
		"no grid":  {W: 20, H: 20},
		"outside":  {W: 20, H: 20, Grid: NewGrid(20, 20), Points: []Minutia{{X: 25, Y: 1, Quality: 1}}},
		"quality":  {W: 20, H: 20, Grid: NewGrid(20, 20), Points: []Minutia{{X: 1, Y: 1}}},
		"too many": {W: 20, H: 20, Grid: NewGrid(20, 20), Points: make([]Minutia, MaxPoints+1)},
	} {
		if _, err := s.Encode(); !errors.Is(err, ErrTemplate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	s := Set{W: 30, H: 20, Points: []Minutia{{X: 3, Y: 4, Direction: 1, Kind: Ending, Quality: 50}}, Grid: NewGrid(30, 20)}
	good, err := s.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add([]byte(magic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrTemplate) {
				t.Fatalf("error without its sentinel: %v", err)
			}
			return
		}
		again, err := s.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("a template has two encodings: % x and % x (%v)", b, again, err)
		}
	})
}
