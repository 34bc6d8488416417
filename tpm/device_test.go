package tpm_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
	"golang.org/x/sys/unix"

	"github.com/vouchbox/vouch/tpm"
	"github.com/vouchbox/vouch/tpm/tpmtest"
)

const (
	ccGetCapability = uint32(tpm2.TPMCCGetCapability)
	ccCreatePrimary = uint32(tpm2.TPMCCCreatePrimary)

	patience      = 500 * time.Millisecond
	patienceLimit = 5 * time.Second // far above patience, far below the 30 s of a command
)

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, path string) *tpm.Device {
	t.Helper()
	dev, err := tpm.Open(within(t, time.Minute), path)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func code(rc tpm2.TPMRC) []byte {
	return binary.BigEndian.AppendUint32([]byte{0x80, 0x01, 0, 0, 0, 10}, uint32(rc))
}

func ask(t transport.TPM) error {
	_, err := tpm.Handles(t, tpm.TransientObjects)
	return err
}

// loaded lists objects and sessions in the TPM as an observer who tidies nothing: a Do would flush what it should find.
func loaded(t testing.TB, path string) []tpm2.TPMHandle {
	t.Helper()
	direct, err := linuxudstpm.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	var all []tpm2.TPMHandle
	for _, first := range []tpm2.TPMHandle{tpm.TransientObjects, tpm.LoadedSessions} {
		h, err := tpm.Handles(direct, first)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, h...)
	}
	return all
}

func TestOpenTellsWhoAnswers(t *testing.T) {
	info := open(t, tpmtest.Start(t).Path()).Info()
	if info.Manufacturer != "IBM" || !strings.Contains(info.Vendor, "SW   TPM") || !info.Software {
		t.Errorf("swtpm introduced itself as %+v", info)
	}
	if info.Firmware == "0.0.0.0" {
		t.Errorf("no firmware version in %+v", info)
	}
	if !strings.Contains(info.String(), "no hardware protects") {
		t.Errorf("%q does not warn the owner", info)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(dir, "dead")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for _, tt := range []struct{ name, path string }{
		{"nothing there", filepath.Join(dir, "nothing")},
		{"regular file", file},
		{"directory", dir},
		{"socket without a listener", dead},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := tpm.Open(within(t, patienceLimit), tt.path); !errors.Is(err, tpm.ErrAbsent) {
				t.Errorf("Open: %v, want ErrAbsent", err)
			}
		})
	}
}

func TestOpenAgainstBadAnswers(t *testing.T) {
	up := tpmtest.Start(t)
	capability := func(data ...byte) []byte {
		rsp := append(code(0), append([]byte{0}, data...)...)
		binary.BigEndian.PutUint32(rsp[2:], uint32(len(rsp)))
		return rsp
	}
	for _, tt := range []struct {
		name  string
		fault tpmtest.Fault
		want  error
	}{
		{"failure mode", tpmtest.Fault{Action: tpmtest.Replace, Response: code(tpm2.TPMRCFailure)}, tpm.ErrFailureMode},
		{"busy for ever", tpmtest.Fault{Action: tpmtest.Replace, Response: code(tpm2.TPMRCRetry)}, tpm.ErrBusy},
		{"never started", tpmtest.Fault{Action: tpmtest.Replace, Response: code(tpm2.TPMRCInitialize)}, tpm.ErrNotStarted},
		{"size too large", tpmtest.Fault{Action: tpmtest.Replace, Response: []byte("HTTP/1.1 400 Bad Request\r\n")}, tpm.ErrResponse},
		{"size too small", tpmtest.Fault{Action: tpmtest.Replace, Response: []byte{0x80, 1, 0, 0, 0, 9, 0, 0, 0, 0}}, tpm.ErrResponse},
		{"bytes after the end", tpmtest.Fault{Action: tpmtest.Replace, Response: append(code(0), 1)}, tpm.ErrResponse},
		{"hangs up", tpmtest.Fault{Action: tpmtest.Drop}, tpm.ErrDisconnected},
		{"no P-256", tpmtest.Fault{Command: ccGetCapability, N: 4, Action: tpmtest.Replace, Response: capability(0, 0, 0, 8, 0, 0, 0, 0)}, tpm.ErrUnsupported},
		{"no AES", tpmtest.Fault{Command: ccGetCapability, N: 5, Action: tpmtest.Replace, Response: capability(0, 0, 0, 0, 0, 0, 0, 0)}, tpm.ErrUnsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			proxy := tpmtest.NewProxy(t, up.Path())
			proxy.Inject(tt.fault)
			if _, err := tpm.Open(within(t, time.Minute), proxy.Path()); !errors.Is(err, tt.want) {
				t.Errorf("Open: %v\nwant %v", err, tt.want)
			}
		})
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	proxy := tpmtest.NewProxy(t, tpmtest.Start(t).Path())
	proxy.Inject(tpmtest.Fault{Action: tpmtest.Hold})
	start := time.Now()
	_, err := tpm.Open(within(t, patience), proxy.Path())
	if !errors.Is(err, tpm.ErrTimeout) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open: %v, want ErrTimeout", err)
	}
	if took := time.Since(start); took > patienceLimit {
		t.Errorf("a silent TPM held Open for %v", took)
	}
	ctx, cancel := context.WithCancel(context.Background())
	start = time.Now()
	time.AfterFunc(patience/10, cancel)
	if _, err := tpm.Open(ctx, proxy.Path()); !errors.Is(err, context.Canceled) {
		t.Errorf("Open after cancel: %v", err)
	}
	if took := time.Since(start); took > patienceLimit {
		t.Errorf("a silent TPM held Open for %v after cancel", took)
	}
}

func TestOpenStartsAResetTPM(t *testing.T) {
	sw := tpmtest.Start(t)
	// _TPM_Init without TPM2_Startup, as after a reset line was pulled.
	if out, err := exec.CommandContext(within(t, time.Minute), "swtpm_ioctl", "--unix", sw.Control(), "-i").CombinedOutput(); err != nil {
		t.Fatalf("swtpm_ioctl: %v\n%s", err, out)
	}
	open(t, sw.Path())
}

func TestBusyTPMIsAskedAgain(t *testing.T) {
	proxy := tpmtest.NewProxy(t, tpmtest.Start(t).Path())
	dev := open(t, proxy.Path())
	for i, rc := range []tpm2.TPMRC{tpm2.TPMRCRetry, tpm2.TPMRCYielded, tpm2.TPMRCTesting} {
		before := len(proxy.Exchanges())
		proxy.Inject(tpmtest.Fault{N: 1, Action: tpmtest.Replace, Response: code(rc)})
		if err := dev.Do(within(t, time.Minute), ask); err != nil {
			t.Errorf("after %v: %v", rc, err)
		}
		// Two to see that nothing is loaded, the one that was asked for, and one again.
		if got := len(proxy.Exchanges()) - before; got != 4 {
			t.Errorf("case %d: %d commands sent, want 4", i, got)
		}
	}
}

// A pseudo-terminal in raw mode is a character device: this is the way of /dev/tpmrm0 without a kernel driver behind it.
func TestCharacterDevice(t *testing.T) {
	sw := tpmtest.Start(t)
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	tio, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	tio.Iflag, tio.Oflag, tio.Lflag = 0, 0, 0
	tio.Cc[unix.VMIN], tio.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, tio); err != nil {
		t.Fatal(err)
	}
	back, err := net.Dial("unix", sw.Path())
	if err != nil {
		t.Fatal(err)
	}
	var silent atomic.Bool
	var pumps sync.WaitGroup
	pumps.Go(func() { io.Copy(back, master) })
	pumps.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := back.Read(buf)
			if err != nil {
				return
			}
			for silent.Load() {
				time.Sleep(time.Millisecond)
			}
			master.Write(buf[:n])
		}
	})
	t.Cleanup(func() { back.Close(); master.Close(); pumps.Wait() })

	dev := open(t, slave.Name())
	if !dev.Info().Software {
		t.Errorf("info over a character device: %+v", dev.Info())
	}
	if _, err := tpm.PrimaryName(within(t, time.Minute), dev); err != nil {
		t.Fatal(err)
	}

	silent.Store(true)
	start := time.Now()
	if err := dev.Do(within(t, patience), ask); !errors.Is(err, tpm.ErrTimeout) {
		t.Errorf("silent device: %v, want ErrTimeout", err)
	}
	// The kernel still works on the abandoned command; nobody may talk over it.
	if err := dev.Do(within(t, patience), ask); !errors.Is(err, tpm.ErrTimeout) {
		t.Errorf("second call on a silent device: %v, want ErrTimeout", err)
	}
	if took := time.Since(start); took > patienceLimit {
		t.Errorf("a silent device held its callers for %v", took)
	}
	silent.Store(false)
	if err := dev.Do(within(t, time.Minute), ask); err != nil {
		t.Errorf("after the device woke up: %v", err)
	}
}

func TestCloseEndsTheDevice(t *testing.T) {
	dev := open(t, tpmtest.Start(t).Path())
	if err := dev.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := dev.Do(t.Context(), ask); !errors.Is(err, tpm.ErrClosed) {
		t.Errorf("Do after Close: %v", err)
	}
}

func TestDoIsExclusive(t *testing.T) {
	dev := open(t, tpmtest.Start(t).Path())
	var inside, most atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			err := dev.Do(within(t, time.Minute), func(tp transport.TPM) error {
				if n := inside.Add(1); n > most.Load() {
					most.Store(n)
				}
				defer inside.Add(-1)
				return tpm.WithPrimary(tp, func(tpm.Primary) error { return nil })
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d callers had the TPM at once", most.Load())
	}
}

func TestDoWaitsNoLongerThanItsContext(t *testing.T) {
	dev := open(t, tpmtest.Start(t).Path())
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		dev.Do(t.Context(), func(transport.TPM) error { close(inside); <-leave; return nil })
	})
	<-inside
	if err := dev.Do(within(t, patience/10), ask); !errors.Is(err, tpm.ErrTimeout) {
		t.Errorf("Do while another has the TPM: %v, want ErrTimeout", err)
	}
	close(leave)
	wg.Wait()
	if err := dev.Do(within(t, time.Minute), ask); err != nil {
		t.Error(err)
	}
}

func TestBrokenExchanges(t *testing.T) {
	primary := func(tp transport.TPM) error { return tpm.WithPrimary(tp, func(tpm.Primary) error { return nil }) }
	for _, tt := range []struct {
		name  string
		fault tpmtest.Fault
		want  error
	}{
		{"dropped", tpmtest.Fault{Command: ccCreatePrimary, N: 1, Action: tpmtest.Drop}, tpm.ErrDisconnected},
		{"held", tpmtest.Fault{Command: ccCreatePrimary, N: 1, Action: tpmtest.Hold}, tpm.ErrTimeout},
		{"delayed beyond the deadline", tpmtest.Fault{Command: ccCreatePrimary, N: 1, Action: tpmtest.Delay, Wait: 2 * patience}, tpm.ErrTimeout},
		{"corrupt size", tpmtest.Fault{Command: ccCreatePrimary, N: 1, Action: tpmtest.Corrupt, Offset: 2}, tpm.ErrResponse},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sw := tpmtest.Start(t)
			proxy := tpmtest.NewProxy(t, sw.Path())
			dev := open(t, proxy.Path())
			proxy.Inject(tt.fault)
			start := time.Now()
			if err := dev.Do(within(t, patience), primary); !errors.Is(err, tt.want) {
				t.Errorf("Do: %v\nwant %v", err, tt.want)
			}
			if took := time.Since(start); took > patienceLimit {
				t.Errorf("Do took %v", took)
			}
			// The primary of the broken call is still in the TPM; the next call clears it away.
			if err := dev.Do(within(t, time.Minute), ask); err != nil {
				t.Errorf("next call: %v", err)
			}
			if h := loaded(t, sw.Path()); len(h) != 0 {
				t.Errorf("handles left: %v", h)
			}
		})
	}
}

func TestABrokenConnectionStaysBroken(t *testing.T) {
	proxy := tpmtest.NewProxy(t, tpmtest.Start(t).Path())
	dev := open(t, proxy.Path())
	err := dev.Do(within(t, time.Minute), func(tp transport.TPM) error {
		proxy.Inject(tpmtest.Fault{N: 1, Action: tpmtest.Corrupt, Offset: 2})
		first := ask(tp)
		if !errors.Is(first, tpm.ErrResponse) {
			t.Errorf("corrupt size: %v, want ErrResponse", first)
		}
		// Where the next answer starts is unknown now, so nothing more may be read.
		if second := ask(tp); !errors.Is(second, tpm.ErrResponse) {
			t.Errorf("next command on the same connection: %v, want ErrResponse", second)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestACorruptByteIsAnErrorNeverAPanic(t *testing.T) {
	sw := tpmtest.Start(t)
	proxy := tpmtest.NewProxy(t, sw.Path())
	dev := open(t, proxy.Path())
	name, err := tpm.PrimaryName(within(t, time.Minute), dev)
	if err != nil {
		t.Fatal(err)
	}
	var size int
	for _, e := range proxy.Exchanges() {
		if binary.BigEndian.Uint32(e.Command[6:]) == ccCreatePrimary {
			size = len(e.Response)
		}
	}
	// Steps of 3 meet each field of the response without hundreds of runs.
	for at := 0; at < size; at += 3 {
		proxy.Inject(tpmtest.Fault{Command: ccCreatePrimary, N: 1, Action: tpmtest.Corrupt, Offset: at})
		// Creation data and ticket are not used, so a change there may pass; the pinned name may not change.
		dev.Do(within(t, time.Minute), func(tp transport.TPM) error {
			return tpm.WithPinnedPrimary(tp, name, func(p tpm.Primary) error {
				if got, err := tpm.NameOf(p.Public); err != nil || got != name {
					t.Errorf("byte %d: accepted a primary with name %v, %v", at, got, err)
				}
				return nil
			})
		})
	}
	if err := dev.Do(within(t, time.Minute), ask); err != nil {
		t.Errorf("after all faults: %v", err)
	}
	if h := loaded(t, sw.Path()); len(h) != 0 {
		t.Errorf("handles left: %v", h)
	}
}

func TestKilledTPM(t *testing.T) {
	sw := tpmtest.Start(t)
	dev := open(t, sw.Path())
	start := time.Now()
	err := dev.Do(within(t, patience), func(tp transport.TPM) error {
		sw.Kill()
		return ask(tp)
	})
	if !errors.Is(err, tpm.ErrDisconnected) {
		t.Errorf("killed in the middle: %v, want ErrDisconnected", err)
	}
	if err := dev.Do(within(t, patience), ask); !errors.Is(err, tpm.ErrAbsent) && !errors.Is(err, tpm.ErrDisconnected) {
		t.Errorf("after the kill: %v", err)
	}
	if took := time.Since(start); took > patienceLimit {
		t.Errorf("a dead TPM held its callers for %v", took)
	}
}

func TestNothingStaysLoaded(t *testing.T) {
	sw := tpmtest.Start(t)
	dev := open(t, sw.Path())
	ctx := within(t, time.Minute)
	own := errors.New("the caller's own")
	forget := func(tp transport.TPM) error {
		_, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(tp)
		return err
	}
	for i := range 50 {
		// swtpm has room for three objects; fifty forgotten ones would not fit.
		want := own
		if i%2 == 0 {
			want = nil
		}
		err := dev.Do(ctx, func(tp transport.TPM) error {
			return tpm.WithPrimary(tp, func(tpm.Primary) error {
				if want == nil {
					return nil
				}
				return errors.Join(forget(tp), own)
			})
		})
		if !errors.Is(err, want) {
			t.Fatalf("round %d: %v, want %v", i, err, want)
		}
		if h := loaded(t, sw.Path()); len(h) != 0 {
			t.Fatalf("round %d: handles left: %v", i, h)
		}
	}
	// What a call forgot that succeeded, the next clears away.
	for range 5 {
		if err := dev.Do(ctx, forget); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPanicInsideDoFreesTheTPM(t *testing.T) {
	sw := tpmtest.Start(t)
	dev := open(t, sw.Path())
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		dev.Do(t.Context(), func(tp transport.TPM) error {
			return tpm.WithPrimary(tp, func(tpm.Primary) error { panic("caller") })
		})
	}()
	if h := loaded(t, sw.Path()); len(h) != 0 {
		t.Errorf("handles left: %v", h)
	}
	if err := dev.Do(within(t, time.Minute), ask); err != nil {
		t.Error(err)
	}
}

func TestOtherToolsWorkBetweenCalls(t *testing.T) {
	sw := tpmtest.Start(t)
	dev := open(t, sw.Path())
	dir := t.TempDir()
	for i := range 5 {
		if _, err := tpm.PrimaryName(within(t, time.Minute), dev); err != nil {
			t.Fatal(err)
		}
		// Without a resource manager this leaves its object loaded.
		cmd := exec.CommandContext(within(t, time.Minute), "tpm2_createprimary", "-T", "swtpm:path="+sw.Path(), "-c", filepath.Join(dir, "context"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("round %d: tpm2_createprimary: %v\n%s", i, err, out)
		}
	}
}

func TestPinnedPrimary(t *testing.T) {
	one, two := open(t, tpmtest.Start(t).Path()), open(t, tpmtest.Start(t).Path())
	ctx := within(t, time.Minute)
	name, err := tpm.PrimaryName(ctx, one)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := tpm.PrimaryName(ctx, one); err != nil || again != name {
		t.Fatalf("the same TPM made another primary: %v, %v", again, err)
	}
	pinned := func(dev *tpm.Device) (called bool, err error) {
		err = dev.Do(ctx, func(tp transport.TPM) error {
			return tpm.WithPinnedPrimary(tp, name, func(tpm.Primary) error { called = true; return nil })
		})
		return called, err
	}
	if called, err := pinned(one); !called || err != nil {
		t.Errorf("the recorded TPM: called %t, %v", called, err)
	}
	if called, err := pinned(two); called || !errors.Is(err, tpm.ErrPrimaryChanged) {
		t.Errorf("another TPM: called %t, %v, want ErrPrimaryChanged", called, err)
	}
}
