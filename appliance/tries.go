package appliance

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// retryPolicy is how many wrong fingers the sensor takes before it rests. The counter is on disk, so
// that pulling the plug does not buy tries.
type retryPolicy struct {
	store    store
	max      int
	coolDown time.Duration
}

type triesRecord struct {
	Used  int       `json:"used"`
	Again time.Time `json:"again,omitzero"`
}

const triesKey = "ceremony/tries"

// left returns the tries left, and when the sensor rests, until when.
func (p retryPolicy) left(ctx context.Context, now time.Time) (int, time.Time, error) {
	b, err := p.store.Get(ctx, triesKey)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("read the retry counter: %w", err)
	}
	r, err := decodeTries(b)
	if err != nil {
		return 0, time.Time{}, err
	}
	n, again := p.standing(r, now)
	return n, again, nil
}

func (p retryPolicy) standing(r triesRecord, now time.Time) (int, time.Time) {
	switch {
	case r.Used < p.max:
		return p.max - r.Used, time.Time{}
	case now.Before(r.Again):
		return 0, r.Again
	}
	return p.max, time.Time{}
}

// miss counts one wrong finger before the human hears of it.
func (p retryPolicy) miss(ctx context.Context, now time.Time) (left int, again time.Time, err error) {
	err = p.store.Update(ctx, triesKey, func(cur []byte) ([]byte, error) {
		r, err := decodeTries(cur)
		if err != nil {
			return nil, err
		}
		if rested := r.Used >= p.max && !now.Before(r.Again); rested {
			r = triesRecord{}
		}
		r.Used++
		if r.Used >= p.max {
			r.Again = now.Add(p.coolDown)
		}
		left, again = p.standing(r, now)
		return json.Marshal(r)
	})
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count the try: %w", err)
	}
	return left, again, nil
}

// reset forgets the misses after a match.
func (p retryPolicy) reset(ctx context.Context) error {
	err := p.store.Update(ctx, triesKey, func([]byte) ([]byte, error) { return nil, nil })
	if err != nil {
		return fmt.Errorf("reset the retry counter: %w", err)
	}
	return nil
}

func decodeTries(b []byte) (triesRecord, error) {
	var r triesRecord
	if len(b) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("the retry counter is unreadable; a factory reset clears it: %w", err)
	}
	return r, nil
}
