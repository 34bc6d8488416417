package main

import (
	"fmt"
	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger"
	"github.com/vouchbox/vouch/sensors/finger/match"
	"github.com/vouchbox/vouch/sensors/synth"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

type item struct {
	name, f string
	img     *image.Gray
	dpi     int
	p       *match.Print
}

func load(dir string, dpi int) []item {
	fs, _ := filepath.Glob(dir + "/*.png")
	sort.Strings(fs)
	var out []item
	for _, p := range fs {
		fh, _ := os.Open(p)
		g, e := png.Decode(fh)
		fh.Close()
		if e != nil {
			panic(e)
		}
		gr, ok := g.(*image.Gray)
		if !ok {
			gr = image.NewGray(g.Bounds())
			for y := 0; y < gr.Rect.Dy(); y++ {
				for x := 0; x < gr.Rect.Dx(); x++ {
					gr.Set(x, y, g.At(x, y))
				}
			}
		}
		n := strings.TrimSuffix(filepath.Base(p), ".png")
		out = append(out, item{name: n, f: strings.Split(n, "_")[0], img: gr, dpi: dpi})
	}
	return out
}
func crop(in []item) []item {
	r := rand.New(rand.NewPCG(1, 2))
	var out []item
	for _, it := range in { // centroid of dark
		var sx, sy, n int
		b := it.img.Rect
		for y := 0; y < b.Dy(); y++ {
			for x := 0; x < b.Dx(); x++ {
				v := int(it.img.Pix[y*it.img.Stride+x])
				if v < 160 && v > 0 {
					sx += x
					sy += y
					n++
				}
			}
		}
		if n == 0 {
			n = 1
		}
		cx, cy := sx/n+r.IntN(49)-24, sy/n+r.IntN(49)-24
		g := image.NewGray(image.Rect(0, 0, 192, 192))
		for y := 0; y < 192; y++ {
			for x := 0; x < 192; x++ {
				px, py := cx-96+x, cy-96+y
				v := uint8(255)
				if px >= 0 && py >= 0 && px < b.Dx() && py < b.Dy() {
					v = it.img.Pix[py*it.img.Stride+px]
				}
				v = uint8((int(v) + 8) / 17 * 17)
				g.Pix[y*192+x] = v
			}
		}
		it.img = g
		out = append(out, it)
	}
	return out
}
func syn() []item {
	var out []item
	for f := 0; f < 10; f++ {
		fg := synth.NewFinger(uint64(100+f), 0)
		for k := 0; k < 6; k++ {
			s := uint64(f*100 + k)
			im := fg.Impression(s, synth.Touch(s))
			out = append(out, item{name: fmt.Sprintf("%d_%d", f, k), f: fmt.Sprint(f), img: im.Image, dpi: 508})
		}
	}
	return out
}

type res struct {
	s    float64
	same bool
	a, b string
	row  []float64
}

func eer(rs []res) (e, f01, f0, thr float64, g, i int) {
	sort.Slice(rs, func(a, b int) bool { return rs[a].s > rs[b].s })
	for _, r := range rs {
		if r.same {
			g++
		} else {
			i++
		}
	}
	tp, fp := 0, 0
	e = 1
	f01 = -1
	f0 = -1
	for _, r := range rs {
		if r.same {
			tp++
		} else {
			if f0 < 0 {
				f0 = 1 - float64(tp)/float64(g)
				thr = r.s
			}
			if float64(fp+1) > 0.001*float64(i) && f01 < 0 {
				f01 = 1 - float64(tp)/float64(g)
			}
			fp++
		}
		fm, fn := float64(fp)/float64(i), 1-float64(tp)/float64(g)
		if m := max(fm, fn); m < e {
			e = m
		}
	}
	return
}
func main() {
	root := "/work/shared/data/fingerprints/"
	sets := map[string]func() []item{"1synth": syn, "2db1": func() []item { return load(root+"fvc2002_db1_b", 500) }, "3db3": func() []item { return load(root+"fvc2004_db3_b", 512) }, "4db4": func() []item { return load(root+"fvc2004_db4_b", 500) }, "5db1crop": func() []item { return crop(load(root+"fvc2002_db1_b", 500)) }, "6db4crop": func() []item { return crop(load(root+"fvc2004_db4_b", 500)) }}
	var names []string
	for n := range sets {
		if len(os.Args) < 2 || strings.Contains(n, os.Args[1]) {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	w, _ := os.Create("/tmp/features.csv")
	for _, n := range names {
		its := sets[n]()
		t0 := time.Now()
		pts := 0
		for i := range its {
			s, _, e := finger.Extract(sensors.Sample{Image: its[i].img, DPI: its[i].dpi})
			if e != nil {
				panic(e)
			}
			pts += len(s.Points)
			its[i].p = match.Prepare(s)
		}
		te := time.Since(t0)
		t0 = time.Now()
		m := match.New()
		var rs []res
		for i := range its {
			for j := i + 1; j < len(its); j++ {
				s := float64(m.Compare(its[i].p, its[j].p).Score)
				rs = append(rs, res{s: s, same: its[i].f == its[j].f, a: its[i].name, b: its[j].name})
			}
		}
		tm := time.Since(t0)
		for _, r := range rs {
			_ = r
		}
		if os.Getenv("FEAT") != "" {
			for i := range its {
				for j := i + 1; j < len(its); j++ {
					var f []float64
					same := 0
					if its[i].f == its[j].f {
						same = 1
					}
					fmt.Fprint(w, n, ",", same)
					for _, v := range f {
						fmt.Fprintf(w, ",%.5f", v)
					}
					fmt.Fprintln(w)
				}
			}
		}
		e, f1, f0, th, g, im := eer(rs)
		if os.Getenv("TOP") != "" {
			k := 0
			for _, r := range rs {
				if !r.same {
					fmt.Println(r.a, r.b, r.s)
					k++
					if k > 25 {
						break
					}
				}
			}
		}
		fmt.Printf("%-9s EER %5.2f  FNMR@.1%% %5.2f  @0 %5.2f thr %.4f  gen %d imp %d  ext %.1fms  min/print %.1f  match %.0f/s\n", n, 100*e, 100*f1, 100*f0, th, g, im, te.Seconds()*1000/float64(len(its)), float64(pts)/float64(len(its)), float64(len(rs))/tm.Seconds())
	}
	w.Close()
}
