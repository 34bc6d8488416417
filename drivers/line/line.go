package line

import (
	"context"
	"errors"
	"fmt"
	"time"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	_ "periph.io/x/host/v3/gpioioctl" // the kernel's GPIO character devices
)

// ErrNoLine says that the board has no GPIO line of that name.
var ErrNoLine = errors.New("no such GPIO line; check the name in the configuration against the output of gpioinfo")

// slice is how long one wait for an edge may last, so that an ended context is noticed soon.
const slice = 50 * time.Millisecond

// Open finds a GPIO line of this board by the name that the kernel gives it, for instance "PQ.05" or "GPIO17". ErrNoLine if there is none.
func Open(ctx context.Context, name string) (gpio.PinIO, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	state, err := driverreg.Init()
	if err != nil {
		return nil, fmt.Errorf("line: open %s: %w", name, err)
	}
	pin := gpioreg.ByName(name)
	if pin == nil {
		err := fmt.Errorf("line: open %q: %w", name, ErrNoLine)
		for _, f := range append(state.Failed, state.Skipped...) {
			err = fmt.Errorf("%w (%v: %w)", err, f.D, f.Err)
		}
		return nil, err
	}
	return pin, nil
}

// Config says how an input is wired.
type Config struct {
	ActiveHigh bool // otherwise low means active
	Pull       gpio.Pull
	Debounce   time.Duration // how long a level has to last; at most 1 s
}

// TouchConfig is the touch line of a fingerprint module: it drives the wire itself, low while a finger is on the ring.
func TouchConfig() Config { return Config{Pull: gpio.Float, Debounce: 10 * time.Millisecond} }

// ButtonConfig is a push button or tamper switch to ground.
func ButtonConfig() Config { return Config{Pull: gpio.PullUp, Debounce: 30 * time.Millisecond} }

// Input is a debounced input. One goroutine may wait at a time; State may be called from any.
type Input struct {
	pin    gpio.PinIn
	cfg    Config
	active gpio.Level
}

// NewInput sets pin up as an input. The pin stays the caller's.
func NewInput(pin gpio.PinIn, cfg Config) (*Input, error) {
	if cfg.Debounce < 0 || cfg.Debounce > time.Second {
		return nil, fmt.Errorf("line: %v: a debounce time of %v is not between 0 and 1 s", pin, cfg.Debounce)
	}
	if err := pin.In(cfg.Pull, gpio.BothEdges); err != nil {
		return nil, fmt.Errorf("line: set up %v as an input; check that no other program uses it: %w", pin, err)
	}
	return &Input{pin: pin, cfg: cfg, active: gpio.Level(cfg.ActiveHigh)}, nil
}

// NewTouch is NewInput with TouchConfig.
func NewTouch(pin gpio.PinIn) (*Input, error) { return NewInput(pin, TouchConfig()) }

// State says whether the input is active now, without debouncing.
func (i *Input) State() bool { return i.pin.Read() == i.active }

// Wait returns nil once the input is active, at once if it is already, or the error of ctx.
func (i *Input) Wait(ctx context.Context) error { return i.level(ctx, i.active) }

// WaitRelease returns nil once the input is not active, or the error of ctx.
func (i *Input) WaitRelease(ctx context.Context) error { return i.level(ctx, !i.active) }

func (i *Input) level(ctx context.Context, want gpio.Level) error {
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("line: wait for %v: %w", i.pin, err)
		}
		if i.pin.Read() != want {
			i.edge(ctx, slice)
			continue
		}
		if i.cfg.Debounce == 0 || !i.edge(ctx, i.cfg.Debounce) && ctx.Err() == nil && i.pin.Read() == want {
			return nil
		}
	}
}

// edge reports whether the level changed within d.
func (i *Input) edge(ctx context.Context, d time.Duration) bool {
	end := time.Now().Add(d)
	if i.pin.WaitForEdge(d) {
		return true
	}
	// A pin that was halted or lost returns early, again and again: then this is polling, not a spin.
	if left := time.Until(end); left > 0 {
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return false
}

// LED is an output that is on or off.
type LED struct {
	pin gpio.PinOut
	on  gpio.Level
}

// NewLED sets pin up as an output and switches the LED off. activeLow is for an LED that lights when the pin is low.
func NewLED(pin gpio.PinOut, activeLow bool) (*LED, error) {
	l := &LED{pin: pin, on: gpio.Level(!activeLow)}
	if err := l.Set(false); err != nil {
		return nil, err
	}
	return l, nil
}

// Set switches the LED.
func (l *LED) Set(on bool) error {
	level := l.on
	if !on {
		level = !level
	}
	if err := l.pin.Out(level); err != nil {
		return fmt.Errorf("line: switch %v: %w", l.pin, err)
	}
	return nil
}
