package key

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"math/big"
	"testing"
)

func TestChecked(t *testing.T) {
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := [32]byte{1, 2, 3}
	r, s, err := ecdsa.Sign(rand.Reader, priv, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	n := elliptic.P256().Params().N
	other := new(big.Int).Sub(n, s)
	low := s
	if other.Cmp(s) < 0 {
		low = other
	}
	plus := func(v *big.Int, d int64) []byte { return new(big.Int).Add(v, big.NewInt(d)).Bytes() }
	for _, tt := range []struct {
		name string
		r, s []byte
		ok   bool
	}{
		{"as made", r.Bytes(), s.Bytes(), true},
		{"its mirror", r.Bytes(), other.Bytes(), true},
		{"with leading zeros", append([]byte{0}, r.Bytes()...), append([]byte{0, 0}, s.Bytes()...), true},
		{"faulted r", plus(r, 1), s.Bytes(), false},
		{"faulted s", r.Bytes(), plus(s, 1), false},
		{"r zero", nil, s.Bytes(), false},
		{"s zero", r.Bytes(), nil, false},
		{"s is n", r.Bytes(), n.Bytes(), false},
		{"r beyond n", plus(new(big.Int).Add(n, r), 0), s.Bytes(), false},
		{"s beyond n", r.Bytes(), plus(new(big.Int).Add(n, s), 0), false},
		{"huge", make([]byte, 0), append([]byte{1}, make([]byte, 500)...), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sig, err := checked(&priv.PublicKey, digest, tt.r, tt.s)
			if !tt.ok {
				if !errors.Is(err, ErrFault) {
					t.Errorf("error %v, want ErrFault", err)
				}
				return
			}
			if err != nil || sig.s.Cmp(low) != 0 || sig.r.Cmp(r) != 0 {
				t.Errorf("got %v, %v; want s = %v", sig, err, low)
			}
		})
	}
}
