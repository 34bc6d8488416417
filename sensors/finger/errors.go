package finger

import (
	"errors"
	"fmt"

	"github.com/vouchbox/vouch/sensors"
)

var (
	// ErrSample says that an image cannot be a fingerprint of this sensor: its size or resolution is wrong.
	ErrSample = errors.New("not a usable fingerprint image")
	// ErrQuality says that the touch was too poor to compare; it costs no try. See QualityError for the advice.
	ErrQuality = errors.New("fingerprint too poor to compare")
	// ErrReplay says that the sensor delivered an image that it delivered before, to the bit. Two live touches never
	// agree to the bit: something between the finger and this process is replaying.
	ErrReplay = errors.New("the sensor repeated an earlier image; check it for tampering")
	// ErrReferences says that there is nothing usable to compare with.
	ErrReferences = errors.New("no usable finger references")
	// ErrDifferentFinger says that the touches of an enrolment do not come from one finger.
	ErrDifferentFinger = errors.New("the touches do not come from the same finger; start again and keep to one finger")
	// ErrGaveUp says that an enrolment did not get enough good touches.
	ErrGaveUp = errors.New("not enough good touches; clean the sensor and the finger and start again")
)

// QualityError is an ErrQuality with what was wrong.
type QualityError struct{ Quality sensors.Quality }

// Error ends with the advice for the person.
func (e *QualityError) Error() string {
	return fmt.Sprintf("%v: quality %v: %s", ErrQuality, e.Quality, e.Quality.Reason.Advice())
}

// Is reports true for ErrQuality.
func (e *QualityError) Is(target error) bool { return target == ErrQuality }
