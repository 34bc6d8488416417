package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger/match"
)

type result struct {
	score   sensors.Score
	genuine bool
}

// summary holds error rates as shares, and the scores that give them.
type summary struct {
	genuine, impostor        int
	eer                      float64
	fnmr01, fnmr0            float64 // at FMR 0.1 % and 0
	fnmrAccept, fmrAccept    float64 // at match.Accept
	at1, at01, at0           sensors.Score
	minutiae, quality        float64 // means
	extractMillis, matchRate float64
}

func summarise(results []result) summary {
	results = slices.Clone(results)
	slices.SortStableFunc(results, func(a, b result) int { return cmp.Compare(b.score, a.score) })
	var s summary
	for _, r := range results {
		if r.genuine {
			s.genuine++
		} else {
			s.impostor++
		}
	}
	// Going down from the highest score: a threshold just above an impostor refuses it and all below.
	s.eer = 1
	found, wrong := 0, 0
	genuine, impostor := float64(max(s.genuine, 1)), float64(max(s.impostor, 1))
	for i, r := range results {
		if !r.genuine {
			fnmr := 1 - float64(found)/genuine
			if wrong == 0 {
				s.fnmr0, s.at0 = fnmr, r.score
			}
			if s.at01 == 0 && float64(wrong+1) > 0.001*impostor {
				s.fnmr01, s.at01 = fnmr, r.score
			}
			if s.at1 == 0 && float64(wrong+1) > 0.01*impostor {
				s.at1 = r.score
			}
			wrong++
		} else {
			found++
		}
		if i+1 < len(results) && results[i+1].score == r.score {
			continue // a threshold cannot part equal scores
		}
		s.eer = min(s.eer, max(float64(wrong)/impostor, 1-float64(found)/genuine))
		if r.score >= match.Accept {
			s.fnmrAccept, s.fmrAccept = 1-float64(found)/genuine, float64(wrong)/impostor
		}
	}
	return s
}

func (s summary) print(out io.Writer, name string) {
	fmt.Fprintf(out, "%-16s %8d %8d %6.2f %6.2f %6.2f %6.2f %6.3f %6.2f %6.2f %7.2f", name, s.genuine, s.impostor,
		100*s.eer, 100*s.fnmr01, 100*s.fnmr0, 100*s.fnmrAccept, 100*s.fmrAccept, s.at1, s.at01, s.at0)
	if s.extractMillis > 0 { // the pool of several sets has no speed of its own
		fmt.Fprintf(out, " %7.1f %5.0f %6.1f %8.0f", s.minutiae, s.quality, s.extractMillis, s.matchRate)
	}
	fmt.Fprintln(out)
}
