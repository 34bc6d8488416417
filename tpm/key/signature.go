package key

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"fmt"
	"math/big"
)

// signature is one that verified, with 0 < s <= n/2.
type signature struct{ r, s *big.Int }

// checked turns what the TPM returned into a signature of digest under pub, or ErrFault.
func checked(pub *ecdsa.PublicKey, digest [32]byte, r, s []byte) (signature, error) {
	sig := signature{new(big.Int).SetBytes(r), new(big.Int).SetBytes(s)}
	n := elliptic.P256().Params().N
	// (r, s) and (r, n-s) are both valid; chains accept only the smaller, so that a signature cannot be altered on the way.
	if half := new(big.Int).Rsh(n, 1); sig.s.Cmp(half) > 0 {
		sig.s.Sub(n, sig.s)
	}
	if sig.r.Sign() <= 0 || sig.r.Cmp(n) >= 0 || sig.s.Sign() <= 0 {
		return signature{}, fmt.Errorf("%w: its numbers are out of range", ErrFault)
	}
	if !ecdsa.Verify(pub, digest[:], sig.r, sig.s) {
		return signature{}, fmt.Errorf("%w: it does not verify", ErrFault)
	}
	return sig, nil
}

func (s signature) der() ([]byte, error) {
	return asn1.Marshal(struct{ R, S *big.Int }{s.r, s.s})
}

func (s signature) compact() (out [64]byte) {
	s.r.FillBytes(out[:32])
	s.s.FillBytes(out[32:])
	return out
}
