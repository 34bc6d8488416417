package drivertest

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vouchbox/vouch/drivers/r503"
)

// A transcript is a text file: "> hex" is what the host wrote, "< hex" what it read, "#" starts a comment, blank lines and spaces in
// the hex do not count. It must not hold the picture of a person's finger.

// Recorder is a port that writes down what passes through it.
type Recorder struct {
	port r503.Port
	mu   sync.Mutex
	w    io.Writer
	read []byte // not written down yet
	err  error
}

// Record wraps port. Close completes the transcript in w; it does not close the port.
func Record(port r503.Port, w io.Writer) *Recorder { return &Recorder{port: port, w: w} }

func (r *Recorder) Write(b []byte) (int, error) {
	n, err := r.port.Write(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
	r.print('>', b[:n])
	return n, err
}

func (r *Recorder) Read(b []byte) (int, error) {
	n, err := r.port.Read(b)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read = append(r.read, b[:n]...)
	return n, err
}

// SetReadTimeout passes through.
func (r *Recorder) SetReadTimeout(d time.Duration) error { return r.port.SetReadTimeout(d) }

// ResetInputBuffer passes through; bytes that it drops are not in the transcript.
func (r *Recorder) ResetInputBuffer() error { return r.port.ResetInputBuffer() }

// Close writes what is left and returns the first error of the writer.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flush()
	return r.err
}

func (r *Recorder) flush() {
	r.print('<', r.read)
	r.read = r.read[:0]
}

func (r *Recorder) print(dir byte, b []byte) {
	for len(b) > 0 {
		n := min(len(b), 48)
		_, err := fmt.Fprintf(r.w, "%c %X\n", dir, b[:n])
		r.err = errors.Join(r.err, err)
		b = b[n:]
	}
}

// Playback is a port on which a module answers as in a transcript. A host that writes anything else fails the test.
type Playback struct {
	tb      testing.TB
	mu      sync.Mutex
	ops     []op
	timeout time.Duration
}

type op struct {
	line int
	dir  byte
	data []byte
}

// NewPlayback reads a transcript.
func NewPlayback(tb testing.TB, transcript io.Reader) *Playback {
	tb.Helper()
	p := &Playback{tb: tb, timeout: time.Second}
	lines := bufio.NewScanner(transcript)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		data, err := hex.DecodeString(strings.ReplaceAll(text[1:], " ", ""))
		if err != nil || text[0] != '<' && text[0] != '>' || len(data) == 0 {
			tb.Fatalf("transcript line %d: %q is neither \"> hex\" nor \"< hex\"", n, text)
		}
		if k := len(p.ops) - 1; k >= 0 && p.ops[k].dir == text[0] && text[0] == '<' {
			p.ops[k].data = append(p.ops[k].data, data...)
			continue
		}
		p.ops = append(p.ops, op{n, text[0], data})
	}
	if err := lines.Err(); err != nil {
		tb.Fatalf("transcript: %v", err)
	}
	return p
}

func (p *Playback) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ops) == 0 {
		p.tb.Errorf("the host wrote %X after the end of the transcript", b)
		return 0, io.ErrClosedPipe
	}
	next := p.ops[0]
	if next.dir != '>' || !bytes.Equal(next.data, b) {
		p.tb.Errorf("the host wrote %X where line %d of the transcript has %c %X", b, next.line, next.dir, next.data)
		return 0, io.ErrClosedPipe
	}
	p.ops = p.ops[1:]
	return len(b), nil
}

// Read returns what the module said, or nothing after the timeout if the transcript waits for the host.
func (p *Playback) Read(b []byte) (int, error) {
	p.mu.Lock()
	if len(p.ops) > 0 && p.ops[0].dir == '<' {
		defer p.mu.Unlock()
		n := copy(b, p.ops[0].data)
		if p.ops[0].data = p.ops[0].data[n:]; len(p.ops[0].data) == 0 {
			p.ops = p.ops[1:]
		}
		return n, nil
	}
	d := p.timeout
	p.mu.Unlock()
	time.Sleep(d)
	return 0, nil
}

// SetReadTimeout sets how long Read waits when there is nothing to say.
func (p *Playback) SetReadTimeout(d time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timeout = d
	return nil
}

// ResetInputBuffer keeps the transcript: what a recorded port dropped is not in it.
func (p *Playback) ResetInputBuffer() error { return nil }

// Close fails the test if a part of the transcript was not used.
func (p *Playback) Close() error {
	p.tb.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ops) > 0 {
		p.tb.Errorf("%d entries of the transcript are unused, from line %d on", len(p.ops), p.ops[0].line)
	}
	return nil
}

var (
	_ r503.Port = (*Recorder)(nil)
	_ r503.Port = (*Playback)(nil)
)
