package r503_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/vouchbox/vouch/drivers/drivertest"
	"github.com/vouchbox/vouch/drivers/r503"
)

// patience bounds any single call in these tests: three tries of 250 ms each with their recoveries, on a busy machine.
const patience = 8 * time.Second

// Every fault at every phase of New: it recovers or names what is wrong, and in the end the same module works.
func TestFaultsInNew(t *testing.T) {
	t.Parallel()
	for _, ins := range []r503.Instruction{r503.InsVerifyPassword, r503.InsReadParams, r503.InsReadProduct, r503.InsSetParam} {
		for _, c := range commandFaults() {
			t.Run(fmt.Sprintf("%v/%s", ins, c.name), func(t *testing.T) {
				t.Parallel()
				sim := module(t, func(c *drivertest.Config) { c.Templates = 4 })
				f := c.fault
				f.On = ins
				sim.Inject(f)
				want := c.want
				if ins == r503.InsReadParams || ins == r503.InsReadProduct {
					if f.Kind == drivertest.AckCode {
						want = nil // the module says that it does not have this; then it is done without
					}
				}
				port := open(t, sim)
				ctx := within(t, patience)
				dev, err := r503.New(ctx, port, quick())
				if !errors.Is(err, want) {
					t.Fatalf("New: %v, want %v", err, want)
				}
				if n := sim.Pending(); n != 0 {
					t.Fatalf("the fault did not strike")
				}
				if errors.Is(err, r503.ErrUnplugged) {
					return
				}
				if dev == nil {
					if dev, err = r503.New(ctx, port, quick()); err != nil {
						t.Fatalf("second New: %v", err)
					}
				}
				if n, err := dev.TemplateCount(ctx); n != 4 || err != nil {
					t.Errorf("TemplateCount = %d, %v", n, err)
				}
			})
		}
	}
}

type faultCase struct {
	name  string
	fault drivertest.Fault
	want  error
}

func commandFaults() []faultCase {
	return []faultCase{
		{"bad checksum", drivertest.Fault{Kind: drivertest.BadChecksum}, nil},
		{"lost byte", drivertest.Fault{Kind: drivertest.LostByte}, nil},
		{"no reply", drivertest.Fault{Kind: drivertest.Timeout}, nil},
		{"late reply", drivertest.Fault{Kind: drivertest.Late, Delay: 300 * time.Millisecond}, nil},
		{"power-up byte", drivertest.Fault{Kind: drivertest.PowerUp55}, nil},
		{"garbage", drivertest.Fault{Kind: drivertest.Garbage}, nil},
		{"false start", drivertest.Fault{Kind: drivertest.FalseStart}, nil},
		{"damaged command", drivertest.Fault{Kind: drivertest.AckCode, Code: r503.CodePacket}, nil},
		{"hardware fault", drivertest.Fault{Kind: drivertest.AckCode, Code: r503.CodeHardware}, r503.ErrSensor},
		{"wrong password", drivertest.Fault{Kind: drivertest.WrongPassword}, r503.ErrPassword},
		{"unplug", drivertest.Fault{Kind: drivertest.Unplug}, r503.ErrUnplugged},
	}
}

// Every fault at every command: it recovers or names what is wrong, within a bounded time, and the next commands work.
func TestFaultsInCommands(t *testing.T) {
	t.Parallel()
	ops := []struct {
		ins r503.Instruction
		run func(context.Context, *r503.Dev) error
	}{
		{r503.InsCapture, func(ctx context.Context, d *r503.Dev) error { return d.Capture(ctx) }},
		{r503.InsFeatures, func(ctx context.Context, d *r503.Dev) error { return d.CheckImage(ctx) }},
		{r503.InsUploadImage, func(ctx context.Context, d *r503.Dev) error { _, err := d.UploadImage(ctx); return err }},
		{r503.InsAura, func(ctx context.Context, d *r503.Dev) error { return d.Aura(ctx, r503.On, 0, r503.Blue, 0) }},
		{r503.InsTemplateCount, func(ctx context.Context, d *r503.Dev) error { _, err := d.TemplateCount(ctx); return err }},
		{r503.InsEmpty, func(ctx context.Context, d *r503.Dev) error { return d.Empty(ctx) }},
		{r503.InsReadParams, func(ctx context.Context, d *r503.Dev) error { _, err := d.Params(ctx); return err }},
		{r503.InsSetParam, func(ctx context.Context, d *r503.Dev) error { return d.SetPacketSize(ctx, 128) }},
		{r503.InsHandshake, func(ctx context.Context, d *r503.Dev) error { return d.Handshake(ctx) }},
	}
	cases := append(commandFaults(),
		faultCase{"lost power", drivertest.Fault{Kind: drivertest.Forget}, nil},
		faultCase{"late and mistakable", drivertest.Fault{Kind: drivertest.Late, Delay: 275 * time.Millisecond}, nil})
	for _, op := range ops {
		for _, c := range cases {
			t.Run(fmt.Sprintf("%v/%s", op.ins, c.name), func(t *testing.T) {
				t.Parallel()
				sim := module(t, func(c *drivertest.Config) { c.Password = 9 })
				cfg := quick()
				cfg.Password = 9
				dev := connect(t, sim, cfg)
				sim.Touch(finger(image.Pt(192, 192)))
				ctx := within(t, patience)
				if err := dev.Capture(ctx); err != nil {
					t.Fatal(err)
				}
				f := c.fault
				f.On = op.ins
				sim.Inject(f)
				want := c.want
				if op.ins == r503.InsHandshake && f.Kind == drivertest.AckCode && f.Code == r503.CodeHardware {
					want = r503.ErrUnsupported // the other hand shake is tried, which this module does not know
				}
				if op.ins == r503.InsUploadImage && f.Kind == drivertest.Late {
					// The upload is repeated once by itself; its own late packets are drained first.
					want = nil
				}
				err := op.run(ctx, dev)
				if !errors.Is(err, want) {
					t.Fatalf("got %v, want %v", err, want)
				}
				if sim.Pending() != 0 {
					t.Fatal("the fault did not strike")
				}
				if errors.Is(err, r503.ErrUnplugged) {
					return
				}
				stillWorks(ctx, t, sim, dev)
			})
		}
	}
}

// stillWorks checks that what is on the line belongs to the commands that are sent.
func stillWorks(ctx context.Context, t *testing.T, sim *drivertest.R503, dev *r503.Dev) {
	t.Helper()
	if n, err := dev.TemplateCount(ctx); n != 0 || err != nil {
		t.Errorf("TemplateCount = %d, %v", n, err)
	}
	sim.Lift()
	if err := dev.Capture(ctx); !errors.Is(err, r503.ErrNoFinger) {
		t.Errorf("Capture without a finger: %v", err)
	}
	want := finger(image.Pt(192, 192))
	sim.Touch(want)
	if got, err := dev.Scan(ctx); err != nil || !bytes.Equal(got.Pix, want.Pix) {
		t.Errorf("Scan: %v", err)
	}
}

func TestFaultsInPicture(t *testing.T) {
	t.Parallel()
	once := func(k drivertest.FaultKind) []drivertest.Fault {
		return []drivertest.Fault{{Kind: k, Data: true, Delay: 300 * time.Millisecond}}
	}
	twice := func(k drivertest.FaultKind) []drivertest.Fault { return append(once(k), once(k)...) }
	for _, c := range []struct {
		name    string
		faults  []drivertest.Fault
		want    []error
		uploads int
	}{
		{"power-up byte", once(drivertest.PowerUp55), nil, 1},
		{"garbage", once(drivertest.Garbage), nil, 1},
		{"bad checksum", once(drivertest.BadChecksum), nil, 2},
		{"lost byte", once(drivertest.LostByte), nil, 2},
		{"lost packet", once(drivertest.Timeout), nil, 2},
		{"false start", once(drivertest.FalseStart), nil, 2},
		{"pause", once(drivertest.Late), nil, 2},
		{"cut", once(drivertest.CutMidImage), nil, 2},
		{"bad checksum twice", twice(drivertest.BadChecksum), []error{r503.ErrShortImage, r503.ErrChecksum}, 2},
		{"lost byte twice", twice(drivertest.LostByte), []error{r503.ErrShortImage}, 2},
		{"lost packet twice", twice(drivertest.Timeout), []error{r503.ErrShortImage}, 2},
		{"cut twice", twice(drivertest.CutMidImage), []error{r503.ErrShortImage, r503.ErrTimeout}, 2},
		{"unplug", once(drivertest.Unplug), []error{r503.ErrUnplugged}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sim := module(t, nil)
			dev := connect(t, sim, quick())
			sim.Touch(finger(image.Pt(192, 192)))
			sim.Inject(c.faults...)
			ctx := within(t, patience)
			img, err := dev.Scan(ctx)
			if c.want == nil && (err != nil || !bytes.Equal(img.Pix, finger(image.Pt(192, 192)).Pix)) {
				t.Fatalf("Scan: %v", err)
			}
			for _, want := range c.want {
				if !errors.Is(err, want) {
					t.Errorf("Scan: %v, want %v", err, want)
				}
			}
			if n := sim.Count(r503.InsUploadImage); n != c.uploads || sim.Pending() != 0 {
				t.Errorf("%d uploads, want %d; %d faults left", n, c.uploads, sim.Pending())
			}
			if !errors.Is(err, r503.ErrUnplugged) {
				stillWorks(ctx, t, sim, dev)
			}
		})
	}
}

func TestUnplugDuringScan(t *testing.T) {
	t.Parallel()
	sim := module(t, nil)
	dev := connect(t, sim, quick())
	ctx := within(t, patience)
	done := make(chan error, 1)
	go func() { _, err := dev.Scan(ctx); done <- err }()
	if err := sim.Await(ctx, r503.InsCapture, 2); err != nil {
		t.Fatal(err)
	}
	sim.Close()
	if err := <-done; !errors.Is(err, r503.ErrUnplugged) {
		t.Errorf("Scan: %v", err)
	}
	if err := dev.Handshake(ctx); !errors.Is(err, r503.ErrUnplugged) {
		t.Errorf("Handshake: %v", err)
	}
}

func TestCloseDuringScan(t *testing.T) {
	t.Parallel()
	sim := module(t, nil)
	port := open(t, sim)
	dev, err := r503.New(t.Context(), port, quick())
	if err != nil {
		t.Fatal(err)
	}
	ctx := within(t, patience)
	done := make(chan error, 1)
	go func() { _, err := dev.Scan(ctx); done <- err }()
	if err := sim.Await(ctx, r503.InsCapture, 2); err != nil {
		t.Fatal(err)
	}
	port.Close()
	if err := <-done; !errors.Is(err, r503.ErrUnplugged) {
		t.Errorf("Scan: %v", err)
	}
}

// Nobody on the line: New says so within the deadlines of its tries at every rate.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	sim := module(t, func(c *drivertest.Config) { c.Mute = []r503.Instruction{r503.InsVerifyPassword} })
	cfg := quick()
	cfg.CommandTimeout, cfg.Retries = 20*time.Millisecond, 1
	start := time.Now()
	_, err := r503.New(t.Context(), open(t, sim), cfg)
	if !errors.Is(err, r503.ErrTimeout) || time.Since(start) > patience {
		t.Errorf("New: %v after %v", err, time.Since(start))
	}
	if got := r503.Advice(err); got != "The fingerprint sensor stopped answering. Check its cable; the box tries again by itself." {
		t.Errorf("Advice = %q", got)
	}
}

// A line that never falls silent is a timeout, not a hang.
func TestNoiseForEver(t *testing.T) {
	t.Parallel()
	cfg := quick()
	cfg.DrainTimeout = 50 * time.Millisecond
	if _, err := r503.New(within(t, patience), noise{}, cfg); !errors.Is(err, r503.ErrTimeout) {
		t.Errorf("New: %v", err)
	}
}

type noise struct{}

func (noise) Read(b []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return copy(b, "\xEF\x01\x55"), nil
}
func (noise) Write(b []byte) (int, error)        { return len(b), nil }
func (noise) SetReadTimeout(time.Duration) error { return nil }
func (noise) ResetInputBuffer() error            { return nil }

// The driver needs no terminal: any line with a read timeout will do.
func TestOtherLines(t *testing.T) {
	t.Parallel()
	host, far := net.Pipe()
	sim := drivertest.NewR503On(far, drivertest.DefaultConfig())
	defer sim.Close()
	dev, err := r503.New(within(t, patience), pipePort{host}, quick())
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.SetBaud(t.Context(), 57600); !errors.Is(err, r503.ErrUnsupported) {
		t.Errorf("SetBaud: %v", err)
	}
	// A pipe holds nothing back, so here the cut falls inside the picture for sure.
	sim.Touch(finger(image.Pt(192, 192)))
	sim.Inject(drivertest.Fault{Kind: drivertest.Unplug, Data: true})
	if _, err := dev.Scan(within(t, patience)); !errors.Is(err, r503.ErrShortImage) || !errors.Is(err, r503.ErrUnplugged) {
		t.Errorf("Scan: %v", err)
	}
	if err := dev.Handshake(t.Context()); !errors.Is(err, r503.ErrUnplugged) || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Handshake: %v", err)
	}
}

type pipePort struct{ net.Conn }

func (p pipePort) SetReadTimeout(d time.Duration) error { return p.SetReadDeadline(time.Now().Add(d)) }
func (p pipePort) ResetInputBuffer() error              { return nil }
func (p pipePort) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return n, err
}

// The sentinels that a caller decides on, and a sentence for each.
func TestCodes(t *testing.T) {
	for _, c := range []struct {
		code r503.Code
		want error
	}{
		{r503.CodeNoFinger, r503.ErrNoFinger}, {r503.CodeMessy, r503.ErrMessy}, {r503.CodeFewFeatures, r503.ErrMessy},
		{r503.CodePassword, r503.ErrPassword}, {r503.CodeVerify, r503.ErrPassword}, {r503.CodePacket, r503.ErrChecksum},
		{r503.CodeUnsupported, r503.ErrUnsupported}, {r503.CodeSensor, r503.ErrSensor}, {r503.CodeFlash, r503.ErrSensor},
		{r503.CodeTimeout, r503.ErrTimeout}, {r503.CodeUploadImage, r503.ErrShortImage},
	} {
		err := fmt.Errorf("r503: x: %w", c.code)
		if !errors.Is(err, c.want) || errors.Is(err, r503.ErrUnplugged) {
			t.Errorf("%v is not %v", c.code, c.want)
		}
		if r503.Advice(err) == r503.Advice(errors.New("other")) {
			t.Errorf("no advice for %v", err)
		}
	}
	if got := r503.Code(0x77).Error(); got != "unknown code (code 77)" {
		t.Error(got)
	}
	if r503.Advice(nil) != "" || r503.Advice(context.DeadlineExceeded) == "" {
		t.Error("advice")
	}
}
