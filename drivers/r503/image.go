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
// 0..255. The byte count decides the size: hint if it fits, else a known sensor. A count that fits neither is ErrShortImage.
func DecodeImage(raw []byte, hint image.Point) (*image.Gray, error) {
	var size image.Point
	for _, s := range append(sizes(), hint) {
		if s.X > 0 && s.Y > 0 && s.X*s.Y == 2*len(raw) {
			size = s
		}
	}
	if size == (image.Point{}) {
		return nil, fmt.Errorf("%w: %d bytes", ErrShortImage, len(raw))
	}
	img := image.NewGray(image.Rectangle{Max: size})
	for i, b := range raw {
		img.Pix[2*i] = b >> 4 * 17
		img.Pix[2*i+1] = b & 15 * 17
	}
	return img, nil
}
