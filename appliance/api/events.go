package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	eventsPath = "/v1/events"
	maxEvent   = 4 << 20 // bytes of one event
	// keepAlive is how often a quiet stream says that it lives; a client gives up after silence.
	keepAlive = 10 * time.Second
	silence   = 35 * time.Second
	writeTime = 10 * time.Second
)

func (h *handler) events(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	out := &eventWriter{w: w, c: http.NewResponseController(w)}
	// The server's read deadline would end the stream: net/http keeps reading for a client that leaves.
	if err := out.c.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	if err := out.write(": hello\n\n"); err != nil {
		return nil // gone before the first event
	}
	var beat sync.WaitGroup
	beat.Go(func() {
		t := time.NewTicker(h.keepAlive)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				if out.write(": alive\n\n") != nil {
					cancel()
				}
			}
		}
	})
	// The stream has begun, so an error cannot become a status: the end of the stream says it.
	_ = h.box.Events(ctx, func(e Event) error {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		return out.write("event: " + e.Kind + "\ndata: " + string(b) + "\n\n")
	})
	cancel()
	beat.Wait()
	return nil
}

// eventWriter keeps events and keep-alives apart and each write bounded in time.
type eventWriter struct {
	mu sync.Mutex
	w  io.Writer
	c  *http.ResponseController
}

func (o *eventWriter) write(s string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.c.SetWriteDeadline(time.Now().Add(writeTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := io.WriteString(o.w, s); err != nil {
		return err
	}
	return o.c.Flush()
}

// readEvents parses a text/event-stream (WHATWG HTML, 9.2.6) as this package writes it: one data
// field an event, comments ignored. alive is called for every line. It returns when r ends or fn fails.
func readEvents(r io.Reader, alive func(), fn func(Event) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxEvent)
	var data []byte
	for lines.Scan() {
		alive()
		line := lines.Bytes()
		if rest, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			data = append(data, rest...)
			if len(data) > maxEvent {
				return bufio.ErrTooLong
			}
			continue
		}
		if len(line) > 0 || len(data) == 0 {
			continue
		}
		var e Event
		if err := json.Unmarshal(data, &e); err != nil {
			return fmt.Errorf("an event of vouchd is not what this version reads: %w", err)
		}
		data = data[:0]
		if err := fn(e); err != nil {
			return stopped{err}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}

// stopped carries the caller's own error out of a stream, so that it is not taken for a broken one.
type stopped struct{ error }

func (s stopped) Unwrap() error { return s.error }
