package r503_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

func TestOpenPort(t *testing.T) {
	t.Parallel()
	if _, err := r503.OpenPort(t.Context(), "/dev/no-such-port", 57600); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "check that the sensor is plugged in") {
		t.Errorf("missing path: %v", err)
	}
	if _, err := r503.OpenPort(t.Context(), t.TempDir(), 57600); err == nil {
		t.Error("opened a folder")
	}
	sim := module(t, nil)
	port := open(t, sim)
	if _, err := r503.OpenPort(t.Context(), sim.Path(), 57600); err == nil {
		t.Error("opened a port in use")
	}
	if err := errors.Join(port.Close(), port.Close()); err != nil {
		t.Error(err)
	}
	// One client after another on the same path, as when the owner of the port is killed and starts again.
	for range 3 {
		port := open(t, sim)
		if _, err := r503.New(t.Context(), port, quick()); err != nil {
			t.Fatal(err)
		}
		port.Close()
	}
}

// rated is a line on which bytes arrive only if host and module have the same rate.
type rated struct {
	*r503.SerialPort
	module int // the rate of the module
	deaf   bool
}

func (r *rated) Write(b []byte) (int, error) {
	if r.Baud() != r.module {
		return len(b), nil
	}
	n, err := r.SerialPort.Write(b)
	if len(b) > 11 && b[9] == byte(r503.InsSetParam) && b[10] == 4 && !r.deaf {
		r.module = int(b[11]) * 9600
	}
	return n, err
}

func TestRates(t *testing.T) {
	t.Parallel()
	cfg := quick()
	cfg.CommandTimeout, cfg.Retries = 100*time.Millisecond, 1
	for _, at := range []int{9600, 57600, 115200} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			line := &rated{SerialPort: open(t, module(t, nil)), module: at}
			dev, err := r503.New(t.Context(), line, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if line.Baud() != cfg.Baud || line.module != cfg.Baud {
				t.Errorf("line at %d, module at %d, want %d", line.Baud(), line.module, cfg.Baud)
			}
			if err := dev.Handshake(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("module does not follow", func(t *testing.T) {
		t.Parallel()
		line := &rated{SerialPort: open(t, module(t, nil)), module: 57600, deaf: true}
		dev, err := r503.New(t.Context(), line, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := dev.SetBaud(t.Context(), 19200); !errors.Is(err, r503.ErrUnsupported) {
			t.Errorf("SetBaud: %v", err)
		}
		if err := dev.Handshake(t.Context()); err != nil || line.Baud() != 57600 {
			t.Errorf("Handshake at %d: %v", line.Baud(), err)
		}
	})
	t.Run("no module", func(t *testing.T) {
		t.Parallel()
		line := &rated{SerialPort: open(t, module(t, nil)), module: 1}
		if _, err := r503.New(t.Context(), line, cfg); !errors.Is(err, r503.ErrTimeout) || line.Baud() != 57600 {
			t.Errorf("New: %v, line at %d", err, line.Baud())
		}
	})
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

// A client that asked for pictures and never read them leaves the line full. The next one has to get through.
func TestAbandonedPictures(t *testing.T) {
	t.Parallel()
	sim := module(t, func(c *drivertest.Config) { c.Size = image.Pt(256, 288) })
	sim.Touch(finger(image.Pt(256, 288)))
	gone, err := os.OpenFile(sim.Path(), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var frames []byte
	for _, ins := range []r503.Instruction{r503.InsCapture, r503.InsUploadImage, r503.InsUploadImage, r503.InsUploadImage} {
		if frames, err = (r503.Packet{Address: r503.DefaultAddress, ID: r503.IDCommand, Payload: []byte{byte(ins)}}).Append(frames); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := gone.Write(frames); err != nil {
		t.Fatal(err)
	}
	if err := sim.Await(within(t, patience), r503.InsUploadImage, 1); err != nil {
		t.Fatal(err)
	}
	gone.Close()
	dev := connect(t, sim, quick())
	if img, err := dev.Scan(within(t, patience)); err != nil || img.Rect.Max != image.Pt(256, 288) {
		t.Errorf("Scan: %v", err)
	}
}

// A process that holds the port is killed while it waits for a finger; the next one opens the same path.
func TestKilledClient(t *testing.T) {
	t.Parallel()
	sim := module(t, nil)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childPort+"="+sim.Path())
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	err := sim.Await(within(t, patience), r503.InsCapture, 2)
	if kill := child.Process.Kill(); kill != nil {
		t.Fatal(kill)
	}
	child.Wait()
	if err != nil {
		t.Fatal(err)
	}
	dev := connect(t, sim, quick())
	sim.Touch(finger(image.Pt(192, 192)))
	if _, err := dev.Scan(within(t, patience)); err != nil {
		t.Error(err)
	}
}

const childPort = "R503_TEST_CHILD_PORT"

func TestMain(m *testing.M) {
	path := os.Getenv(childPort)
	if path == "" {
		os.Exit(m.Run())
	}
	port, err := r503.OpenPort(context.Background(), path, r503.DefaultBaud)
	if err != nil {
		os.Exit(2)
	}
	dev, err := r503.New(context.Background(), port, quick())
	if err != nil {
		os.Exit(3)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dev.Scan(ctx)
	os.Exit(4)
}
