package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)

func clock() time.Time { return start }

func openAt(t *testing.T, path string) *Log {
	t.Helper()
	l, err := Open(path, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func add(t *testing.T, l *Log, event string, fields map[string]string) {
	t.Helper()
	if err := l.Append(t.Context(), event, fields); err != nil {
		t.Fatal(err)
	}
}

// written returns the bytes of a log of three entries.
func written(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := openAt(t, path)
	add(t, l, "box.started", nil)
	add(t, l, "vote.included", map[string]string{"request": "7", "decision": "approve"})
	add(t, l, "receipt.included", map[string]string{"request": "7", "note": "\u2028<ä>\x00"})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLogIsReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(path, written(t), 0o600); err != nil {
		t.Fatal(err)
	}
	l := openAt(t, path)
	if _, err := Open(path, clock); !errors.Is(err, ErrLocked) {
		t.Errorf("second Open: %v, want ErrLocked", err)
	}
	add(t, l, "box.stopped", nil)
	for _, c := range []struct {
		after uint64
		limit int
		want  string
	}{
		{0, 100, "[1 2 3 4]"}, {0, 2, "[1 2]"}, {2, 2, "[3 4]"}, {4, 5, "[]"}, {99, 5, "[]"}, {0, 0, "[]"},
	} {
		entries, err := l.Entries(t.Context(), c.after, c.limit)
		seqs := []uint64{}
		for _, e := range entries {
			seqs = append(seqs, e.Seq)
		}
		if err != nil || fmt.Sprint(seqs) != c.want {
			t.Errorf("Entries(%d, %d) = %v, %v; want %s", c.after, c.limit, seqs, err, c.want)
		}
	}
	entries, err := l.Entries(t.Context(), 1, 1)
	if err != nil || len(entries) != 1 || entries[0].Fields["decision"] != "approve" || !entries[0].At.Equal(start) {
		t.Errorf("entry 2 reads %+v, %v", entries, err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, err := Verify(bytes.NewReader(b))
	if err != nil || head != l.Head() || head.Seq != 4 {
		t.Errorf("Verify = %+v, %v; the log says %+v", head, err, l.Head())
	}
}

// The hash of a known entry pins the canonical encoding of the package comment.
func TestHashOfAKnownEntry(t *testing.T) {
	e, err := next(Head{}, start, "vote.included", map[string]string{"request": "7", "decision": "approve"})
	if err != nil {
		t.Fatal(err)
	}
	const want = "5b15618719efbe4eb58c84f5b39f17ad010b437db698329b0981a61a49922ecd" // by an independent program
	if e.Hash.String() != want {
		t.Errorf("got %s, want %s", e.Hash, want)
	}
}

func TestEveryDamagedByteIsSeen(t *testing.T) {
	whole := written(t)
	for i := range whole {
		for _, mask := range []byte{0x01, 0x20, 0x80} {
			b := bytes.Clone(whole)
			b[i] ^= mask
			head, err := Verify(bytes.NewReader(b))
			lastNewline := i == len(whole)-1
			if lastNewline && errors.Is(err, ErrTorn) {
				continue
			}
			if !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), fmt.Sprintf("entry %d", head.Seq+1)) {
				t.Fatalf("byte %d ^ %#x: %v, want ErrBroken with the entry", i, mask, err)
			}
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(path, clock); !errors.Is(err, ErrBroken) {
				t.Fatalf("Open with byte %d ^ %#x: %v, want ErrBroken", i, mask, err)
			}
		}
	}
}

func TestLinesThatWereMovedAreSeen(t *testing.T) {
	lines := bytes.SplitAfter(written(t), []byte("\n"))
	foreign, err := next(Head{Seq: 1}, start, "vote.included", nil)
	if err != nil {
		t.Fatal(err)
	}
	foreignLine, err := foreign.line()
	if err != nil {
		t.Fatal(err)
	}
	otherZone := bytes.Replace(lines[0], []byte(`03:04:05.0000006Z`), []byte(`04:04:05.0000006+01:00`), 1)
	noFields := bytes.Replace(lines[0], []byte(`"fields":{}`), []byte(`"fields":null`), 1)
	for name, c := range map[string]struct {
		lines [][]byte
		seq   int
	}{
		"first removed":           {[][]byte{lines[1], lines[2]}, 1},
		"middle removed":          {[][]byte{lines[0], lines[2]}, 2},
		"swapped":                 {[][]byte{lines[0], lines[2], lines[1]}, 2},
		"doubled":                 {[][]byte{lines[0], lines[0]}, 2},
		"of another chain":        {[][]byte{lines[0], foreignLine}, 2},
		"empty line":              {[][]byte{lines[0], []byte("\n")}, 2},
		"same time, another zone": {[][]byte{otherZone}, 1},
		"fields null":             {[][]byte{noFields}, 1},
		"endless line":            {[][]byte{lines[0], bytes.Repeat([]byte("x"), maxLine+1)}, 2},
	} {
		_, err := Verify(bytes.NewReader(bytes.Join(c.lines, nil)))
		if !errors.Is(err, ErrBroken) || !strings.Contains(err.Error(), fmt.Sprintf("entry %d:", c.seq)) {
			t.Errorf("%s: %v, want ErrBroken at entry %d", name, err, c.seq)
		}
	}
}

func TestPowerCutWhileAppending(t *testing.T) {
	whole := written(t)
	twoLines := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for cut := twoLines; cut < len(whole); cut++ {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l := openAt(t, path)
		entries, err := l.Entries(t.Context(), 2, 10)
		if err != nil {
			t.Fatal(err)
		}
		if cut == twoLines {
			if len(entries) != 0 {
				t.Errorf("nothing was torn, yet %+v", entries)
			}
			continue
		}
		if len(entries) != 1 || entries[0].Event != RepairedEvent || entries[0].Fields["bytes"] != fmt.Sprint(cut-twoLines) {
			t.Fatalf("cut at %d: %+v, want one repair of %d bytes", cut, entries, cut-twoLines)
		}
		add(t, l, "box.started", nil)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if head, err := Verify(bytes.NewReader(b)); err != nil || head.Seq != 4 {
			t.Fatalf("cut at %d, after the repair: %+v, %v", cut, head, err)
		}
	}
}

// A cut during the repair: any prefix of the repair's line lies over the torn one.
func TestPowerCutWhileRepairing(t *testing.T) {
	whole := written(t)
	end := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	path := filepath.Join(t.TempDir(), "repaired.jsonl")
	if err := os.WriteFile(path, whole[:len(whole)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
	repaired, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(repaired) - end + 1 {
		b := bytes.Clone(whole[:len(whole)-1])
		b = append(b[:end], append(bytes.Clone(repaired[end:end+n]), b[min(end+n, len(b)):]...)...)
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		l := openAt(t, path)
		entries, err := l.Entries(t.Context(), 2, 10)
		if err != nil || len(entries) == 0 || entries[0].Event != RepairedEvent {
			t.Fatalf("cut after %d bytes of the repair: %+v, %v", n, entries, err)
		}
	}
}

func TestEntriesOutOfBounds(t *testing.T) {
	many := map[string]string{}
	for i := range MaxFields + 1 {
		many[fmt.Sprintf("f%d", i)] = ""
	}
	l := openAt(t, filepath.Join(t.TempDir(), "audit.jsonl"))
	for name, c := range map[string]struct {
		event  string
		fields map[string]string
	}{
		"no event":          {"", nil},
		"event in capitals": {"Vote", nil},
		"long event":        {strings.Repeat("e", MaxEvent+1), nil},
		"many fields":       {"e", many},
		"no field name":     {"e", map[string]string{"": "x"}},
		"name with space":   {"e", map[string]string{"a b": "x"}},
		"long value":        {"e", map[string]string{"a": strings.Repeat("v", MaxValue+1)}},
		"not UTF-8":         {"e", map[string]string{"a": "\xff"}},
	} {
		if err := l.Append(t.Context(), c.event, c.fields); !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %v, want ErrEntry", name, err)
		}
	}
	full := map[string]string{}
	for i := range MaxFields {
		full[fmt.Sprintf("%0*d", MaxName, i)] = strings.Repeat("\x00", MaxValue)
	}
	add(t, l, strings.Repeat("e", MaxEvent), full)
	add(t, l, "e", nil)
	if entries, err := l.Entries(t.Context(), 0, 10); err != nil || len(entries) != 2 {
		t.Errorf("%d entries, %v; refused ones must leave nothing", len(entries), err)
	}
}

func TestAppendsTakeTurns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := openAt(t, path)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if err := l.Append(t.Context(), "e", nil); err != nil {
					t.Error(err)
				}
				if _, err := l.Entries(t.Context(), 0, 3); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if head, err := Verify(bytes.NewReader(b)); err != nil || head.Seq != 40 {
		t.Errorf("%+v, %v; want 40 entries", head, err)
	}
}

// failing is a file whose calls are recorded and can fail.
type failing struct {
	*os.File
	calls                 []string
	write, sync, truncate error
}

func (f *failing) WriteAt(b []byte, off int64) (int, error) {
	f.calls = append(f.calls, "write")
	if f.write != nil {
		n, _ := f.File.WriteAt(b[:len(b)/2], off)
		return n, f.write
	}
	return f.File.WriteAt(b, off)
}

func (f *failing) Sync() error {
	f.calls = append(f.calls, "sync")
	return errors.Join(f.sync, f.File.Sync())
}

func (f *failing) Truncate(n int64) error {
	f.calls = append(f.calls, "truncate")
	return errors.Join(f.truncate, f.File.Truncate(n))
}

func failingLog(t *testing.T) (*failing, *Log) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	disk := &failing{File: f}
	l, err := open(disk, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return disk, l
}

func TestDiskErrors(t *testing.T) {
	full := errors.New("no space left")
	t.Run("synced before it returns", func(t *testing.T) {
		disk, l := failingLog(t)
		add(t, l, "e", nil)
		if got := strings.Join(disk.calls, " "); got != "write sync" {
			t.Errorf("calls: %s, want write sync", got)
		}
	})
	t.Run("a full disk leaves no half line and the log goes on", func(t *testing.T) {
		disk, l := failingLog(t)
		disk.write = full
		if err := l.Append(t.Context(), "e", nil); !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		if info, err := disk.Stat(); err != nil || info.Size() != 0 {
			t.Errorf("%d bytes left, %v", info.Size(), err)
		}
		disk.write = nil
		add(t, l, "e", nil)
	})
	t.Run("after a failed sync nothing more is written", func(t *testing.T) {
		disk, l := failingLog(t)
		disk.sync = full
		for range 2 {
			if err := l.Append(t.Context(), "e", nil); !errors.Is(err, full) {
				t.Errorf("got %v", err)
			}
			disk.sync = nil
		}
	})
	t.Run("a half line that cannot be taken back stops the log", func(t *testing.T) {
		disk, l := failingLog(t)
		disk.write, disk.truncate = full, full
		for range 2 {
			if err := l.Append(t.Context(), "e", nil); !errors.Is(err, full) {
				t.Errorf("got %v", err)
			}
			disk.write, disk.truncate = nil, nil
		}
	})
	t.Run("an ended context writes nothing", func(t *testing.T) {
		disk, l := failingLog(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := l.Append(ctx, "e", nil); !errors.Is(err, context.Canceled) || len(disk.calls) != 0 {
			t.Errorf("got %v after %v", err, disk.calls)
		}
	})
}

func FuzzVerify(f *testing.F) {
	first, err := next(Head{}, start, "box.started", map[string]string{"a": "b"})
	if err != nil {
		f.Fatal(err)
	}
	line, err := first.line()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(nil))
	f.Add(line)
	f.Add(line[:len(line)-1])
	f.Add(append(bytes.Clone(line), line...))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		head, err := Verify(bytes.NewReader(b))
		if err != nil && !errors.Is(err, ErrBroken) && !errors.Is(err, ErrTorn) {
			t.Errorf("unnamed error %v", err)
		}
		if err == nil && head.Seq != uint64(bytes.Count(b, []byte("\n"))) {
			t.Errorf("%d lines verified as %d entries", bytes.Count(b, []byte("\n")), head.Seq)
		}
	})
}
