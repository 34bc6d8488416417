package drivertest

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vouchbox/vouch/drivers/r503"
)

// What is recorded from a module can be played back to the same host, and to no other.
func TestRecordThenPlay(t *testing.T) {
	t.Parallel()
	sim := newModule(t, DefaultConfig())
	port, err := r503.OpenPort(t.Context(), sim.Path(), r503.DefaultBaud)
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	var text bytes.Buffer
	rec := Record(port, &text)
	host := func(p r503.Port) (r503.Product, error) {
		dev, err := r503.New(t.Context(), p, r503.DefaultConfig())
		if err != nil {
			return r503.Product{}, err
		}
		product, _ := dev.Product()
		return product, dev.Aura(t.Context(), r503.Flash, 9, r503.Red, 3)
	}
	want, err := host(rec)
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	play := NewPlayback(t, bytes.NewReader(text.Bytes()))
	if got, err := host(play); err != nil || got != want {
		t.Errorf("played back: %+v, %v", got, err)
	}
	play.Close()

	var tb failures
	tb.TB = t
	play = NewPlayback(&tb, bytes.NewReader(text.Bytes()))
	play.SetReadTimeout(time.Millisecond)
	if _, err := play.Write([]byte{1, 2, 3}); err == nil || len(tb.said) != 1 {
		t.Errorf("a foreign write: %v, %q", err, tb.said)
	}
	if n, err := play.Read(make([]byte, 8)); n != 0 || err != nil {
		t.Errorf("Read before the host wrote: %d, %v", n, err)
	}
	play.Close()
	if len(tb.said) != 2 || !strings.Contains(tb.said[1], "unused, from line 1 on") {
		t.Errorf("Close said %q", tb.said)
	}
	tb.said = nil
	play = NewPlayback(&tb, strings.NewReader("# nothing\n\n"))
	play.Write([]byte{1})
	if len(tb.said) != 1 {
		t.Errorf("a write after the end: %q", tb.said)
	}
}

type failures struct {
	testing.TB
	said []string
}

func (f *failures) Helper() {}
func (f *failures) Errorf(format string, a ...any) {
	f.said = append(f.said, fmt.Sprintf(format, a...))
}
