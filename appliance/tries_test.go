package appliance

import (
	"errors"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/state"
)

func openStore(t *testing.T, dir string) *state.Store {
	t.Helper()
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// The counter counts down, rests, survives a restart in the middle, and starts anew after the rest.
func TestTries(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	st, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := retryPolicy{store: st, max: 3, coolDown: time.Minute}
	want := func(at time.Time, left int, again time.Time) {
		t.Helper()
		n, when, err := p.left(t.Context(), at)
		if err != nil || n != left || !when.Equal(again) {
			t.Fatalf("at %s: %d tries, again %s, %v; want %d, %s", at, n, when, err, left, again)
		}
	}
	miss := func(at time.Time, left int) {
		t.Helper()
		if n, _, err := p.miss(t.Context(), at); err != nil || n != left {
			t.Fatalf("miss leaves %d, %v; want %d", n, err, left)
		}
	}
	want(now, 3, time.Time{})
	miss(now, 2)
	miss(now, 1)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	p.store = openStore(t, dir)
	want(now, 1, time.Time{})
	miss(now, 0)
	rest := now.Add(time.Minute)
	want(now, 0, rest)
	want(rest.Add(-time.Second), 0, rest)
	want(rest, 3, time.Time{})
	miss(rest, 2)
	if err := p.reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(rest, 3, time.Time{})
}

func TestTriesRefusesADamagedCounter(t *testing.T) {
	st := openStore(t, t.TempDir())
	if err := st.Update(t.Context(), triesKey, func([]byte) ([]byte, error) { return []byte("{"), nil }); err != nil {
		t.Fatal(err)
	}
	p := retryPolicy{store: st, max: 3, coolDown: time.Minute}
	if n, _, err := p.left(t.Context(), time.Now()); err == nil {
		t.Fatalf("a damaged counter gives %d tries", n)
	}
	if _, _, err := p.miss(t.Context(), time.Now()); err == nil || errors.Is(err, state.ErrCorrupt) {
		t.Fatalf("miss on a damaged counter: %v", err)
	}
}

// A miss that comes while the sensor rests, from a ceremony that began before, buys nothing.
func TestMissWhileResting(t *testing.T) {
	p := retryPolicy{store: openStore(t, t.TempDir()), max: 2, coolDown: time.Minute}
	now := time.Unix(1000, 0)
	for range 3 {
		if _, _, err := p.miss(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	if left, again, err := p.left(t.Context(), now); err != nil || left != 0 || !again.Equal(now.Add(time.Minute)) {
		t.Errorf("%d tries are left until %s, %v; want none", left, again, err)
	}
}
