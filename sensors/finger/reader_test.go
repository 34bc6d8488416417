package finger_test

import (
	"context"
	"errors"
	"image"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger"
	"github.com/vouchbox/vouch/sensors/synth"
)

// script is a sensor that plays pictures and then waits for a finger that never comes.
type script struct {
	images []*image.Gray
	lifts  int
	down   bool
}

func (s *script) Scan(ctx context.Context) (*image.Gray, error) {
	if len(s.images) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if s.down {
		return nil, errors.New("scanned again before the finger left")
	}
	img := s.images[0]
	s.images, s.down = s.images[1:], true
	// The Reader clears what it gets.
	return &image.Gray{Pix: slices.Clone(img.Pix), Stride: img.Stride, Rect: img.Rect}, nil
}

func (s *script) WaitLift(context.Context) error {
	s.down = false
	s.lifts++
	return nil
}

func touch(f int, seed uint64) *image.Gray {
	return fingers()[f].Impression(seed, synth.Touch(seed)).Image
}

func poor(f int, change func(*synth.Options)) *image.Gray {
	opt := synth.R503()
	change(&opt)
	return fingers()[f].Impression(1, opt).Image
}

func reader(t *testing.T, images ...*image.Gray) (*finger.Reader, *script) {
	t.Helper()
	s := &script{images: images}
	r, err := finger.NewReader(s, 508)
	if err != nil {
		t.Fatal(err)
	}
	return r, s
}

func touches(f int, seeds ...uint64) []*image.Gray {
	var out []*image.Gray
	for _, s := range seeds {
		out = append(out, touch(f, s))
	}
	return out
}

func enrolled(t *testing.T, f int) []sensors.Template {
	t.Helper()
	r, _ := reader(t, touches(f, 11, 12, 13, 14, 15)...)
	refs, err := r.Enroll(t.Context(), 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	return refs
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func at() time.Time { return noon }

func given(refs []sensors.Template) finger.References {
	return func(use func([]sensors.Template) error) error { return use(refs) }
}

func TestVerify(t *testing.T) {
	refs, person, challenge := enrolled(t, 0), sensors.NewPersonID(), [32]byte{1, 2, 3}
	for f := range fingers() {
		r, s := reader(t, touch(f, 50))
		d, err := r.Verify(t.Context(), challenge, person, given(refs), at)
		if err != nil {
			t.Fatalf("finger %d: %v", f, err)
		}
		if d.Matched() != (f == 0) {
			t.Errorf("finger %d: matched %v", f, d.Matched())
		}
		if d.Person() != person || d.Challenge() != challenge || d.Modality() != sensors.Finger || !d.At().Equal(noon) || d.Quality().Score < 30 {
			t.Errorf("finger %d: decision %+v does not say what was asked", f, d)
		}
		if s.lifts != 1 {
			t.Errorf("finger %d: %d waits for the finger to leave before the touch, want 1", f, s.lifts)
		}
	}
}

func TestVerifyPoorTouch(t *testing.T) {
	refs := enrolled(t, 0)
	for reason, change := range map[sensors.Reason]func(*synth.Options){
		sensors.NoFinger: func(o *synth.Options) { o.Coverage = 0 },
		sensors.Partial:  func(o *synth.Options) { o.Coverage = 0.06 },
	} {
		r, _ := reader(t, poor(0, change))
		d, err := r.Verify(t.Context(), [32]byte{}, sensors.NewPersonID(), given(refs), at)
		q, ok := errors.AsType[*finger.QualityError](err)
		if !errors.Is(err, finger.ErrQuality) || !ok || q.Quality.Reason != reason || d.Matched() {
			t.Errorf("%v: %v", reason, err)
		} else if !strings.Contains(err.Error(), reason.Advice()) {
			t.Errorf("%v: the error gives no advice: %v", reason, err)
		}
	}
}

func TestVerifyReplay(t *testing.T) {
	refs, person := enrolled(t, 0), sensors.NewPersonID()
	r, _ := reader(t, touch(0, 60), touch(0, 61), touch(0, 60))
	for n := range 3 {
		d, err := r.Verify(t.Context(), [32]byte{byte(n)}, person, given(refs), at)
		if n < 2 && (err != nil || !d.Matched()) {
			t.Fatalf("touch %d: matched %v, %v", n, d.Matched(), err)
		}
		if n == 2 && (!errors.Is(err, finger.ErrReplay) || d.Matched()) {
			t.Errorf("the same picture again: matched %v, %v", d.Matched(), err)
		}
	}
}

// Pictures seen while enrolling are remembered too.
func TestEnrolmentPictureIsReplay(t *testing.T) {
	r, _ := reader(t, append(touches(0, 11, 12, 13), touch(0, 12))...)
	refs, err := r.Enroll(t.Context(), 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(t.Context(), [32]byte{}, sensors.NewPersonID(), given(refs), at); !errors.Is(err, finger.ErrReplay) {
		t.Errorf("an enrolment picture came back: %v", err)
	}
}

func TestVerifyReferences(t *testing.T) {
	good := enrolled(t, 0)
	broken := slices.Clone(good)
	broken[2].Data = broken[2].Data[:20]
	foreign := slices.Clone(good)
	foreign[1].Modality = sensors.Face
	for name, refs := range map[string][]sensors.Template{"none": nil, "broken": broken, "a face": foreign} {
		r, _ := reader(t, touch(0, 50))
		if d, err := r.Verify(t.Context(), [32]byte{}, sensors.NewPersonID(), given(refs), at); !errors.Is(err, finger.ErrReferences) || d.Matched() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nobody's references are out of the vault while the sensor waits.
func TestReferencesComeAfterTheTouch(t *testing.T) {
	r, s := reader(t, touch(0, 50))
	secret := errors.New("the vault is closed")
	_, err := r.Verify(t.Context(), [32]byte{}, sensors.NewPersonID(), func(func([]sensors.Template) error) error {
		if len(s.images) != 0 {
			t.Error("the references were asked for before the touch")
		}
		return secret
	}, at)
	if !errors.Is(err, secret) {
		t.Errorf("a vault that does not open: %v", err)
	}
}

func TestVerifyCancelled(t *testing.T) {
	refs := enrolled(t, 0)
	r, _ := reader(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := r.Verify(ctx, [32]byte{}, sensors.NewPersonID(), given(refs), at); !errors.Is(err, context.Canceled) || d.Matched() {
		t.Errorf("cancelled: %v", err)
	}
}

func TestReaderClearsImages(t *testing.T) {
	refs := enrolled(t, 0)
	img := touch(0, 50)
	r, err := finger.NewReader(giver{img}, 508)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Verify(t.Context(), [32]byte{}, sensors.NewPersonID(), given(refs), at); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(img.Pix, func(p uint8) bool { return p != 0 }) {
		t.Error("the image outlived the comparison")
	}
}

// giver is a sensor that cannot tell a lift.
type giver struct{ img *image.Gray }

func (g giver) Scan(context.Context) (*image.Gray, error) { return g.img, nil }

func TestEnroll(t *testing.T) {
	blank := poor(0, func(o *synth.Options) { o.Coverage = 0 })
	images := []*image.Gray{blank, touch(0, 11), touch(1, 12), touch(0, 13), touch(0, 14)}
	r, _ := reader(t, images...)
	var hints []finger.Hint
	var last finger.Progress
	refs, err := r.Enroll(t.Context(), 3, func(p finger.Progress) {
		hints = append(hints, p.Hint)
		last = p
		if p.Advice() == "" {
			t.Errorf("no advice for %+v", p)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []finger.Hint{finger.TouchSensor, finger.BadTouch, finger.LiftAndShift, finger.OtherFinger}
	if len(refs) != 3 || len(hints) != 6 || !slices.Equal(hints[:4], want) || last.Accepted != 3 || last.Hint != finger.Finished {
		t.Errorf("%d references, hints %v, last %+v", len(refs), hints, last)
	}
}

func TestEnrollSameSpot(t *testing.T) {
	still := func(seed uint64) *image.Gray { return fingers()[0].Impression(seed, synth.R503()).Image }
	r, _ := reader(t, still(1), still(2), still(3))
	var same int
	if _, err := r.Enroll(t.Context(), 3, func(p finger.Progress) {
		if p.Hint == finger.SameSpot {
			same++
		}
	}); err != nil || same != 1 {
		t.Errorf("%d hints to shift the finger, want 1 (%v)", same, err)
	}
}

func TestEnrollRefuses(t *testing.T) {
	blank := func() *image.Gray { return poor(0, func(o *synth.Options) { o.Coverage = 0 }) }
	for name, c := range map[string]struct {
		views  int
		images []*image.Gray
		want   error
	}{
		"two fingers":   {3, append(touches(0, 1), touches(1, 2, 3, 4)...), finger.ErrDifferentFinger},
		"a repetition":  {3, touches(0, 1, 2, 1), finger.ErrReplay},
		"no good touch": {3, slices.Repeat([]*image.Gray{blank()}, 9), finger.ErrGaveUp},
		"wrong picture": {3, []*image.Gray{image.NewGray(image.Rect(0, 0, 8, 8))}, finger.ErrSample},
		"too few views": {1, nil, nil},
	} {
		r, _ := reader(t, c.images...)
		refs, err := r.Enroll(t.Context(), c.views, nil)
		if err == nil || refs != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %d references, %v", name, len(refs), err)
		}
	}
}

func TestNewReaderResolution(t *testing.T) {
	if _, err := finger.NewReader(&script{}, 1000); !errors.Is(err, finger.ErrSample) {
		t.Errorf("1000 dpi: %v", err)
	}
}

// A person who comes back many times is known, and strangers are not, over ordinary touches.
func TestManyTouches(t *testing.T) {
	refs := enrolled(t, 0)
	for n := range 12 {
		f, seed := n%2, uint64(1000+n)
		opt := synth.Touch(seed)
		opt.Rotation *= 1.5
		opt.Noise = math.Min(1, 1.5*opt.Noise)
		r, _ := reader(t, fingers()[f].Impression(seed, opt).Image)
		d, err := r.Verify(t.Context(), [32]byte{}, sensors.NewPersonID(), given(refs), at)
		if err != nil || d.Matched() != (f == 0) {
			t.Errorf("touch %d of finger %d: matched %v, %v", n, f, d.Matched(), err)
		}
	}
}
