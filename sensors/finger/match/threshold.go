package match

import (
	"errors"
	"fmt"

	"github.com/vouchbox/vouch/sensors"
)

// Accept is the score from which Reader takes two prints for the same finger. It lies above each impostor score that was
// seen: 4.4 in 16,128 pairs of FVC2002 DB1_B, FVC2004 DB3_B and DB4_B, whole and cut to 192 x 192 pixels, and 7.1 in 8,920
// comparisons of synthetic fingers, which are more alike than people's.
const Accept sensors.Score = 8

// ErrUnmeasured says that no data at hand supports a threshold for so low a rate.
var ErrUnmeasured = errors.New("no threshold measured for this false match rate")

// measured holds the score above which the share of impostor pairs lies, on the worst of the development sets of Accept,
// for single comparisons. Sets of 2,880 pairs support nothing below 0.1 % (rule of three).
var measured = [...]struct {
	fmr   float64
	score sensors.Score
}{{0.001, 4.0}, {0.01, 2.6}}

// Threshold returns the lowest measured score with at most the given false match rate for one comparison of two
// prints. It is for reports and trade-offs; a decision about a person uses Accept.
func Threshold(fmr float64) (sensors.Score, error) {
	for i := len(measured) - 1; i >= 0; i-- {
		if measured[i].fmr <= fmr {
			return measured[i].score, nil
		}
	}
	return 0, fmt.Errorf("%g: %w", fmr, ErrUnmeasured)
}
