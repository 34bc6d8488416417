package poh_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/validator/poh"
)

// vector returns the JSON block of docs/protocol.md that follows the marker <!-- vector: name -->. The page is
// where other implementations take their vectors from, so that it and this package cannot drift apart.
func vector(t *testing.T, name string, into any) {
	t.Helper()
	page, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "<!-- vector: "+name+" -->\n```json\n")
	block, _, ended := strings.Cut(rest, "\n```\n")
	if !found || !ended {
		t.Fatalf("docs/protocol.md has no vector %q", name)
	}
	dec := json.NewDecoder(strings.NewReader(block))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("vector %q of docs/protocol.md: %v", name, err)
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

func same(t *testing.T, got, want poh.Digest) {
	t.Helper()
	if got != want || want.IsZero() {
		t.Errorf("got %s, docs/protocol.md says %s", got, want)
	}
}

func TestVectorRules(t *testing.T) {
	var v struct {
		poh.Rules
		Digest poh.Digest
	}
	vector(t, "rules", &v)
	if err := v.Rules.Validate(); err != nil {
		t.Error(err)
	}
	same(t, v.Rules.Digest(), v.Digest)
}

func TestVectorShown(t *testing.T) {
	var v struct {
		poh.Shown
		Digest poh.Digest
		Words  [4]string
	}
	vector(t, "shown", &v)
	same(t, v.Shown.Digest(), v.Digest)
	if got := v.Digest.Words(); got != v.Words {
		t.Errorf("words %q, docs/protocol.md says %q", got, v.Words)
	}
}

func TestVectorChallenge(t *testing.T) {
	var v struct {
		Shown    poh.Digest
		Decision poh.Decision
		Anchor   poh.Block
		Human    hexBytes
		Digest   poh.Digest
	}
	vector(t, "challenge", &v)
	same(t, poh.Challenge(v.Shown, v.Decision, v.Anchor, v.Human), v.Digest)
}

func TestVectorPossession(t *testing.T) {
	var v struct {
		ChainID, Owner    string
		VoteKey, Encoding hexBytes
		Digest            poh.Digest
	}
	vector(t, "possession", &v)
	same(t, poh.Possession(v.ChainID, v.Owner, [33]byte(v.VoteKey)), v.Digest)
	same(t, sha256.Sum256(v.Encoding), v.Digest)
	if !bytes.Contains(v.Encoding, v.VoteKey) {
		t.Error("the encoding does not hold the key")
	}
}
