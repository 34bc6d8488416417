package main

import (
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/vouchbox/vouch/sensors/synth"
)

type impression struct {
	name, finger string
	image        *image.Gray
	dpi          int
}

func load(dir string, dpi int) ([]impression, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_*.png"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s has no FINGER_IMPRESSION.png", dir)
	}
	var set []impression
	for _, path := range files {
		img, err := readGray(path)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(path), ".png")
		who, _, _ := strings.Cut(name, "_")
		set = append(set, impression{name: name, finger: who, image: img, dpi: dpi})
	}
	return set, nil
}

func readGray(path string) (*image.Gray, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	g := image.NewGray(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
	draw.Draw(g, g.Rect, img, img.Bounds().Min, draw.Src)
	return g, nil
}

func synthetic(fingers, touches int) []impression {
	var set []impression
	for f := range fingers {
		who := synth.NewFinger(uint64(100+f), synth.AnyClass)
		for t := range touches {
			seed := uint64(1000*f + t)
			im := who.Impression(seed, synth.Touch(seed))
			set = append(set, impression{name: fmt.Sprintf("%d_%d", f, t), finger: fmt.Sprint(f), image: im.Image, dpi: im.DPI})
		}
	}
	return set
}

// crop cuts each image to side pixels around the middle of its dark pixels, shifted by up to 24, in 16 grey levels.
func crop(set []impression, side int) {
	const shift = 24
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range set {
		img := set[i].image
		var sx, sy, n int
		for y := range img.Rect.Dy() {
			for x := range img.Rect.Dx() {
				if v := img.GrayAt(x, y).Y; v > 0 && v < 160 {
					sx, sy, n = sx+x, sy+y, n+1
				}
			}
		}
		x0 := sx/max(n, 1) - side/2 + rng.IntN(2*shift+1) - shift
		y0 := sy/max(n, 1) - side/2 + rng.IntN(2*shift+1) - shift
		out := image.NewGray(image.Rect(0, 0, side, side))
		for y := range side {
			for x := range side {
				v := 255
				if p := image.Pt(x0+x, y0+y); p.In(img.Rect) {
					v = int(img.GrayAt(p.X, p.Y).Y)
				}
				out.Pix[y*out.Stride+x] = uint8((v + 8) / 17 * 17)
			}
		}
		set[i].image = out
	}
}
