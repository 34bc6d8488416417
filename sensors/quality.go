package sensors

import "fmt"

// Reason names the one thing that is most wrong with a sample.
type Reason uint8

// The reasons, in the words of the person at the sensor.
const (
	Good     Reason = iota // nothing to improve
	NoFinger               // the sensor saw no finger
	Partial                // too little of the finger touched the sensor
	Wet                    // ridges run together
	Dry                    // ridges are broken or faint
	Smudged                // ridges cannot be followed: the finger moved or the sensor is dirty
	NoFace                 // the camera saw no face, or more than one
	TooDark                // the picture is too dark
	Blurred                // the picture is not sharp
)

var reasonText = [...]struct{ name, advice string }{
	Good:     {"good", ""},
	NoFinger: {"no finger", "Place your finger on the sensor."},
	Partial:  {"partial", "Cover the whole sensor with the middle of your finger."},
	Wet:      {"wet", "Dry your finger and press more lightly."},
	Dry:      {"dry", "Breathe on your finger and press a little harder."},
	Smudged:  {"smudged", "Wipe the sensor, then hold your finger still."},
	NoFace:   {"no face", "Look at the camera, alone."},
	TooDark:  {"too dark", "Turn on a light in front of you."},
	Blurred:  {"blurred", "Hold still."},
}

// String returns a short lower-case name.
func (r Reason) String() string {
	if int(r) < len(reasonText) {
		return reasonText[r].name
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Advice returns one sentence that tells the person what to do, or "" when there is nothing to improve.
func (r Reason) Advice() string {
	if int(r) < len(reasonText) {
		return reasonText[r].advice
	}
	return "Try again."
}

// Quality says how useful a sample is for matching.
type Quality struct {
	Score  int // 0 (useless) to 100 (best)
	Reason Reason
}

// String returns for example "37/100 (dry)".
func (q Quality) String() string { return fmt.Sprintf("%d/100 (%s)", q.Score, q.Reason) }
