package vad

// The segmenting rule works on probabilities in thousandths, rounded half up, and on
// whole frames: two machines whose floating point differs in the last bits cut the
// same segments, but where a probability lies within that difference of a rounding
// edge. The thresholds are those of silero-vad's get_speech_timestamps
// (github.com/snakers4/silero-vad, src/silero_vad/utils_vad.py), in frames.
const (
	// A frame at or above this begins speech.
	enterMilli = 500
	// Frames below this are silence; between the two, speech that began goes on.
	leaveMilli = 350
	// Silence of so many frames (128 ms) ends a segment where the silence began.
	silenceFrames = 4
	// Shorter segments (under 256 ms) are clicks, not speech.
	speechFrames = 8
)

// Segment is a stretch of speech; the end is exclusive. Milliseconds from the
// beginning of the clip.
type Segment struct {
	StartMS int `json:"start_ms"`
	EndMS   int `json:"end_ms"`
}

// segments cuts a clip of clipMS milliseconds by its frames' probabilities, in
// thousandths.
func segments(milli []int, clipMS int) []Segment {
	found := []Segment{}
	start, silence := -1, 0
	end := func(frame int) {
		if frame-start >= speechFrames {
			found = append(found, Segment{StartMS: start * FrameMS, EndMS: min(frame*FrameMS, clipMS)})
		}
		start, silence = -1, 0
	}
	for i, p := range milli {
		switch {
		case p >= enterMilli && start < 0:
			start = i
		case p >= leaveMilli:
			silence = 0
		case start >= 0:
			if silence++; silence == silenceFrames {
				end(i + 1 - silenceFrames)
			}
		}
	}
	if start >= 0 {
		end(len(milli) - silence)
	}
	return found
}

// toMilli rounds a probability to thousandths, half up.
func toMilli(p float32) int { return int(float64(p)*1000 + 0.5) }
