package r503_test

import (
	"image"
	"testing"

	"github.com/vouchbox/vouch/drivers/drivertest"
	"github.com/vouchbox/vouch/drivers/r503"
)

// One picture through a terminal, without the wire's slowness: what driver, kernel and simulator cost together.
func BenchmarkUploadImage(b *testing.B) {
	sim, err := drivertest.NewR503(drivertest.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	defer sim.Close()
	port, err := r503.OpenPort(b.Context(), sim.Path(), r503.DefaultBaud)
	if err != nil {
		b.Fatal(err)
	}
	defer port.Close()
	dev, err := r503.New(b.Context(), port, r503.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	sim.Touch(finger(image.Pt(192, 192)))
	if err := dev.Capture(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(192 * 192 / 2)
	for b.Loop() {
		if _, err := dev.UploadImage(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
