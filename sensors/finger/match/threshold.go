package match

import (
	"github.com/vouchbox/vouch/sensors"
)

// Accept is the score from which two prints are the same finger.
const Accept sensors.Score = 10
