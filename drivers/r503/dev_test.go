package r503_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"testing"
	"time"

	"github.com/vouchbox/vouch/drivers/drivertest"
	"github.com/vouchbox/vouch/drivers/r503"
)

// quick is a configuration with deadlines that a test can wait for.
func quick() r503.Config {
	cfg := r503.DefaultConfig()
	cfg.CommandTimeout = 250 * time.Millisecond
	cfg.CaptureTimeout = 250 * time.Millisecond
	cfg.DataTimeout = 250 * time.Millisecond
	cfg.Quiet = 10 * time.Millisecond
	cfg.DrainTimeout = 2 * time.Second
	cfg.Poll = 2 * time.Millisecond
	return cfg
}

// finger is a picture with ridges, already at the 16 levels of the wire.
func finger(size image.Point) *image.Gray {
	img := image.NewGray(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			img.Pix[y*img.Stride+x] = byte((x*x/40+y)%16) * 17
		}
	}
	return img
}

func module(t *testing.T, change func(*drivertest.Config)) *drivertest.R503 {
	t.Helper()
	cfg := drivertest.DefaultConfig()
	if change != nil {
		change(&cfg)
	}
	sim, err := drivertest.NewR503(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	return sim
}

func open(t *testing.T, sim *drivertest.R503) *r503.SerialPort {
	t.Helper()
	port, err := r503.OpenPort(t.Context(), sim.Path(), r503.DefaultBaud)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { port.Close() })
	return port
}

func connect(t *testing.T, sim *drivertest.R503, cfg r503.Config) *r503.Dev {
	t.Helper()
	dev, err := r503.New(t.Context(), open(t, sim), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestNewLearnsTheModule(t *testing.T) {
	t.Parallel()
	sim := module(t, func(c *drivertest.Config) { c.Templates = 3 })
	dev := connect(t, sim, quick())
	p, err := dev.Params(t.Context())
	if err != nil || p.PacketSize != 256 || p.Baud != 115200 || p.Capacity != 200 || p.Address != r503.DefaultAddress {
		t.Errorf("Params = %+v, %v", p, err)
	}
	prod, ok := dev.Product()
	if want := (r503.Product{Model: "R503", Batch: "SIM", Serial: "SIM00001", Hardware: "1.1", Sensor: "VIRTUAL",
		Size: image.Pt(192, 192), Template: 1536, Capacity: 200}); !ok || prod != want {
		t.Errorf("Product = %+v, %v", prod, ok)
	}
	if n, err := dev.TemplateCount(t.Context()); n != 3 || err != nil {
		t.Errorf("TemplateCount = %d, %v", n, err)
	}
	if err := dev.Empty(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := dev.TemplateCount(t.Context()); n != 0 || err != nil {
		t.Errorf("TemplateCount after Empty = %d, %v", n, err)
	}
	if err := dev.Aura(t.Context(), r503.Breathe, 100, r503.Purple, 0); err != nil {
		t.Error(err)
	}
	if got, want := sim.LED(), (drivertest.LED{Mode: r503.Breathe, Speed: 100, Colour: r503.Purple}); got != want {
		t.Errorf("LED = %+v", got)
	}
	for name, f := range map[string]func(context.Context) error{
		"Handshake": dev.Handshake, "CheckSensor": dev.CheckSensor, "Cancel": dev.Cancel, "Wake": dev.Wake, "SoftReset": dev.SoftReset,
	} {
		if err := f(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := dev.Sleep(t.Context()); !errors.Is(err, r503.ErrUnsupported) {
		t.Errorf("Sleep: %v", err)
	}
}

func TestScanSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []image.Point{{X: 192, Y: 192}, {X: 256, Y: 288}, {X: 160, Y: 160}} {
		for _, product := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v product %v", size, product), func(t *testing.T) {
				t.Parallel()
				sim := module(t, func(c *drivertest.Config) {
					c.Size = size
					if !product {
						c.Unknown = append(c.Unknown, r503.InsReadProduct)
					}
				})
				dev := connect(t, sim, quick())
				want := finger(size)
				sim.Touch(want)
				got, err := dev.Scan(within(t, 5*time.Second))
				if err != nil || got.Rect != want.Rect || !bytes.Equal(got.Pix, want.Pix) {
					t.Fatalf("Scan: %v, same picture: %v", err, got != nil && bytes.Equal(got.Pix, want.Pix))
				}
			})
		}
	}
}

// A picture of a size that no table names is taken if the module states its size, and refused otherwise.
func TestUnknownSize(t *testing.T) {
	t.Parallel()
	odd := func(c *drivertest.Config) { c.Size = image.Pt(100, 90) }
	sim := module(t, odd)
	sim.Touch(finger(image.Pt(100, 90)))
	if img, err := connect(t, sim, quick()).Scan(within(t, 5*time.Second)); err != nil || img.Rect.Max != image.Pt(100, 90) {
		t.Errorf("with product: %v", err)
	}
	sim = module(t, func(c *drivertest.Config) { odd(c); c.Unknown = append(c.Unknown, r503.InsReadProduct) })
	sim.Touch(finger(image.Pt(100, 90)))
	if _, err := connect(t, sim, quick()).Scan(within(t, 5*time.Second)); !errors.Is(err, r503.ErrShortImage) {
		t.Errorf("without product: %v", err)
	}
}

func TestTouchAndLift(t *testing.T) {
	t.Parallel()
	sim := module(t, nil)
	dev := connect(t, sim, quick())
	ctx := within(t, 10*time.Second)
	if err := dev.Capture(ctx); !errors.Is(err, r503.ErrNoFinger) {
		t.Fatalf("Capture: %v", err)
	}
	if err := dev.WaitLift(ctx); err != nil {
		t.Fatal(err)
	}
	scanned := make(chan error, 1)
	go func() { _, err := dev.Scan(ctx); scanned <- err }()
	looks := sim.Count(r503.InsCapture)
	if err := sim.Await(ctx, r503.InsCapture, looks+2); err != nil {
		t.Fatal(err)
	}
	// The ring can be lit while somebody waits for a finger.
	if err := dev.Aura(ctx, r503.On, 0, r503.Blue, 0); err != nil {
		t.Error(err)
	}
	sim.Touch(finger(image.Pt(192, 192)))
	if err := <-scanned; err != nil {
		t.Fatal(err)
	}
	go func() { scanned <- dev.WaitLift(ctx) }()
	if err := sim.Await(ctx, r503.InsCapture, sim.Count(r503.InsCapture)+2); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-scanned:
		t.Fatalf("WaitLift returned under the finger: %v", err)
	default:
	}
	sim.Lift()
	if err := <-scanned; err != nil {
		t.Fatal(err)
	}
	sim.Touch(image.NewGray(image.Rect(0, 0, 192, 192)))
	if _, err := dev.Scan(ctx); !errors.Is(err, r503.ErrMessy) {
		t.Errorf("a picture without contrast: %v", err)
	}
}

func TestScanEndsWithContext(t *testing.T) {
	t.Parallel()
	sim := module(t, nil)
	dev := connect(t, sim, quick())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := dev.Scan(ctx); done <- err }()
	if err := sim.Await(within(t, 5*time.Second), r503.InsCapture, 1); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || time.Since(start) > time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
	if _, err := dev.TemplateCount(t.Context()); err != nil {
		t.Error(err)
	}
}

// A picture that nobody wants any more still arrives for seconds. The next command has to work all the same.
func TestCancelMidImage(t *testing.T) {
	t.Parallel()
	sim := module(t, func(c *drivertest.Config) { c.Pace, c.Baud, c.Templates = true, 115200, 5 })
	dev := connect(t, sim, quick())
	sim.Touch(finger(image.Pt(192, 192)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := dev.Scan(ctx); done <- err }()
	if err := sim.Await(within(t, 5*time.Second), r503.InsUploadImage, 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Scan: %v", err)
	}
	if n, err := dev.TemplateCount(within(t, 5*time.Second)); n != 5 || err != nil {
		t.Errorf("TemplateCount = %d, %v", n, err)
	}
}

func TestTouchLine(t *testing.T) {
	t.Parallel()
	sim := module(t, nil)
	cfg := quick()
	cfg.TouchPoll = time.Hour
	touched, waits := make(chan struct{}), make(chan struct{}, 1)
	cfg.Touch = touchFunc(func(ctx context.Context) error {
		select {
		case waits <- struct{}{}:
		default:
		}
		select {
		case <-touched:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	dev := connect(t, sim, cfg)
	ctx := within(t, 5*time.Second)
	done := make(chan error, 1)
	go func() { _, err := dev.Scan(ctx); done <- err }()
	<-waits
	if n := sim.Count(r503.InsCapture); n != 1 {
		t.Errorf("%d captures before the touch", n)
	}
	sim.Touch(finger(image.Pt(192, 192)))
	close(touched)
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	// A line that fails is replaced by polling.
	cfg.Touch = touchFunc(func(context.Context) error { return errors.New("no such pin") })
	sim2 := module(t, nil)
	dev = connect(t, sim2, cfg)
	go func() { _, err := dev.Scan(ctx); done <- err }()
	if err := sim2.Await(ctx, r503.InsCapture, 3); err != nil {
		t.Fatal(err)
	}
	sim2.Touch(finger(image.Pt(192, 192)))
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

type touchFunc func(context.Context) error

func (f touchFunc) Wait(ctx context.Context) error { return f(ctx) }

func TestPassword(t *testing.T) {
	t.Parallel()
	sim := module(t, func(c *drivertest.Config) { c.Password = 0x11223344 })
	if _, err := r503.New(t.Context(), open(t, sim), quick()); !errors.Is(err, r503.ErrPassword) {
		t.Fatalf("New with the wrong password: %v", err)
	}
	sim = module(t, func(c *drivertest.Config) { c.Password = 0x11223344 })
	cfg := quick()
	cfg.Password = 0x11223344
	dev := connect(t, sim, cfg)
	if err := dev.SetPassword(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	if err := dev.SoftReset(t.Context()); err != nil {
		t.Errorf("SoftReset with the new password: %v", err)
	}
	if err := dev.Handshake(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestQuirks(t *testing.T) {
	t.Parallel()
	old := []r503.Instruction{r503.InsHandshake, r503.InsReadProduct, r503.InsAura, r503.InsCheckSensor}
	for name, change := range map[string]func(*drivertest.Config){
		"older module": func(c *drivertest.Config) { c.Unknown = old },
		"R308":         func(c *drivertest.Config) { c.Unknown = append(slices.Clone(old), r503.InsReadParams) },
		"silent": func(c *drivertest.Config) {
			c.Mute = []r503.Instruction{r503.InsReadProduct, r503.InsReadParams}
			c.Unknown = old
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dev := connect(t, module(t, change), quick())
			if _, ok := dev.Product(); ok {
				t.Error("there is a product")
			}
			if err := dev.Handshake(t.Context()); err != nil {
				t.Errorf("Handshake: %v", err)
			}
			if err := dev.Aura(t.Context(), r503.On, 0, r503.Red, 0); !errors.Is(err, r503.ErrUnsupported) {
				t.Errorf("Aura: %v", err)
			}
			if _, err := dev.TemplateCount(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBadConfig(t *testing.T) {
	for _, change := range []func(*r503.Config){
		func(c *r503.Config) { c.PacketSize = 100 },
		func(c *r503.Config) { c.Baud = 230400 },
		func(c *r503.Config) { c.CommandTimeout = 0 },
		func(c *r503.Config) { c.Retries = -1 },
	} {
		cfg := r503.DefaultConfig()
		change(&cfg)
		if _, err := r503.New(t.Context(), nil, cfg); err == nil {
			t.Errorf("New took %+v", cfg)
		}
	}
	dev := connect(t, module(t, nil), quick())
	if err := dev.SetPacketSize(t.Context(), 7); err == nil {
		t.Error("SetPacketSize(7)")
	}
	if err := dev.SetBaud(t.Context(), 12345); err == nil {
		t.Error("SetBaud(12345)")
	}
}

// An ended context stops every command before a byte is sent, and nothing is broken by it.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	sim := module(t, nil)
	dev := connect(t, sim, quick())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, f := range map[string]func(context.Context) error{
		"Capture": dev.Capture, "CheckImage": dev.CheckImage, "WaitLift": dev.WaitLift, "Wake": dev.Wake, "SoftReset": dev.SoftReset,
		"Handshake": dev.Handshake, "Empty": dev.Empty, "VerifyPassword": dev.VerifyPassword,
		"SetPassword":   func(ctx context.Context) error { return dev.SetPassword(ctx, 1) },
		"SetBaud":       func(ctx context.Context) error { return dev.SetBaud(ctx, 9600) },
		"SetPacketSize": func(ctx context.Context) error { return dev.SetPacketSize(ctx, 32) },
		"TemplateCount": func(ctx context.Context) error { _, err := dev.TemplateCount(ctx); return err },
		"UploadImage":   func(ctx context.Context) error { _, err := dev.UploadImage(ctx); return err },
		"Scan":          func(ctx context.Context) error { _, err := dev.Scan(ctx); return err },
	} {
		if err := f(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := dev.Handshake(t.Context()); err != nil || sim.Count(r503.InsHandshake) != 1 {
		t.Errorf("Handshake: %v", err)
	}
}
