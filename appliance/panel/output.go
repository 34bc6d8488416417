package panel

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// output is a model's JSON made readable. Facts hold whatever the model said; a voice activity
// model's segments are also drawn.
type output struct {
	Facts    []fact
	Segments []segment
	Clip     int64  // ms
	Text     string // the output as it is, when it is no JSON object
}

type fact struct{ Name, Value string }

// segment is a stretch of the clip in ms, with its place on a line of 1000 units.
type segment struct{ Start, End, X, Width int64 }

// From and To are the ends in seconds.
func (s segment) From() string { return seconds(s.Start) }

// To is the end in seconds.
func (s segment) To() string { return seconds(s.End) }

const maxSegments = 200 // drawn

// readOutput never fails: what it does not know it shows as it is.
func readOutput(raw string) output {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(raw), &fields) != nil {
		return output{Text: raw}
	}
	var o output
	_ = json.Unmarshal(fields["clip_ms"], &o.Clip)
	o.Segments = readSegments(fields["segments"], o.Clip)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name == "segments" && o.Segments != nil {
			continue
		}
		o.Facts = append(o.Facts, readFact(name, fields[name]))
	}
	return o
}

// readFact takes the unit from a field's suffix: _ms, _milli (thousandths).
func readFact(name string, raw json.RawMessage) fact {
	var n int64
	isNumber := json.Unmarshal(raw, &n) == nil
	title := func(suffix string) string {
		return sentence(strings.ReplaceAll(strings.TrimSuffix(name, suffix), "_", " "))
	}
	switch {
	case isNumber && strings.HasSuffix(name, "_ms"):
		return fact{title("_ms"), seconds(n)}
	case isNumber && strings.HasSuffix(name, "_milli"):
		return fact{title("_milli"), fmt.Sprintf("%.1f %%", float64(n)/10)}
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return fact{title(""), s}
	}
	return fact{title(""), string(raw)}
}

// readSegments returns nil unless every one lies inside the clip, in order.
func readSegments(raw json.RawMessage, clip int64) []segment {
	var in []struct {
		Start int64 `json:"start_ms"`
		End   int64 `json:"end_ms"`
	}
	const longest = 24 * 60 * 60 * 1000 // ms; keeps the products below small
	if json.Unmarshal(raw, &in) != nil || clip <= 0 || clip > longest || len(in) > maxSegments {
		return nil
	}
	out := make([]segment, 0, len(in))
	last := int64(0)
	for _, s := range in {
		if s.Start < last || s.End <= s.Start || s.End > clip {
			return nil
		}
		last = s.End
		x := s.Start * 1000 / clip
		out = append(out, segment{s.Start, s.End, x, max(2, s.End*1000/clip-x)})
	}
	return out
}

func seconds(ms int64) string { return fmt.Sprintf("%.2f s", float64(ms)/1000) }
