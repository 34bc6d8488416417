package strict

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"node", "chain_id", "witnesses", "trust"}
	for got, want := range map[string]string{
		"nod": "node", "chainid": "chain_id", "witness": "witnesses", "": "node", strings.Repeat("trust", 1000): "trust",
	} {
		if n := Nearest(got, names); n != want {
			t.Errorf("Nearest(%.20q) = %q, want %q", got, n, want)
		}
	}
	if n := Nearest("x", nil); n != "" {
		t.Errorf("Nearest of no names = %q", n)
	}
	if d := distance("kitten", "sitting"); d != 3 {
		t.Errorf("distance = %d, want 3", d)
	}
}
