package finger

// segment marks the cells that show finger: enough contrast, one region, no holes.
func (f *flow) segment(deviation plane) {
	contrast := newPlane(f.w, f.h)
	for cy := range f.h {
		for cx := range f.w {
			x, y := min(cx*cell+cell/2, deviation.w-1), min(cy*cell+cell/2, deviation.h-1)
			contrast.v[cy*f.w+cx] = deviation.v[y*deviation.w+x]
		}
	}
	threshold := max(0.3*percentile(contrast.v, 0.9), minContrast)
	contrast.blur(1, 2)
	for c := range f.finger {
		f.finger[c] = contrast.v[c] > threshold
	}
	f.keepLargest(true)
	f.keepLargest(false)
}

// minContrast is the deviation in grey levels below which nothing is a ridge.
const minContrast = 8

func percentile(v []float32, q float64) float32 {
	var bins [256]int
	for _, x := range v {
		bins[min(max(int(x), 0), 255)]++
	}
	left := int(q * float64(len(v)))
	for g, n := range bins {
		if left -= n; left < 0 {
			return float32(g)
		}
	}
	return 255
}

// keepLargest keeps the largest connected region of cells with finger == kind and turns the others over. For the
// outside, all regions that touch the border stay.
func (f *flow) keepLargest(kind bool) {
	label := make([]int32, len(f.finger))
	var sizes []int
	var border []bool
	var stack []int
	for start := range f.finger {
		if label[start] != 0 || f.finger[start] != kind {
			continue
		}
		id := int32(len(sizes) + 1)
		sizes, border = append(sizes, 0), append(border, false)
		stack = append(stack[:0], start)
		label[start] = id
		for len(stack) > 0 {
			c := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			sizes[id-1]++
			x, y := c%f.w, c/f.w
			for _, d := range [4][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
				nx, ny := x+d[0], y+d[1]
				if nx < 0 || ny < 0 || nx >= f.w || ny >= f.h {
					border[id-1] = true
					continue
				}
				if n := ny*f.w + nx; label[n] == 0 && f.finger[n] == kind {
					label[n] = id
					stack = append(stack, n)
				}
			}
		}
	}
	best := 0
	for i, n := range sizes {
		if n > sizes[best] {
			best = i
		}
	}
	for c, id := range label {
		if id == 0 {
			continue
		}
		keep := int(id-1) == best
		if !kind {
			keep = border[id-1]
		}
		if !keep {
			f.finger[c] = !kind
		}
	}
}

// depth returns for each cell its distance in cells to the nearest cell off the finger, in city blocks, the outside of
// the image included.
func (f *flow) depth() []int {
	d := make([]int, len(f.finger))
	at := func(x, y int) int {
		if x < 0 || y < 0 || x >= f.w || y >= f.h {
			return 0
		}
		return d[y*f.w+x]
	}
	for y := range f.h {
		for x := range f.w {
			if f.finger[y*f.w+x] {
				d[y*f.w+x] = min(at(x-1, y), at(x, y-1)) + 1
			}
		}
	}
	for y := f.h - 1; y >= 0; y-- {
		for x := f.w - 1; x >= 0; x-- {
			if f.finger[y*f.w+x] {
				d[y*f.w+x] = min(d[y*f.w+x], at(x+1, y)+1, at(x, y+1)+1)
			}
		}
	}
	return d
}
