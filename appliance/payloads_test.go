package appliance

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/inference/model"
	"github.com/vouchbox/vouch/validator/poh"
)

// A payload that was not handed over is named as that: the review then asks for it.
func TestPayloadsAbsentAndHandedOver(t *testing.T) {
	s, err := model.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	p, want := payloads{s}, []byte("a clip")
	if _, err := p.get(poh.Sum(want)); !errors.Is(err, errNoPayload) {
		t.Fatalf("an absent payload: %v, want errNoPayload", err)
	}
	waiting := func(d poh.Digest) bool { return d == poh.Sum(want) }
	if _, _, err := p.put(strings.NewReader("another file"), waiting); !errors.Is(err, errNotWanted) {
		t.Errorf("a file that nobody waits for: %v, want %v", err, errNotWanted)
	}
	if _, err := p.get(poh.Sum([]byte("another file"))); !errors.Is(err, errNoPayload) {
		t.Errorf("a file that nobody waits for was kept: %v", err)
	}
	d, n, err := p.put(bytes.NewReader(want), waiting)
	if err != nil || d != poh.Sum(want) || n != uint64(len(want)) {
		t.Fatalf("put = %s, %d, %v", d, n, err)
	}
	if got, err := p.get(d); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("get = %q, %v", got, err)
	}
	if _, _, err := p.put(strings.NewReader(strings.Repeat("x", maxPayload+1)), waiting); !errors.Is(err, errPayloadLarge) {
		t.Fatalf("a payload that is too large: %v", err)
	}
}
