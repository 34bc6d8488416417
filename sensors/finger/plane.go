package finger

import "image"

// plane is a row-major grid of numbers.
type plane struct {
	w, h int
	v    []float32
}

func newPlane(w, h int) plane { return plane{w, h, make([]float32, w*h)} }

func fromGray(img *image.Gray) plane {
	b := img.Bounds()
	p := newPlane(b.Dx(), b.Dy())
	for y := range p.h {
		row := img.Pix[img.PixOffset(b.Min.X, b.Min.Y+y):]
		for x := range p.w {
			p.v[y*p.w+x] = float32(row[x])
		}
	}
	return p
}

// blur replaces each value by the mean of the (2r+1)-sided square around it; near the border the square is cut off.
// Three passes are close to a Gaussian of sigma sqrt(r(r+1)).
func (p plane) blur(r, passes int) {
	line := make([]float32, max(p.w, p.h))
	for range passes {
		for y := range p.h {
			boxLine(p.v[y*p.w:], 1, p.w, r, line)
		}
		for x := range p.w {
			boxLine(p.v[x:], p.w, p.h, r, line)
		}
	}
}

// boxLine blurs n values that lie step apart.
func boxLine(v []float32, step, n, r int, line []float32) {
	for i := range n {
		line[i] = v[i*step]
	}
	sum, count := 0.0, 0.0 // double, so that a bright region leaves no rest behind
	for i := 0; i < min(r, n); i++ {
		sum += float64(line[i])
		count++
	}
	for i := range n {
		if i+r < n {
			sum += float64(line[i+r])
			count++
		}
		if i-r-1 >= 0 {
			sum -= float64(line[i-r-1])
			count--
		}
		v[i*step] = float32(sum / count)
	}
}

// at interpolates between the pixels; outside the plane the border value holds.
func (p plane) at(x, y float32) float32 {
	x = min(max(x, 0), float32(p.w)-1.001)
	y = min(max(y, 0), float32(p.h)-1.001)
	ix, iy := int(x), int(y)
	fx, fy := x-float32(ix), y-float32(iy)
	a := p.v[iy*p.w+ix : iy*p.w+ix+2]
	b := p.v[(iy+1)*p.w+ix : (iy+1)*p.w+ix+2]
	return (a[0]*(1-fx)+a[1]*fx)*(1-fy) + (b[0]*(1-fx)+b[1]*fx)*fy
}
