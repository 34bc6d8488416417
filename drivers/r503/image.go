package r503

import (
	"fmt"
	"image"
)

// sizes lists the picture sizes of known sensors, in pixels. A picture is 4 bits a pixel, so the byte count names the size.
func sizes() []image.Point {
	return []image.Point{
		{X: 192, Y: 192}, // R503, R551
		{X: 256, Y: 288}, // R305, R307, AS608, ZFM-20
		{X: 160, Y: 160}, // R557, FPM383
	}
}

// maxImage bounds what one upload may bring, in bytes: twice the largest known picture.
const maxImage = 2 * 256 * 288 / 2

// DecodeImage unpacks a picture as the module sends it: two pixels a byte, the left one in the high nibble, 16 levels spread over
// 0..255. A size with X = 0 is looked up by byte count. Any other byte count than the one expected is ErrShortImage.
func DecodeImage(raw []byte, size image.Point) (*image.Gray, error) {
	if size.X <= 0 || size.Y <= 0 {
		size = image.Point{}
		for _, s := range sizes() {
			if len(raw) == s.X*s.Y/2 {
				size = s
			}
		}
	}
	if len(raw) == 0 || len(raw)*2 != size.X*size.Y {
		return nil, fmt.Errorf("r503: %w: %d bytes", ErrShortImage, len(raw))
	}
	img := image.NewGray(image.Rectangle{Max: size})
	for i, b := range raw {
		img.Pix[2*i] = b >> 4 * 17
		img.Pix[2*i+1] = b & 15 * 17
	}
	return img, nil
}
