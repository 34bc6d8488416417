package appliance

import (
	"context"
	"errors"
	"testing"

	"github.com/vouchbox/vouch/appliance/api"
)

// A listener that comes late gets the present state, once for each kind, then the changes.
func TestHubGivesPresentStateThenChanges(t *testing.T) {
	h := newHub()
	h.publish(api.Event{Kind: "ceremony", Ceremony: &api.Ceremony{Stage: api.StageTouch}})
	h.publish(api.Event{Kind: "ceremony", Ceremony: &api.Ceremony{Stage: api.StageMatching}})
	h.publish(api.Event{Kind: "queue", Queue: []api.Summary{{ID: 1}}})

	stop := errors.New("stop")
	var seen []api.Event
	err := h.listen(t.Context(), func(e api.Event) error {
		seen = append(seen, e)
		switch len(seen) {
		case 2:
			h.publish(api.Event{Kind: "ceremony", Ceremony: &api.Ceremony{Stage: api.StageIncluded}})
		case 3:
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatalf("listen ended with %v", err)
	}
	if seen[0].Ceremony.Stage != api.StageMatching || seen[1].Queue[0].ID != 1 || seen[2].Ceremony.Stage != api.StageIncluded {
		t.Fatalf("saw %+v", seen)
	}
	if len(h.listeners) != 0 {
		t.Fatalf("%d listeners are left", len(h.listeners))
	}
}

func TestHubListenerEndsWithItsContext(t *testing.T) {
	h := newHub()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.listen(ctx, func(api.Event) error { return nil }) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("listen ended with %v", err)
	}
}
