package finger

import "github.com/vouchbox/vouch/sensors"

func (r *reading) quality() sensors.Quality {
	n, sure := 0, float32(0)
	for c, ok := range r.flow.finger {
		if ok {
			n++
			sure += r.flow.certainty[c]
		}
	}
	if n == 0 {
		return sensors.Quality{Reason: sensors.NoFinger}
	}
	return sensors.Quality{Score: int(100 * sure / float32(n))}
}
