package sensors

import (
	"fmt"
	"image"
	"time"
)

// Sample is one capture as the sensor gave it. It is never stored and never leaves the process.
type Sample struct {
	Image *image.Gray
	DPI   int       // dots per inch, the same in x and y; 508 for the R503
	At    time.Time // end of the capture
}

// Modality is the part of the body that a sample shows.
type Modality uint8

// The modalities. The numbers are stored in templates and sealed records: never renumber.
const (
	Finger Modality = 1
	Face   Modality = 2
)

// String returns the lower-case name, as used in records and on the panel.
func (m Modality) String() string {
	switch m {
	case Finger:
		return "finger"
	case Face:
		return "face"
	}
	return fmt.Sprintf("modality %d", uint8(m))
}

// Valid reports whether m is one of the modalities of this package.
func (m Modality) Valid() bool { return m == Finger || m == Face }

// Template is what is kept of a sample for later comparison: features, never the image.
// Data is in the encoding named by Format, which the reader of that modality defines and versions
// (see sensors/finger/minutiae for fingers). It is secret: see sensors/vault.
type Template struct {
	Modality Modality
	Format   uint16
	Data     []byte
}

// String says what kind of template this is, and nothing of what is in it, so that a stray %v in a log leaks nothing.
func (t Template) String() string {
	return fmt.Sprintf("%s template, format %d, %d bytes", t.Modality, t.Format, len(t.Data))
}

// GoString is String, for %#v.
func (t Template) GoString() string { return t.String() }

// Score is the similarity of two templates. Higher is more alike; the scale belongs to the matcher that made it.
type Score float64
