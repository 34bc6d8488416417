package r503_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/vouchbox/vouch/drivers/drivertest"
	"github.com/vouchbox/vouch/drivers/r503"
)

// The driver writes to the byte what others write, and understands what modules answered them.
func TestPublishedTranscript(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/published.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	port := drivertest.NewPlayback(t, f)
	cfg := quick()
	cfg.PacketSize, cfg.Baud = 0, 0
	cfg.Quirks.NoProduct = true
	dev, err := r503.New(t.Context(), port, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Capture(t.Context()); !errors.Is(err, r503.ErrNoFinger) {
		t.Errorf("first look: %v", err)
	}
	if err := dev.Capture(t.Context()); err != nil {
		t.Errorf("second look: %v", err)
	}
	if err := dev.CheckImage(t.Context()); err != nil {
		t.Error(err)
	}
	port.Close()
}

// A late "ok" must not be taken for the answer to the next command: here that would be a finger where there is none.
func TestLateReplyIsNotMistaken(t *testing.T) {
	t.Parallel()
	sim := module(t, nil)
	cfg := quick()
	cfg.Retries = 0
	dev := connect(t, sim, cfg)
	ctx := within(t, patience)
	sim.Inject(drivertest.Fault{Kind: drivertest.Late, On: r503.InsAura, Delay: 400 * time.Millisecond})
	if err := dev.Aura(ctx, r503.On, 0, r503.Red, 0); !errors.Is(err, r503.ErrTimeout) {
		t.Fatalf("Aura: %v", err)
	}
	if err := dev.Capture(ctx); !errors.Is(err, r503.ErrNoFinger) {
		t.Errorf("Capture: %v", err)
	}
}
