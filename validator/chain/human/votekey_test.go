package human

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/vouchbox/vouch/validator/poh"
)

// FuzzVoteKey: a key that is taken is one point in one form, and no signature of chance verifies.
func FuzzVoteKey(f *testing.F) {
	// The base point of P-256 (SEC 2, section 2.4.2).
	g, err := hex.DecodeString("036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(g, make([]byte, 64))
	f.Add(g[:32], []byte{})
	f.Add(append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...), bytes.Repeat([]byte{0xff}, 64))
	f.Fuzz(func(t *testing.T, b, signature []byte) {
		key, err := parseVoteKey(b)
		if err != nil {
			return
		}
		if !bytes.Equal(key.Bytes(), b) {
			t.Fatalf("%x was read as %x", b, key.Bytes())
		}
		if verifyPossession(key, poh.Sum([]byte("nobody signed this")), signature) == nil {
			t.Fatalf("%x verifies", signature)
		}
	})
}
