package line

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"
)

func newPin(level gpio.Level) *gpiotest.Pin {
	return &gpiotest.Pin{N: "WAKE", L: level, EdgesChan: make(chan gpio.Level, 32)}
}

func TestWaitDebounces(t *testing.T) {
	for _, c := range []struct {
		name   string
		high   bool
		idle   gpio.Level
		bounce []time.Duration // the level flips after each
		want   time.Duration
	}{
		{"active already", false, gpio.Low, nil, 10 * time.Millisecond},
		{"clean edge", false, gpio.High, []time.Duration{70 * time.Millisecond}, 80 * time.Millisecond},
		{"bounces", false, gpio.High, []time.Duration{30, 3e6, 3e6, 3e6, 3e6}, 22 * time.Millisecond},
		{"spike, then touch", false, gpio.High, []time.Duration{time.Millisecond, 2 * time.Millisecond, 200 * time.Millisecond}, 213 * time.Millisecond},
		{"active high", true, gpio.Low, []time.Duration{time.Millisecond}, 11 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pin := newPin(c.idle)
				in, err := NewInput(pin, Config{ActiveHigh: c.high, Pull: gpio.Float, Debounce: 10 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					level := c.idle
					for _, d := range c.bounce {
						time.Sleep(d)
						level = !level
						pin.EdgesChan <- level
					}
				}()
				start := time.Now()
				if err := in.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start).Round(time.Millisecond); got != c.want.Round(time.Millisecond) || !in.State() {
					t.Errorf("after %v, want %v; active %v", got, c.want, in.State())
				}
			})
		})
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, err := NewTouch(newPin(gpio.High))
		if err != nil {
			t.Fatal(err)
		}
		if in.State() {
			t.Error("active without a finger")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := in.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 3*time.Second+slice {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if err := in.WaitRelease(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A pin whose wait fails at once must cost a look now and then, not a processor.
func TestBrokenWaitPolls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pin := &broken{Pin: newPin(gpio.High)}
		in, err := NewTouch(pin)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(time.Second)
			pin.Out(gpio.Low)
		}()
		if err := in.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if pin.waits > 40 {
			t.Errorf("%d waits in a second", pin.waits)
		}
	})
}

type broken struct {
	*gpiotest.Pin
	waits int
}

func (b *broken) WaitForEdge(time.Duration) bool { b.waits++; return false }

func TestSetupErrors(t *testing.T) {
	if _, err := NewInput(&gpiotest.Pin{N: "X"}, ButtonConfig()); err == nil || !strings.Contains(err.Error(), "X(0)") {
		t.Errorf("a pin without edges: %v", err)
	}
	if _, err := NewInput(newPin(gpio.High), Config{Debounce: time.Minute}); err == nil {
		t.Error("a minute of debouncing")
	}
	if _, err := Open(t.Context(), "VOUCH-NO-SUCH-LINE"); !errors.Is(err, ErrNoLine) {
		t.Errorf("Open: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, "GPIO17"); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with an ended context: %v", err)
	}
}

func TestLED(t *testing.T) {
	for _, activeLow := range []bool{false, true} {
		pin := newPin(gpio.Level(!activeLow))
		led, err := NewLED(pin, activeLow)
		if err != nil || pin.Read() != gpio.Level(activeLow) {
			t.Fatalf("active low %v: not off after NewLED, %v", activeLow, err)
		}
		if err := led.Set(true); err != nil || pin.Read() == gpio.Level(activeLow) {
			t.Errorf("active low %v: not on, %v", activeLow, err)
		}
	}
	if _, err := NewLED(deaf{newPin(gpio.Low)}, false); err == nil {
		t.Error("NewLED on a pin that cannot be switched")
	}
}

type deaf struct{ *gpiotest.Pin }

func (deaf) Out(gpio.Level) error { return errors.New("busy") }
