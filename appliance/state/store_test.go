package state_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/state"
)

func open(t *testing.T, dir string) *state.Store {
	t.Helper()
	s, err := state.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func put(t *testing.T, s *state.Store, key string, value []byte) {
	t.Helper()
	if err := s.Update(t.Context(), key, func([]byte) ([]byte, error) { return value, nil }); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s *state.Store, key string) []byte {
	t.Helper()
	b, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordsSurviveReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "perm", "state")
	s := open(t, dir)
	if got := get(t, s, "prover/7/ab12"); got != nil {
		t.Fatalf("absent record reads %q, want nil", got)
	}
	put(t, s, "prover/7/ab12", []byte("seven"))
	put(t, s, "prover/7/ab13", []byte{})
	put(t, s, "vault/p1", []byte("sealed"))
	put(t, s, "vault/p2", []byte("gone"))
	put(t, s, "vault/p2", nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "vault/p1"); !errors.Is(err, state.ErrClosed) {
		t.Errorf("Get after Close: %v, want ErrClosed", err)
	}

	s = open(t, dir)
	if got := get(t, s, "prover/7/ab12"); string(got) != "seven" {
		t.Errorf("got %q", got)
	}
	if got := get(t, s, "prover/7/ab13"); got == nil || len(got) != 0 {
		t.Errorf("an empty record reads %v, want empty and not nil", got)
	}
	for prefix, want := range map[string][]string{
		"":          {"prover/7/ab12", "prover/7/ab13", "vault/p1"},
		"prover/7/": {"prover/7/ab12", "prover/7/ab13"},
		"nothing":   {},
	} {
		got, err := s.Keys(t.Context(), prefix)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Keys(%q) = %q, %v; want %q", prefix, got, err, want)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "vault+p1.rec"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("record file: %v, %v; want mode 0600", info.Mode(), err)
	}
}

func TestChangeThatFailsWritesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "k", []byte("old"))
	stop := errors.New("watermark would go back")
	err := s.Update(t.Context(), "k", func(cur []byte) ([]byte, error) { return []byte("new"), stop })
	if !errors.Is(err, stop) {
		t.Errorf("got %v, want the closure's error", err)
	}
	err = s.Update(t.Context(), "k", func([]byte) ([]byte, error) { return make([]byte, state.MaxValue+1), nil })
	if !errors.Is(err, state.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if got := get(t, s, "k"); string(got) != "old" {
		t.Errorf("got %q, want the old value", got)
	}
	put(t, s, "k", make([]byte, state.MaxValue))
	if got := get(t, s, "k"); len(got) != state.MaxValue {
		t.Errorf("got %d bytes, want %d", len(got), state.MaxValue)
	}
}

func TestKeysThatCannotNameARecord(t *testing.T) {
	s := open(t, t.TempDir())
	for _, key := range []string{"", "/", "a/", "/a", "a//b", "../up", "a/../b", ".hidden", "a+b", "a b", "ä", "a\x00b", strings.Repeat("k", state.MaxKey+1)} {
		if _, err := s.Get(t.Context(), key); !errors.Is(err, state.ErrKey) {
			t.Errorf("Get(%q): %v, want ErrKey", key, err)
		}
		err := s.Update(t.Context(), key, func([]byte) ([]byte, error) { return []byte("x"), nil })
		if !errors.Is(err, state.ErrKey) {
			t.Errorf("Update(%q): %v, want ErrKey", key, err)
		}
	}
	put(t, s, strings.Repeat("k/", state.MaxKey/2-1)+"kk", []byte("longest"))
}

func TestEveryDamagedByteIsCorruptNeverAbsent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "prover/7", []byte("height 7 round 0"))
	file := filepath.Join(dir, "prover+7.rec")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(t.Context(), "prover/7")
		if !errors.Is(err, state.ErrCorrupt) || !strings.Contains(err.Error(), `"prover/7"`) || !strings.Contains(err.Error(), "prover+7.rec") {
			t.Errorf("%s: got %v, want ErrCorrupt with the key and the file", what, err)
		}
		err = s.Update(t.Context(), "prover/7", func([]byte) ([]byte, error) {
			t.Errorf("%s: the closure saw a damaged record", what)
			return []byte("x"), nil
		})
		if !errors.Is(err, state.ErrCorrupt) {
			t.Errorf("%s: Update: got %v, want ErrCorrupt", what, err)
		}
	}
	for i := range whole {
		for _, mask := range []byte{0x01, 0x80, 0xff} {
			b := slices.Clone(whole)
			b[i] ^= mask
			check(fmt.Sprintf("byte %d ^ %#x", i, mask), b)
		}
		check(fmt.Sprintf("cut to %d bytes", i), whole[:i])
	}
	check("one byte more", append(slices.Clone(whole), 0))
	put(t, s, "prover/8", []byte("of another key"))
	other, err := os.ReadFile(filepath.Join(dir, "prover+8.rec"))
	if err != nil {
		t.Fatal(err)
	}
	check("the record of another key", other)
	keys, err := s.Keys(t.Context(), "prover/")
	if err != nil || !slices.Equal(keys, []string{"prover/7", "prover/8"}) {
		t.Errorf("Keys = %q, %v; a damaged record must be listed", keys, err)
	}
}

func TestLeftoversAreCleaned(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"prover+7.rec.tmp", "x.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir)
	if got := get(t, s, "prover/7"); got != nil {
		t.Errorf("got %q from a leftover", got)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if err != nil || len(left) != 0 {
		t.Errorf("left: %q, %v", left, err)
	}
}

func TestUpdatesOfOneKeyTakeTurns(t *testing.T) {
	s := open(t, t.TempDir())
	const workers, rounds = 8, 10
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range rounds {
				err := s.Update(t.Context(), "counter", func(cur []byte) ([]byte, error) {
					n := 0
					if cur != nil {
						var err error
						if n, err = strconv.Atoi(string(cur)); err != nil {
							return nil, err
						}
					}
					return strconv.AppendInt(nil, int64(n+1), 10), nil
				})
				if err != nil {
					t.Error(err)
				}
				if _, err := s.Get(t.Context(), "counter"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := string(get(t, s, "counter")); got != strconv.Itoa(workers*rounds) {
		t.Errorf("counted %s, want %d", got, workers*rounds)
	}
}

func TestAWaitingUpdateEndsWithItsContext(t *testing.T) {
	s := open(t, t.TempDir())
	inside, leave := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := s.Update(t.Context(), "k", func([]byte) ([]byte, error) {
			close(inside)
			<-leave
			return []byte("slow"), nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-inside
	put(t, s, "other", []byte("is not held up"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	err := s.Update(ctx, "k", func([]byte) ([]byte, error) { return []byte("late"), nil })
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
	close(leave)
	wg.Wait()
	if got := get(t, s, "k"); string(got) != "slow" {
		t.Errorf("got %q", got)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	holder := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHoldsTheStore$")
	holder.Env = append(os.Environ(), "STATE_HOLD="+dir)
	holder.Stderr = os.Stderr
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := holder.StdinPipe() // its end tells the holder to leave should this test die
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "holding\n" {
		t.Fatalf("holder said %q, %v", line, err)
	}
	if _, err := state.Open(dir); !errors.Is(err, state.ErrLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want ErrLocked with the directory", err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := holder.Wait(); err == nil {
		t.Error("the holder was not killed")
	}
	if got := get(t, open(t, dir), "held"); string(got) != "yes" {
		t.Errorf("after kill -9: got %q", got)
	}
}

// TestHoldsTheStore is the other process of TestOneProcessAtATime, and otherwise checks the same
// inside one process.
func TestHoldsTheStore(t *testing.T) {
	dir := os.Getenv("STATE_HOLD")
	if dir == "" {
		dir = t.TempDir()
		open(t, dir)
		if _, err := state.Open(dir); !errors.Is(err, state.ErrLocked) {
			t.Errorf("got %v, want ErrLocked", err)
		}
		return
	}
	put(t, open(t, dir), "held", []byte("yes"))
	fmt.Println("holding")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Error(err)
	}
}
