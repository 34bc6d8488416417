package tx

import (
	"errors"
	"testing"
)

// FuzzParseAccount demands a named error or an account, and no panic.
func FuzzParseAccount(f *testing.F) {
	f.Add([]byte("\x0a\x20/cosmos.auth.v1beta1.BaseAccount\x12\x07\x0a\x03abc\x18\x2a"))
	f.Add([]byte{0x0a, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if _, _, err := parseAccount(raw); err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("an error without a name: %v", err)
		}
	})
}

func TestParseAccount(t *testing.T) {
	t.Parallel()
	address, number, err := parseAccount([]byte("\x0a\x20/cosmos.auth.v1beta1.BaseAccount\x12\x07\x0a\x03abc\x18\x2a"))
	if err != nil || address != "abc" || number != 42 {
		t.Errorf("got %q, %d, %v", address, number, err)
	}
}
