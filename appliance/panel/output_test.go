package panel

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadOutput(t *testing.T) {
	for _, c := range []struct {
		raw  string
		want output
	}{
		{`{"clip_ms":2000,"segments":[{"start_ms":200,"end_ms":900}],"speech_ms":700,"max_probability_milli":987}`, output{
			Clip: 2000, Segments: []segment{{200, 900, 100, 350}},
			Facts: []fact{{"Clip", "2.00 s"}, {"Max probability", "98.7 %"}, {"Speech", "0.70 s"}},
		}},
		{`{"label":"yes","n":[1]}`, output{Facts: []fact{{"Label", "yes"}, {"N", "[1]"}}}},
		{`not JSON`, output{Text: "not JSON"}},
	} {
		if diff := cmp.Diff(c.want, readOutput(c.raw)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.raw, diff)
		}
	}
}

// What a model says is foreign: whatever is drawn lies inside the line.
func FuzzReadOutput(f *testing.F) {
	f.Add(`{"clip_ms":2000,"segments":[{"start_ms":200,"end_ms":900}]}`)
	f.Add(`{"clip_ms":1,"segments":[{"start_ms":-5,"end_ms":9223372036854775807}]}`)
	f.Add(`{"":1,"_ms":2}`)
	f.Fuzz(func(t *testing.T, raw string) {
		for _, s := range readOutput(raw).Segments {
			if s.X < 0 || s.X > 1000 || s.Width <= 0 || s.X+s.Width > 1002 {
				t.Fatalf("a segment is drawn at %d, %d wide", s.X, s.Width)
			}
		}
	})
}
