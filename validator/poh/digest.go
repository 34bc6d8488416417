package poh

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
)

// Digest is a SHA-256 digest. Its text form is 64 lower-case hex digits.
type Digest [sha256.Size]byte

// Sum returns the digest of raw bytes, as used for payloads and outputs.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

// ParseDigest reads the text form. Upper case is refused so that one digest has one text.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if len(s) != hex.EncodedLen(len(d)) || strings.ToLower(s) != s {
		return Digest{}, fmt.Errorf("%w: want %d lower-case hex digits, got %q", ErrDigest, hex.EncodedLen(len(d)), s)
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return Digest{}, fmt.Errorf("%w: %w", ErrDigest, err)
	}
	return d, nil
}

// DigestFromBytes copies a 32-byte slice.
func DigestFromBytes(b []byte) (Digest, error) {
	if len(b) != sha256.Size {
		return Digest{}, fmt.Errorf("%w: want %d bytes, got %d", ErrDigest, sha256.Size, len(b))
	}
	return Digest(b), nil
}

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether no digest was set.
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText writes the text form.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the text form.
func (d *Digest) UnmarshalText(b []byte) error {
	v, err := ParseDigest(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// wordlist is BIP-39's English list: 2048 words, told apart by their first four letters.
//
//go:embed words.txt
var wordlist string

// Words renders the first 44 bits of d as four BIP-39 words, so that a person can compare what two
// screens are about. The signature covers the whole digest; the words are for the eye.
func (d Digest) Words() [4]string {
	list := strings.Fields(wordlist)
	bits := binary.BigEndian.Uint64(d[:8])
	var w [4]string
	for i := range w {
		w[i] = list[bits>>(64-11*(i+1))&0x7ff]
	}
	return w
}

// encoder appends the canonical encoding of the package comment.
type encoder struct{ b []byte }

func encode(domain string) *encoder {
	e := &encoder{}
	e.text(domain)
	return e
}

func (e *encoder) uint(v uint64) { e.b = binary.BigEndian.AppendUint64(e.b, v) }

func (e *encoder) bytes(v []byte) {
	e.uint(uint64(len(v)))
	e.b = append(e.b, v...)
}

func (e *encoder) text(v string) { e.bytes([]byte(v)) }

func (e *encoder) sum() Digest { return sha256.Sum256(e.b) }
