package appliance

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/inference/model"
	"github.com/vouchbox/vouch/validator/poh"
)

// A payload that is not here yet is for the human to hand over, not a fault of the box.
func TestPayloads(t *testing.T) {
	s, err := model.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	p := payloads{s}
	want := []byte("a clip")
	if _, err := p.get(poh.Sum(want)); !errors.Is(err, errNoPayload) {
		t.Errorf("a payload that nobody handed over: %v, want %v", err, errNoPayload)
	}
	d, n, err := p.put(bytes.NewReader(want))
	if err != nil || d != poh.Sum(want) || n != uint64(len(want)) {
		t.Fatalf("put gave %s, %d, %v", d, n, err)
	}
	if got, err := p.get(d); err != nil || !bytes.Equal(got, want) {
		t.Errorf("get gave %q, %v", got, err)
	}
	if _, _, err := p.put(strings.NewReader(strings.Repeat("x", maxPayload+1))); !errors.Is(err, errPayloadLarge) {
		t.Errorf("one byte too much: %v, want %v", err, errPayloadLarge)
	}
}
