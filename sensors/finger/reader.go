package finger

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"image"
	"slices"
	"sync"
	"time"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger/match"
	"github.com/vouchbox/vouch/sensors/finger/minutiae"
	"github.com/vouchbox/vouch/sensors/internal/witness"
)

// Scanner is the sensor. Scan waits for a finger and returns its image, dark ridges on a light ground, or fails
// with ctx's error when nobody comes. The Reader clears the image after use.
type Scanner interface {
	Scan(ctx context.Context) (*image.Gray, error)
}

// Lifter is a Scanner that knows when the finger has left. WaitLift returns at once if no finger is there.
type Lifter interface {
	WaitLift(ctx context.Context) error
}

const (
	verifyQuality = 30 // below it a comparison says little
	enrollQuality = 50 // references must be better than what is compared with them
	touchTimeout  = time.Minute
	remembered    = 256 // images
)

// Reader turns touches into templates and decisions. It is safe for concurrent use; touches are taken one at a time.
type Reader struct {
	scanner Scanner
	dpi     int

	mu      sync.Mutex
	matcher *match.Matcher
	recent  [][sha256.Size]byte // digests of the latest images, oldest first
}

// NewReader returns a Reader of an opened sensor with the given resolution, 508 for the R503.
func NewReader(s Scanner, dpi int) (*Reader, error) {
	if dpi < MinDPI || dpi > MaxDPI {
		return nil, fmt.Errorf("finger reader: %d dpi, want %d to %d: %w", dpi, MinDPI, MaxDPI, ErrSample)
	}
	return &Reader{scanner: s, dpi: dpi, matcher: match.New()}, nil
}

// References gives the references of a person to use, for no longer than the call, and returns use's error.
type References func(use func([]sensors.Template) error) error

// Verify takes one fresh touch and compares it with the references of a person, which are asked for once the touch is there.
// The Decision carries the challenge, the person and the time that now gives when the touch has been taken; it has not
// matched if the finger is another one.
//
// The finger must leave the sensor first if the sensor can tell, so that a finger left lying approves nothing.
// Errors: ErrQuality (a *QualityError; costs no try), ErrReplay, ErrReferences, ErrSample, and those of refs, the sensor and ctx.
// With an error the Decision is the zero one, which has not matched.
func (r *Reader) Verify(ctx context.Context, challenge [32]byte, person sensors.PersonID, refs References, now func() time.Time) (sensors.Decision, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	set, q, err := r.touch(ctx)
	if err != nil {
		return sensors.Decision{}, fmt.Errorf("verify finger: %w", err)
	}
	at := now()
	if q.Score < verifyQuality {
		return sensors.Decision{}, fmt.Errorf("verify finger: %w", &QualityError{q})
	}
	live := match.Prepare(set)
	defer live.Clear()
	var score sensors.Score
	err = refs(func(templates []sensors.Template) error {
		views, err := prepare(templates)
		defer forget(views)
		if err == nil {
			score = r.matcher.CompareViews(live, views)
		}
		return err
	})
	if err != nil {
		return sensors.Decision{}, fmt.Errorf("verify finger: %w", err)
	}
	return sensors.Decide(witness.Take(), sensors.Verdict{
		Matched:   score >= match.Accept,
		Person:    person,
		Modality:  sensors.Finger,
		Challenge: challenge,
		Quality:   q,
		At:        at,
	}), nil
}

func prepare(refs []sensors.Template) ([]*match.Print, error) {
	if len(refs) == 0 {
		return nil, fmt.Errorf("no templates: %w", ErrReferences)
	}
	var views []*match.Print
	for i, t := range refs {
		if t.Modality != sensors.Finger || t.Format != minutiae.Format {
			return views, fmt.Errorf("reference %d is a %v: %w", i, t, ErrReferences)
		}
		set, err := minutiae.Decode(t.Data)
		if err != nil {
			return views, fmt.Errorf("reference %d: %w: %w", i, err, ErrReferences)
		}
		views = append(views, match.Prepare(set))
	}
	return views, nil
}

// forget clears the features when they have served.
func forget(prints []*match.Print) {
	for _, p := range prints {
		p.Clear()
	}
}

// touch waits for a fresh touch and reads it. The caller holds mu.
func (r *Reader) touch(ctx context.Context) (minutiae.Set, sensors.Quality, error) {
	ctx, cancel := context.WithTimeout(ctx, touchTimeout)
	defer cancel()
	if l, ok := r.scanner.(Lifter); ok {
		if err := l.WaitLift(ctx); err != nil {
			return minutiae.Set{}, sensors.Quality{}, fmt.Errorf("wait until the finger leaves: %w", err)
		}
	}
	img, err := r.scanner.Scan(ctx)
	if err != nil {
		return minutiae.Set{}, sensors.Quality{}, fmt.Errorf("scan: %w", err)
	}
	if img == nil {
		return minutiae.Set{}, sensors.Quality{}, fmt.Errorf("scan gave no image: %w", ErrSample)
	}
	defer clear(img.Pix)
	set, q, err := Extract(sensors.Sample{Image: img, DPI: r.dpi})
	if err != nil {
		return minutiae.Set{}, sensors.Quality{}, err
	}
	// Two pictures of an empty sensor may well be equal.
	if q.Reason != sensors.NoFinger && !r.remember(img) {
		return minutiae.Set{}, sensors.Quality{}, ErrReplay
	}
	return set, q, nil
}

// remember notes an image and reports whether it is new.
func (r *Reader) remember(img *image.Gray) bool {
	b := img.Bounds()
	h := sha256.New()
	var size [8]byte
	binary.BigEndian.PutUint32(size[:], uint32(b.Dx()))
	binary.BigEndian.PutUint32(size[4:], uint32(b.Dy()))
	h.Write(size[:])
	for y := b.Min.Y; y < b.Max.Y; y++ {
		at := img.PixOffset(b.Min.X, y)
		h.Write(img.Pix[at : at+b.Dx()])
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	if slices.Contains(r.recent, sum) {
		return false
	}
	if len(r.recent) == remembered {
		r.recent = slices.Delete(r.recent, 0, 1)
	}
	r.recent = append(r.recent, sum)
	return true
}
