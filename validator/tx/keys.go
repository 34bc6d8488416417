package tx

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"math/big"

	"github.com/cosmos/cosmos-sdk/types/bech32"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secpecdsa "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	//lint:ignore SA1019 secp256k1 addresses are made with it
	"golang.org/x/crypto/ripemd160"
)

// Prefix is the human-readable part of addresses.
const Prefix = "human"

// Address is an account: 20 bytes of a secp256k1 key, 32 bytes of a P-256 key (ADR-028).
type Address []byte

// String is the bech32 form, or "" for no address.
func (a Address) String() string {
	if len(a) == 0 {
		return ""
	}
	s, err := bech32.ConvertAndEncode(Prefix, a)
	if err != nil {
		return ""
	}
	return s
}

// ParseAddress reads the bech32 form.
func ParseAddress(s string) (Address, error) {
	hrp, b, err := bech32.DecodeAndConvert(s)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrAddress, s, err)
	}
	if hrp != Prefix || (len(b) != 20 && len(b) != 32) || Address(b).String() != s {
		return nil, fmt.Errorf("%w: %q", ErrAddress, s)
	}
	return b, nil
}

// Curve tells the two kinds of account key apart.
type Curve uint8

const (
	P256 Curve = iota + 1
	Secp256k1
)

// typeURL names the key's protobuf type in a transaction.
func (c Curve) typeURL() string {
	switch c {
	case P256:
		return "/cosmos.crypto.secp256r1.PubKey"
	case Secp256k1:
		return "/cosmos.crypto.secp256k1.PubKey"
	}
	return ""
}

// PublicKey is an account's key: a compressed point (SEC 1, 2.3.3).
type PublicKey struct {
	Curve Curve
	Point [33]byte
}

// Address of the account that the key signs for.
func (k PublicKey) Address() Address {
	switch k.Curve {
	case P256:
		// ADR-028: SHA-256(SHA-256(type name) | key)
		typ := sha256.Sum256([]byte("cosmos.crypto.secp256r1.PubKey"))
		sum := sha256.Sum256(append(typ[:], k.Point[:]...))
		return sum[:]
	case Secp256k1:
		sum := sha256.Sum256(k.Point[:])
		h := ripemd160.New()
		h.Write(sum[:])
		return h.Sum(nil)
	}
	return nil
}

// Verify checks a signature over a SHA-256 digest. A high s is refused: it is the same signature in
// a second form.
func (k PublicKey) Verify(digest [32]byte, sig [64]byte) error {
	ok := false
	switch k.Curve {
	case P256:
		ok = verifyP256(k.Point, digest, sig)
	case Secp256k1:
		ok = verifySecp256k1(k.Point, digest, sig)
	}
	if !ok {
		return fmt.Errorf("%w for key %X", ErrSignature, k.Point)
	}
	return nil
}

func verifyP256(point [33]byte, digest [32]byte, sig [64]byte) bool {
	curve := elliptic.P256()
	x, y := elliptic.UnmarshalCompressed(curve, point[:])
	if x == nil {
		return false
	}
	raw := make([]byte, 65)
	raw[0] = 4
	x.FillBytes(raw[1:33])
	y.FillBytes(raw[33:])
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, raw)
	if err != nil {
		return false
	}
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	half := new(big.Int).Rsh(curve.Params().N, 1)
	return s.Cmp(half) <= 0 && ecdsa.Verify(pub, digest[:], r, s)
}

func verifySecp256k1(point [33]byte, digest [32]byte, sig [64]byte) bool {
	pub, err := secp256k1.ParsePubKey(point[:])
	if err != nil {
		return false
	}
	var r, s secp256k1.ModNScalar
	if r.SetByteSlice(sig[:32]) || s.SetByteSlice(sig[32:]) || s.IsOverHalfOrder() {
		return false
	}
	return secpecdsa.NewSignature(&r, &s).Verify(digest[:], pub)
}

// Signer holds an account key. SignCompact returns r and s, 32 bytes big-endian each, with a low s.
// It may ask hardware; it fails when ctx ends.
type Signer interface {
	Compressed() [33]byte
	SignCompact(ctx context.Context, digest [32]byte) ([64]byte, error)
}

// sign asks the signer and believes nothing: key and signature are checked before either is used.
func sign(ctx context.Context, s Signer, key PublicKey, digest [32]byte) ([64]byte, error) {
	if got := s.Compressed(); !bytes.Equal(got[:], key.Point[:]) {
		return [64]byte{}, fmt.Errorf("%w: the transaction is for key %X, the signer holds %X", ErrSignature, key.Point, got)
	}
	sig, err := s.SignCompact(ctx, digest)
	if err != nil {
		return [64]byte{}, fmt.Errorf("sign: %w", err)
	}
	return sig, key.Verify(digest, sig)
}
