package r503_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vouchbox/vouch/drivers/drivertest"
	"github.com/vouchbox/vouch/drivers/r503"
)

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

// A program that is started while the line is open, such as a model's sandbox, does not get it.
func TestPortIsNotInherited(t *testing.T) {
	t.Parallel()
	sim := module(t, nil)
	open(t, sim)
	out, err := exec.CommandContext(t.Context(), "ls", "-l", "/proc/self/fd").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasSuffix(strings.TrimSpace(line), "-> "+sim.Path()) {
			t.Errorf("a child process holds the sensor's line: %s", line)
		}
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
