package vad

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// frames writes probabilities as a line: '#' speech, '+' between the thresholds,
// '.' silence.
func frames(line string) []int {
	value := map[rune]int{'#': 900, '+': 400, '.': 10}
	var milli []int
	for _, r := range line {
		milli = append(milli, value[r])
	}
	return milli
}

func TestSegments(t *testing.T) {
	speech := strings.Repeat("#", 8)
	for _, c := range []struct {
		name string
		line string
		want []Segment
	}{
		{"nothing", "", []Segment{}},
		{"silence", "..........", []Segment{}},
		{"a click", "...#######.....", []Segment{}},
		{"the shortest speech", ".." + speech + "....", []Segment{{64, 320}}},
		{"speech to the end", ".." + speech, []Segment{{64, 320}}},
		{"a short pause inside", speech + "..." + speech, []Segment{{0, 608}}},
		{"a pause that ends it", speech + "...." + speech, []Segment{{0, 256}, {384, 640}}},
		{"trailing silence is not speech", speech + "...", []Segment{{0, 256}}},
		{"doubt does not begin speech", "++++++++++++", []Segment{}},
		{"doubt does not end speech", "####++++####", []Segment{{0, 384}}},
		{"doubt interrupts silence", speech + "...+...", []Segment{{0, 384}}},
	} {
		milli := frames(c.line)
		if got := segments(milli, len(milli)*FrameMS); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestThresholdsAreInclusive(t *testing.T) {
	at := func(p int) int { return len(segments(slices.Repeat([]int{p}, 10), 320)) }
	if at(enterMilli) != 1 || at(enterMilli-1) != 0 {
		t.Errorf("speech begins at %d: %d segments, below: %d", enterMilli, at(enterMilli), at(enterMilli-1))
	}
}

func TestSegmentsEndWithTheClip(t *testing.T) {
	// 300 ms of speech fill 10 frames of 32 ms, the last one in part.
	if got := segments(frames("##########"), 300); !slices.Equal(got, []Segment{{0, 300}}) {
		t.Errorf("got %v", got)
	}
}

func TestSegmentsAreOrderedAndApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		milli := rapid.SliceOf(rapid.IntRange(0, 1000)).Draw(t, "milli")
		last := -silenceFrames * FrameMS
		for _, s := range segments(milli, len(milli)*FrameMS) {
			if s.StartMS < last+silenceFrames*FrameMS || s.EndMS-s.StartMS < speechFrames*FrameMS || s.EndMS > len(milli)*FrameMS {
				t.Fatalf("segment %v after %d ms of %d frames", s, last, len(milli))
			}
			last = s.EndMS
		}
	})
}

func TestToMilliRoundsHalfUp(t *testing.T) {
	for p, want := range map[float32]int{0: 0, 0.0004: 0, 0.0006: 1, 0.5: 500, 0.9996: 1000, 1: 1000} {
		if got := toMilli(p); got != want {
			t.Errorf("%v: got %d, want %d", p, got, want)
		}
	}
}
