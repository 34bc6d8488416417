package drivertest

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"github.com/vouchbox/vouch/drivers/r503"
)

// Config describes the module to imitate. Start from DefaultConfig.
type Config struct {
	Address    uint32
	Password   uint32 // if not 0, it has to be verified before anything else
	Size       image.Point
	PacketSize int // bytes of payload: 32, 64, 128 or 256
	Baud       int // what the module says; a pseudo terminal has no rate of its own
	Templates  int // how many the store holds at first
	Serial     string

	Pace  bool // send no faster than Baud allows
	Noise bool // let no two captures be equal to the bit, as on a real sensor

	Unknown []r503.Instruction // answered with the code for an unsupported command
	Mute    []r503.Instruction // never answered
}

// DefaultConfig is an R503 fresh from the factory, without the wire's slowness.
func DefaultConfig() Config {
	return Config{
		Address:    r503.DefaultAddress,
		Size:       image.Pt(192, 192),
		PacketSize: 128,
		Baud:       r503.DefaultBaud,
		Serial:     "SIM00001",
		Unknown:    []r503.Instruction{r503.InsEcho, r503.InsSleep},
	}
}

// LED is the last order to the light ring. The zero value is what the module shows before any order.
type LED struct {
	Mode   r503.Mode
	Speed  uint8
	Colour r503.Colour
	Count  uint8
}

// R503 is a virtual fingerprint module. Clients may come and go on the same path; the module stays until Close or Unplug.
type R503 struct {
	cfg  Config
	line io.ReadWriter
	tty  *os.File // the client's side, held open so that the terminal outlives a client
	quit chan struct{}
	done chan struct{}
	once sync.Once

	mu       sync.Mutex
	finger   *image.Gray
	buffer   []byte // 4 bits a pixel, what the last capture took
	verified bool
	led      LED
	count    int // templates
	packet   int
	baud     int
	password uint32
	faults   []Fault
	seen     map[r503.Instruction]int
	changed  chan struct{} // closed and replaced when seen changes
	noise    *rand.Rand
}

// NewR503 starts a module on a new pseudo terminal. Path names the side that a client opens.
func NewR503(cfg Config) (*R503, error) {
	master, slave, err := pty.Open()
	if err != nil {
		return nil, fmt.Errorf("drivertest: open a pseudo terminal: %w", err)
	}
	if err := errors.Join(control(slave, raw), os.Chmod(slave.Name(), 0o600)); err != nil {
		return nil, errors.Join(fmt.Errorf("drivertest: set up the pseudo terminal: %w", err), master.Close(), slave.Close())
	}
	return start(cfg, master, slave), nil
}

// NewR503On starts a module on a line that the caller made, for instance one end of a net.Pipe. Close closes it if it can be closed.
func NewR503On(line io.ReadWriter, cfg Config) *R503 { return start(cfg, line, nil) }

func start(cfg Config, line io.ReadWriter, tty *os.File) *R503 {
	s := &R503{
		cfg: cfg, line: line, tty: tty,
		quit: make(chan struct{}), done: make(chan struct{}),
		count: cfg.Templates, packet: cfg.PacketSize, baud: cfg.Baud, password: cfg.Password,
		verified: cfg.Password == 0,
		seen:     make(map[r503.Instruction]int),
		changed:  make(chan struct{}),
		noise:    rand.New(rand.NewPCG(503, 192)),
	}
	go s.serve()
	return s
}

// Path is the device file that a client opens; empty if the module is not on a pseudo terminal.
func (s *R503) Path() string {
	if s.tty == nil {
		return ""
	}
	return s.tty.Name()
}

// Touch puts a finger on the sensor, until Lift. A picture of another size than the sensor is centred, cut, and padded with white.
func (s *R503) Touch(img *image.Gray) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finger = fit(img, s.cfg.Size)
}

// Lift takes the finger away.
func (s *R503) Lift() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finger = nil
}

// LED returns the last order to the light ring.
func (s *R503) LED() LED {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.led
}

// Count returns how many commands with instruction ins have arrived.
func (s *R503) Count(ins r503.Instruction) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[ins]
}

// Await returns when n commands with instruction ins have arrived in all, or with the error of ctx.
func (s *R503) Await(ctx context.Context, ins r503.Instruction, n int) error {
	for {
		s.mu.Lock()
		have, changed := s.seen[ins], s.changed
		s.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-s.quit:
			return fmt.Errorf("drivertest: module closed after %d of %d: %v", have, n, ins)
		case <-ctx.Done():
			return fmt.Errorf("drivertest: %d of %d: %v: %w", have, n, ins, ctx.Err())
		}
	}
}

// Close pulls the module off its line and waits until it is gone. It may be called more than once.
func (s *R503) Close() error {
	err := s.unplug()
	<-s.done
	return err
}

func (s *R503) unplug() (err error) {
	s.once.Do(func() {
		close(s.quit)
		if s.tty != nil {
			err = s.tty.Close()
		}
		if c, ok := s.line.(io.Closer); ok {
			err = errors.Join(err, c.Close())
		}
	})
	return err
}

func (s *R503) serve() {
	defer close(s.done)
	dec := r503.Decoder{Address: s.cfg.Address}
	buf := make([]byte, 512)
	for {
		n, err := s.receive(buf)
		if err != nil {
			return
		}
		dec.Write(buf[:n])
		for {
			p, err := dec.Next()
			if err == r503.ErrIncomplete {
				break
			}
			if err != nil {
				s.send(r503.IDAck, []byte{byte(r503.CodePacket)}, Fault{})
				continue
			}
			if p.ID == r503.IDCommand && len(p.Payload) > 0 && !s.command(p.Payload) {
				return
			}
		}
	}
}

// receive reads from the line. On a terminal it also takes back, a few times a second, the exclusive mode that a client set: the
// mode stays with the terminal, so a killed client would lock out the next one.
func (s *R503) receive(buf []byte) (int, error) {
	master, ok := s.line.(*os.File)
	if !ok || s.tty == nil {
		return s.line.Read(buf)
	}
	for {
		if err := master.SetReadDeadline(time.Now().Add(250 * time.Millisecond)); err != nil {
			return 0, err
		}
		n, err := master.Read(buf)
		if ctl := control(s.tty, func(fd int) error { return unix.IoctlSetInt(fd, unix.TIOCNXCL, 0) }); ctl != nil {
			return 0, ctl
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

// wait sleeps unless the module goes away.
func (s *R503) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.quit:
	}
}

// control runs f on the descriptor without taking the file out of the runtime's poller, as File.Fd would.
func control(file *os.File, f func(fd int) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}

// raw makes a terminal carry bytes as they are.
func raw(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
