package r503

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.bug.st/serial"
	"golang.org/x/sys/unix"
)

// Port is the serial line that New borrows. After SetReadTimeout a Read returns at latest after that time, with 0 bytes and no
// error when nothing came; it must not return early without bytes. serial.Port of go.bug.st/serial is one.
type Port interface {
	io.ReadWriter
	SetReadTimeout(time.Duration) error
	ResetInputBuffer() error
}

// BaudSetter is a Port whose rate can be changed. With it New looks for a module at other rates, and Dev.SetBaud works.
type BaudSetter interface {
	Baud() int
	SetBaud(baud int) error
}

// TouchLine is the wake-up line of the module, if it is wired. Wait returns nil once a finger touches, or the error of ctx.
type TouchLine interface {
	Wait(ctx context.Context) error
}

// DefaultBaud is the rate of a module as it leaves the factory.
const DefaultBaud = 57600

// SerialPort is an exclusive serial line, 8N1.
type SerialPort struct {
	serial.Port
	baud  int
	lock  *os.File
	close func() error
}

// OpenPort opens the serial line at path and keeps every other opener of this package out until Close. It does not talk to the
// module. Errors say what to check; a missing path is also fs.ErrNotExist, a line in use serial.PortBusy.
func OpenPort(ctx context.Context, path string, baud int) (*SerialPort, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// The lock is a second handle: TIOCEXCL, which the serial package sets, does not stop root and outlives a killed owner.
	lock, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("r503: there is no serial port %s; check that the sensor is plugged in and that the configuration names its port: %w", path, err)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("r503: this user may not open the serial port %s; check its group: %w", path, err)
	case errors.Is(err, unix.EBUSY):
		return nil, fmt.Errorf("r503: another program uses the serial port %s; stop it: %w", path, err)
	case err != nil:
		return nil, fmt.Errorf("r503: cannot open the serial port %s: %w", path, err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("r503: another program uses the serial port %s; stop it: %w", path, err)
	}
	p, err := openPrivate(path, baud, lock)
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("r503: cannot use %s as a serial port at %d baud; check that the configuration names the port of the sensor: %w", path, baud, err)
	}
	s := &SerialPort{Port: p, baud: baud, lock: lock}
	s.close = sync.OnceValue(func() error { return errors.Join(s.Port.Close(), s.lock.Close()) })
	return s, nil
}

// openPrivate opens the line for this process alone. The serial package opens without O_CLOEXEC and keeps its descriptor to
// itself, so a program that is started while the line is open, such as a model's sandbox, would hold the sensor too.
func openPrivate(path string, baud int, lock *os.File) (serial.Port, error) {
	syscall.ForkLock.RLock() // nothing is started in between
	defer syscall.ForkLock.RUnlock()
	p, err := serial.Open(path, mode(baud))
	if err != nil {
		return nil, err
	}
	if err := closeOnExec(lock); err != nil {
		return nil, errors.Join(fmt.Errorf("keep the line from other programs: %w", err), p.Close())
	}
	return p, nil
}

// closeOnExec marks every descriptor of the device that f is open on.
func closeOnExec(f *os.File) error {
	var device unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &device); err != nil {
		return err
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range open {
		fd, err := strconv.Atoi(e.Name())
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == device.Rdev {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// Baud is the rate of the line.
func (s *SerialPort) Baud() int { return s.baud }

// SetBaud changes the rate of the line, not of the module. It must not run beside Baud.
func (s *SerialPort) SetBaud(baud int) error {
	if err := s.SetMode(mode(baud)); err != nil {
		return fmt.Errorf("r503: set the line to %d baud: %w", baud, err)
	}
	s.baud = baud
	return nil
}

// Close ends a Read that waits and frees the line. It may be called more than once.
func (s *SerialPort) Close() error { return s.close() }

func mode(baud int) *serial.Mode {
	return &serial.Mode{BaudRate: baud, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit}
}

var (
	_ Port       = (*SerialPort)(nil)
	_ BaudSetter = (*SerialPort)(nil)
)
