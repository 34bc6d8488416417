package panel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
)

const liveWrite = 10 * time.Second

// live streams a screen's moving part as server-sent events: again whenever the box tells of one of
// kinds, or stops answering. body is the one that made the page, so that both ways show the same.
func (p *Panel) live(w http.ResponseWriter, r *http.Request, name string, kinds []string, body func(context.Context) (any, error)) error {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	c := http.NewResponseController(w)
	// The server's read deadline would end the stream: net/http keeps reading for a client that leaves.
	if err := c.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(b []byte) error {
		if err := c.SetWriteDeadline(time.Now().Add(liveWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		return c.Flush()
	}

	wake := make(chan struct{}, 1)
	var events sync.WaitGroup
	events.Go(func() {
		defer cancel() // without events the page would stand still: the browser comes back for new ones
		err := p.box.Events(ctx, func(e api.Event) error {
			if slices.Contains(kinds, e.Kind) {
				select {
				case wake <- struct{}{}:
				default: // awake already
				}
			}
			return nil
		})
		if ctx.Err() == nil {
			p.log.Warn("the box ended its events", "err", err)
		}
	})
	defer func() { cancel(); events.Wait() }()

	tick := time.NewTicker(p.tick)
	defer tick.Stop()
	var last []byte
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-tick.C:
		}
		part, err := p.livePart(ctx, name, body)
		if err != nil {
			p.log.Error("live part failed", "screen", name, "err", err)
			return nil
		}
		if bytes.Equal(part, last) {
			part = nil
		} else {
			last = part
		}
		if send(event(part)) != nil {
			return nil // the browser is gone
		}
	}
}

// livePart renders the part, or a word on why the box cannot say.
func (p *Panel) livePart(ctx context.Context, name string, body func(context.Context) (any, error)) ([]byte, error) {
	v, err := body(ctx)
	if err != nil {
		return p.execute(name, "lost", err.Error())
	}
	return p.execute(name, "live", v)
}

// event frames HTML as one unnamed message, which htmx swaps in; nothing new is a comment, which
// keeps the connection open.
func event(html []byte) []byte {
	if html == nil {
		return []byte(": same\n\n")
	}
	var b bytes.Buffer
	for line := range bytes.Lines(html) {
		b.WriteString("data: ")
		b.Write(bytes.TrimRight(line, "\r\n"))
		b.WriteByte('\n')
	}
	_, _ = io.WriteString(&b, "\n")
	return b.Bytes()
}
