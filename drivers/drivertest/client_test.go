package drivertest

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"image"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vouchbox/vouch/drivers/line"
	"github.com/vouchbox/vouch/drivers/r503"
)

// The touch line of package line is what r503 asks for; neither package knows the other.
var _ r503.TouchLine = (*line.Input)(nil)

// foreign is a client that was written from the manual and shares no code with package r503.
type foreign struct {
	t   *testing.T
	tty *os.File
}

func dial(t *testing.T, path string) foreign {
	t.Helper()
	tty, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	if err := tty.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return foreign{t, tty}
}

func (f foreign) write(frame string) {
	f.t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(frame, " ", ""))
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.tty.Write(b); err != nil {
		f.t.Fatal(err)
	}
}

func (f foreign) expect(frame string) {
	f.t.Helper()
	want, err := hex.DecodeString(strings.ReplaceAll(frame, " ", ""))
	if err != nil {
		f.t.Fatal(err)
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(f.tty, got); err != nil {
		f.t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		f.t.Fatalf("got %X, want %X", got, want)
	}
}

// packet reads one frame: its id and payload.
func (f foreign) packet() (byte, []byte) {
	f.t.Helper()
	head := make([]byte, 9)
	if _, err := io.ReadFull(f.tty, head); err != nil {
		f.t.Fatal(err)
	}
	if binary.BigEndian.Uint16(head) != 0xEF01 {
		f.t.Fatalf("header %X", head)
	}
	rest := make([]byte, binary.BigEndian.Uint16(head[7:]))
	if _, err := io.ReadFull(f.tty, rest); err != nil {
		f.t.Fatal(err)
	}
	sum := 0
	for _, b := range append(head[6:9:9], rest[:len(rest)-2]...) {
		sum += int(b)
	}
	if got := binary.BigEndian.Uint16(rest[len(rest)-2:]); int(got) != sum&0xFFFF {
		f.t.Fatalf("sum %04X, want %04X", got, sum)
	}
	return head[6], rest[:len(rest)-2]
}

func newModule(t *testing.T, cfg Config) *R503 {
	t.Helper()
	sim, err := NewR503(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	return sim
}

// What published clients send, and what modules answered them, to the byte.
func TestPublishedVectors(t *testing.T) {
	t.Parallel()
	sim := newModule(t, DefaultConfig())
	c := dial(t, sim.Path())
	for _, v := range [][2]string{
		{"EF01 FFFFFFFF 01 0007 13 00000000 001B", "EF01 FFFFFFFF 07 0003 00 000A"},                                                                    // VfyPwd
		{"EF01 FFFFFFFF 01 0003 0F 0013", "EF01 FFFFFFFF 07 0013 00 0000 0000 00C8 0003 FFFFFFFF 0002 0006 04E9"},                                      // ReadSysPara
		{"EF01 FFFFFFFF 01 0003 01 0005", "EF01 FFFFFFFF 07 0003 02 000C"},                                                                             // GenImg
		{"EF01 FFFFFFFF 01 0004 02 01 0008", "EF01 FFFFFFFF 07 0003 15 001F"},                                                                          // Img2Tz
		{"EF01 FFFFFFFF 01 0004 09 01 000F", "EF01 FFFFFFFF 07 0003 FC 0106"},                                                                          // DownChar
		{"EF01 FFFFFFFF 01 0003 01 0006", "EF01 FFFFFFFF 07 0003 01 000B"},                                                                             // wrong sum
		{"EF01 FFFFFFFF 01 0007 13 00000001 001C", "EF01 FFFFFFFF 07 0003 13 001D"},                                                                    // wrong password
		{"55 EF01 00000000 01 0003 01 0005 EF01 FFFFFFFF 01 0003 1D 0021", "EF01 FFFFFFFF 07 0005 00 0000 000C"},                                       // noise, other address
		{"EF01 FFFFFFFF 01 0007 35 03 00 01 00 0041", "EF01 FFFFFFFF 07 0003 00 000A"},                                                                 // AuraLedConfig
		{"EF01 FFFFFFFF 01 0005 0E 06 03 001D EF01 FFFFFFFF 01 0005 0E 06 04 001E", "EF01 FFFFFFFF 07 0003 00 000A" + "EF01 FFFFFFFF 07 0003 1B 0025"}, // SetSysPara
		{"EF01 FFFFFFFF 01 0003 3D 0041", "EF01 FFFFFFFF 07 0003 00 000A 55"},                                                                          // SoftRst
	} {
		c.write(v[0])
		c.expect(v[1])
	}
	if got := sim.LED(); got != (LED{Mode: r503.On, Colour: r503.Red}) {
		t.Errorf("LED = %+v", got)
	}
}

func TestForeignClientGetsThePicture(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Size = image.Pt(256, 288)
	sim := newModule(t, cfg)
	img := image.NewGray(image.Rect(10, 10, 200, 200))
	for i := range img.Pix {
		img.Pix[i] = byte(i * 7)
	}
	sim.Touch(img)
	c := dial(t, sim.Path())
	c.write("EF01 FFFFFFFF 01 0003 01 0005")
	c.expect("EF01 FFFFFFFF 07 0003 00 000A")
	c.write("EF01 FFFFFFFF 01 0003 0A 000E")
	c.expect("EF01 FFFFFFFF 07 0003 00 000A")
	var raw []byte
	for n := 1; ; n++ {
		id, payload := c.packet()
		if len(payload) != 128 {
			t.Fatalf("packet %d has %d bytes", n, len(payload))
		}
		raw = append(raw, payload...)
		if id == 8 {
			break
		}
		if id != 2 {
			t.Fatalf("packet %d has id %d", n, id)
		}
	}
	if len(raw) != 36864 {
		t.Fatalf("%d bytes", len(raw))
	}
	// The picture stands in the middle, white around it.
	for y := range 288 {
		for x := range 256 {
			want := byte(15)
			if px, py := x-33, y-49; px >= 0 && px < 190 && py >= 0 && py < 190 {
				want = img.GrayAt(px+10, py+10).Y >> 4
			}
			got := raw[(y*256+x)/2]
			if x%2 == 0 {
				got >>= 4
			}
			if got&15 != want {
				t.Fatalf("pixel %d,%d is %d, want %d", x, y, got&15, want)
			}
		}
	}
}

// At 57600 baud a 192x192 picture of 20,027 wire bytes takes 3.5 s; a small sensor shows the same pace sooner.
func TestPace(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Pace, cfg.Size = true, image.Pt(32, 32)
	sim := newModule(t, cfg)
	sim.Touch(image.NewGray(image.Rect(0, 0, 32, 32)))
	c := dial(t, sim.Path())
	c.write("EF01 FFFFFFFF 01 0003 01 0005")
	c.expect("EF01 FFFFFFFF 07 0003 00 000A")
	start := time.Now()
	c.write("EF01 FFFFFFFF 01 0003 0A 000E")
	c.expect("EF01 FFFFFFFF 07 0003 00 000A")
	for id := byte(0); id != 8; {
		id, _ = c.packet()
	}
	if wire := (12 + 512 + 4*11) * 10 * time.Second / 57600; time.Since(start) < wire {
		t.Errorf("%v, the wire needs %v", time.Since(start), wire)
	}
}

func TestNoiseChangesEveryCapture(t *testing.T) {
	t.Parallel()
	cfg := DefaultConfig()
	cfg.Noise = true
	sim := newModule(t, cfg)
	sim.Touch(image.NewGray(image.Rect(0, 0, 192, 192)))
	take := func() []byte {
		sim.mu.Lock()
		defer sim.mu.Unlock()
		sim.capture()
		return sim.buffer
	}
	if bytes.Equal(take(), take()) {
		t.Error("two captures are equal")
	}
}

// The exclusive mode of a client that was killed must not lock out the next one.
func TestExclusiveModeIsTakenBack(t *testing.T) {
	t.Parallel()
	sim := newModule(t, DefaultConfig())
	c := dial(t, sim.Path())
	if err := control(c.tty, func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCEXCL, 0) }); err != nil {
		t.Fatal(err)
	}
	c.write("EF01 FFFFFFFF 01 0003 40 0044")
	c.expect("EF01 FFFFFFFF 07 0003 00 000A")
	var exclusive int
	if err := control(c.tty, func(fd int) (err error) { exclusive, err = unix.IoctlGetInt(fd, unix.TIOCGEXCL); return err }); err != nil || exclusive != 0 {
		t.Errorf("exclusive %d, %v", exclusive, err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	sim := newModule(t, DefaultConfig())
	line, err := os.OpenFile(sim.Path(), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer line.Close()
	done := make(chan error, 1)
	go func() { done <- sim.Await(t.Context(), r503.InsCapture, 1) }()
	if err := sim.Close(); err != nil {
		t.Error(err)
	}
	if err := sim.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("Await returned without a command")
	}
	// The name may be another terminal's by now; who holds this one finds its other end gone.
	if n, err := line.Read(make([]byte, 1)); err == nil {
		t.Errorf("a closed module still says %d bytes", n)
	}
}
