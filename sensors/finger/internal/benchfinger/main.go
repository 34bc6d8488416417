// Command benchfinger measures the extractor and the matcher on folders of impressions, FINGER_IMPRESSION.png, and on synthetic
// fingers.
//
//	go run ./sensors/finger/internal/benchfinger -data DIR [-data DIR] [-dpi 500] [-crop 192] [-views 5]
//	go run ./sensors/finger/internal/benchfinger -synth 30 -touches 6 [-views 5]
//
// Without -data it takes the folders below $DATA. Each pair of impressions of a set is compared once: genuine pairs are of one
// finger, impostor pairs of two. With -views n the first n impressions of each finger are enrolled together and
// the others are compared with all enrolled fingers. -crop cuts the images to a square around the middle of the
// print, shifted by up to 24 pixels at random, in 16 grey levels: what an R503 would see.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger"
	"github.com/vouchbox/vouch/sensors/finger/match"
)

type options struct {
	data           []string
	dpi            int
	crop           int
	views          int
	synth, touches int
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "benchfinger:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	var o options
	fs := flag.NewFlagSet("benchfinger", flag.ContinueOnError)
	fs.Func("data", "folder of FINGER_IMPRESSION.png (repeat for more)", func(s string) error { o.data = append(o.data, s); return nil })
	fs.IntVar(&o.dpi, "dpi", 500, "resolution of the images")
	fs.IntVar(&o.crop, "crop", 0, "cut to this many pixels, 0 for whole images")
	fs.IntVar(&o.views, "views", 1, "impressions enrolled for each finger")
	fs.IntVar(&o.synth, "synth", 0, "synthetic fingers, in place of -data")
	fs.IntVar(&o.touches, "touches", 6, "impressions of each synthetic finger")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if o.synth == 0 && len(o.data) == 0 {
		root := os.Getenv("DATA")
		if root == "" {
			return errors.New("no data: give -data DIR, -synth N, or set DATA to a folder of sets")
		}
		found, err := filepath.Glob(filepath.Join(root, "*", "*_*.png"))
		if err != nil {
			return err
		}
		for _, f := range found {
			if d := filepath.Dir(f); len(o.data) == 0 || o.data[len(o.data)-1] != d {
				o.data = append(o.data, d)
			}
		}
		if len(o.data) == 0 {
			return fmt.Errorf("no FINGER_IMPRESSION.png in the folders below %s", root)
		}
	}
	fmt.Fprintf(out, "%-16s %8s %8s %6s %6s %6s %6s %6s %6s %6s %7s %7s %5s %6s %8s\n", "set", "genuine", "impostor", "EER%", "FNMR.1", "FNMR0", "FNMR@A", "FMR@A", "t1%", "t.1%", "t0", "minutia", "qual", "ms", "match/s")
	var pool []result
	if o.synth > 0 {
		results, err := measure(out, "synthetic", synthetic(o.synth, o.touches), o)
		if err != nil {
			return err
		}
		pool = append(pool, results...)
	}
	for _, dir := range o.data {
		set, err := load(dir, o.dpi)
		if err != nil {
			return err
		}
		if o.crop > 0 {
			crop(set, o.crop)
		}
		results, err := measure(out, filepath.Base(strings.TrimRight(dir, "/")), set, o)
		if err != nil {
			return err
		}
		pool = append(pool, results...)
	}
	if len(o.data) > 1 {
		summarise(pool).print(out, "all")
	}
	return nil
}

func measure(out io.Writer, name string, set []impression, o options) ([]result, error) {
	prints := make([]*match.Print, len(set))
	points, quality := 0, 0
	start := time.Now()
	for i, s := range set {
		f, q, err := finger.Extract(sensors.Sample{Image: s.image, DPI: s.dpi})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		points += len(f.Points)
		quality += q.Score
		prints[i] = match.Prepare(f)
	}
	extract := time.Since(start)
	start = time.Now()
	results, compared := comparePairs(set, prints), 0
	if o.views > 1 {
		results, compared = compareViews(set, prints, o.views)
	} else {
		compared = len(results)
	}
	s := summarise(results)
	n := float64(len(set))
	s.minutiae, s.quality = float64(points)/n, float64(quality)/n
	s.extractMillis = 1000 * extract.Seconds() / n
	s.matchRate = float64(compared) / time.Since(start).Seconds()
	s.print(out, name)
	return results, nil
}

func comparePairs(set []impression, prints []*match.Print) []result {
	m := match.New()
	var out []result
	for i := range set {
		for j := i + 1; j < len(set); j++ {
			out = append(out, result{m.Compare(prints[i], prints[j]).Score, set[i].finger == set[j].finger})
		}
	}
	return out
}

func compareViews(set []impression, prints []*match.Print, views int) (out []result, compared int) {
	m := match.New()
	enrolled := map[string][]*match.Print{}
	var names []string
	var probes []int
	for i, s := range set {
		if len(enrolled[s.finger]) == 0 {
			names = append(names, s.finger)
		}
		if len(enrolled[s.finger]) < views {
			enrolled[s.finger] = append(enrolled[s.finger], prints[i])
		} else {
			probes = append(probes, i)
		}
	}
	for _, i := range probes {
		for _, name := range names {
			out = append(out, result{m.CompareViews(prints[i], enrolled[name]), set[i].finger == name})
			compared += len(enrolled[name])
		}
	}
	return out, compared
}
