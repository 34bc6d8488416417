package appliance

import (
	"context"
	"sync"

	"github.com/vouchbox/vouch/appliance/api"
)

// hub hands the newest event of each kind to every listener. A slow listener skips to the newest:
// events are states, not steps, so nothing is lost that a screen needs.
type hub struct {
	mu        sync.Mutex
	newest    map[string]api.Event
	order     []string
	listeners map[*listener]struct{}
}

type listener struct {
	due  map[string]bool
	wake chan struct{}
}

func newHub() *hub {
	return &hub{newest: make(map[string]api.Event), listeners: make(map[*listener]struct{})}
}

func (h *hub) publish(e api.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.newest[e.Kind]; !known {
		h.order = append(h.order, e.Kind)
	}
	h.newest[e.Kind] = e
	for l := range h.listeners {
		l.due[e.Kind] = true
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// listen calls fn with the present state, then with each change, until ctx ends or fn fails.
func (h *hub) listen(ctx context.Context, fn func(api.Event) error) error {
	l := &listener{due: make(map[string]bool), wake: make(chan struct{}, 1)}
	h.mu.Lock()
	for kind := range h.newest {
		l.due[kind] = true
	}
	h.listeners[l] = struct{}{}
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(h.listeners, l)
		h.mu.Unlock()
	}()
	for {
		for _, e := range h.take(l) {
			if err := fn(e); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.wake:
		}
	}
}

func (h *hub) take(l *listener) []api.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	var due []api.Event
	for _, kind := range h.order {
		if l.due[kind] {
			due = append(due, h.newest[kind])
		}
	}
	clear(l.due)
	return due
}
