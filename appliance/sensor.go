package appliance

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/config"
	"github.com/vouchbox/vouch/drivers/line"
	"github.com/vouchbox/vouch/drivers/r503"
)

// sensor keeps the fingerprint module open and opens it again after a fault. One caller at a time
// uses it: a ceremony or an enrolment; [sensor.keep] looks after it in between.
type sensor struct {
	cfg   config.Sensor
	touch r503.TouchLine // nil: poll

	busy sync.Mutex // held for one use of the module

	mu    sync.Mutex
	port  *r503.SerialPort
	dev   *r503.Dev
	facts api.Sensor
	tell  func(text string) // hears of faults while a human waits; nil when nobody does
}

// hear sets who is told of faults.
func (s *sensor) hear(tell func(text string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tell = tell
}

// lookEvery is how often an idle module is asked whether it is still there.
const lookEvery = 3 * time.Second

func newSensor(ctx context.Context, cfg config.Sensor) (*sensor, error) {
	s := &sensor{cfg: cfg, facts: api.Sensor{Detail: "not yet opened"}}
	if cfg.TouchLine != "" {
		pin, err := line.Open(ctx, cfg.TouchLine)
		if err != nil {
			return nil, fmt.Errorf("open the touch line: %w", err)
		}
		if s.touch, err = line.NewTouch(pin); err != nil {
			return nil, fmt.Errorf("use %s as the touch line: %w", cfg.TouchLine, err)
		}
	}
	return s, nil
}

const faultPause = 500 * time.Millisecond

// Scan waits for a finger and returns its picture.
func (s *sensor) Scan(ctx context.Context) (img *image.Gray, err error) {
	err = s.insist(ctx, func(d *r503.Dev, ctx context.Context) (err error) {
		img, err = d.Scan(ctx)
		return err
	})
	return img, err
}

// WaitLift returns once no finger is on the sensor.
func (s *sensor) WaitLift(ctx context.Context) error { return s.insist(ctx, (*r503.Dev).WaitLift) }

// insist repeats what fails until ctx ends. A fault of the module does not end what the human does: it
// is told in words, the module is opened again, and the wait goes on.
func (s *sensor) insist(ctx context.Context, fn func(*r503.Dev, context.Context) error) error {
	for {
		err := s.use(ctx, fn)
		if err == nil || ctx.Err() != nil {
			return err
		}
		s.mu.Lock()
		tell := s.tell
		s.mu.Unlock()
		if tell != nil {
			tell(r503.Advice(err))
		}
		if !pause(ctx, faultPause) {
			return ctx.Err()
		}
	}
}

// lightLimit bounds the wait for a light that does not answer.
const lightLimit = time.Second

// light shows a colour on the module's ring. It is a courtesy: a module without a light still reads, and
// one that is away is not opened for it. It goes out also when the box is stopping.
func (s *sensor) light(ctx context.Context, mode r503.Mode, colour r503.Colour) {
	if !s.status().Present {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lightLimit)
	defer cancel()
	_ = s.use(ctx, func(d *r503.Dev, ctx context.Context) error { return d.Aura(ctx, mode, 0x80, colour, 0) })
}

// use opens the module if it is closed, and closes it when it is lost.
func (s *sensor) use(ctx context.Context, fn func(*r503.Dev, context.Context) error) error {
	s.busy.Lock()
	defer s.busy.Unlock()
	dev, err := s.open(ctx)
	if err != nil {
		return err
	}
	err = fn(dev, ctx)
	if lost(err) {
		s.drop(err)
	}
	return err
}

// lost reports whether an error means that the module must be opened anew: its line is gone, or it
// stopped answering and may have come back as another.
func lost(err error) bool {
	return errors.Is(err, r503.ErrUnplugged) || errors.Is(err, r503.ErrTimeout)
}

func (s *sensor) open(ctx context.Context) (*r503.Dev, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dev != nil {
		return s.dev, nil
	}
	port, err := r503.OpenPort(ctx, s.cfg.Path, s.cfg.Baud)
	if err != nil {
		s.facts = api.Sensor{Detail: err.Error()}
		return nil, err
	}
	cfg := r503.DefaultConfig()
	// The reader judges the picture itself and says why it is poor.
	cfg.Password, cfg.Touch, cfg.Gate = s.cfg.Password, s.touch, false
	dev, err := r503.New(ctx, port, cfg)
	if err == nil {
		// Matching is the host's: nothing may stay in the module's own library.
		err = dev.Empty(ctx)
	}
	if err != nil {
		s.facts = api.Sensor{Detail: r503.Advice(err)}
		return nil, errors.Join(err, port.Close())
	}
	s.port, s.dev = port, dev
	s.facts = api.Sensor{Present: true, Model: "fingerprint module"}
	if p, ok := dev.Product(); ok {
		s.facts.Model = p.Model
	}
	return dev, nil
}

func (s *sensor) drop(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.port != nil {
		// The cause is what the human hears; a port that fails to close has nothing to add.
		_ = s.port.Close()
	}
	s.port, s.dev = nil, nil
	s.facts = api.Sensor{Detail: r503.Advice(cause)}
}

func (s *sensor) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.port != nil {
		_ = s.port.Close()
	}
	s.port, s.dev = nil, nil
}

func (s *sensor) status() api.Sensor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.facts
}

// keep opens the module, and notices within seconds when it is unplugged or plugged in again.
func (s *sensor) keep(ctx context.Context, p *problems, changed func()) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	before := s.status()
	for {
		if s.busy.TryLock() {
			s.look(ctx)
			s.busy.Unlock()
		}
		after := s.status()
		if after.Present {
			p.clear("sensor.absent")
		} else {
			p.raise("sensor.absent", "The fingerprint sensor does not answer.", after.Detail)
		}
		if after != before {
			changed()
			before = after
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (s *sensor) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	dev, err := s.open(ctx)
	if err != nil {
		return
	}
	if err := dev.VerifyPassword(ctx); err != nil && ctx.Err() == nil {
		s.drop(err)
	}
}
