package sensors

import (
	"time"

	"github.com/vouchbox/vouch/sensors/internal/witness"
)

// Decision is a reader's verdict: whether the named person was at the sensor, for one challenge, at one time.
// Only the readers below sensors/ can make one that matched; everybody else can only read it.
// The zero Decision did not match.
type Decision struct{ v Verdict }

// Verdict is the content of a Decision, as a reader states it.
type Verdict struct {
	Matched   bool
	Person    PersonID
	Modality  Modality
	Challenge [32]byte // what the person was shown; copied from the request for the capture
	Quality   Quality  // of the sample that was compared
	At        time.Time
}

// Decide makes a Decision. The key comes from a package that only readers can import; without it the
// verdict is kept but never matched.
func Decide(k witness.Key, v Verdict) Decision {
	v.Matched = v.Matched && k.Valid()
	return Decision{v}
}

// Matched reports whether the live sample matched the person's references.
func (d Decision) Matched() bool { return d.v.Matched }

// Person returns whose references were compared.
func (d Decision) Person() PersonID { return d.v.Person }

// Modality returns what was compared.
func (d Decision) Modality() Modality { return d.v.Modality }

// Challenge returns the 32 bytes that this decision, and no other, answers.
func (d Decision) Challenge() [32]byte { return d.v.Challenge }

// Quality returns the quality of the sample that was compared.
func (d Decision) Quality() Quality { return d.v.Quality }

// At returns when the sample was captured.
func (d Decision) At() time.Time { return d.v.At }
