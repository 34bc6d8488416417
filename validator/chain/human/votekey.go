package human

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256r1"

	"github.com/vouchbox/vouch/validator/poh"
)

// voteKeySize is the length of a compressed P-256 point (SEC 1, section 2.3.3).
const voteKeySize = 33

// parseVoteKey reads a compressed point and checks that it is on the curve.
func parseVoteKey(b []byte) (*secp256r1.PubKey, error) {
	if len(b) != voteKeySize {
		return nil, ErrVoteKey.Wrapf("want %d bytes, got %d", voteKeySize, len(b))
	}
	key, err := secp256r1.NewPubKeyFromBytes(b)
	if err != nil {
		return nil, ErrVoteKey.Wrap(err.Error())
	}
	return key, nil
}

// verifyPossession checks an ECDSA signature over a digest: the digest itself is what was signed, it
// is not hashed again. The signature is r and s, 32 bytes each, big-endian. A high s is refused so
// that one signature has one form, as for the SDK's transaction signatures.
func verifyPossession(key *secp256r1.PubKey, digest poh.Digest, signature []byte) error {
	if len(signature) != 64 {
		return ErrPossession.Wrapf("want a signature of 64 bytes, got %d", len(signature))
	}
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	half := new(big.Int).Rsh(elliptic.P256().Params().N, 1)
	if s.Cmp(half) > 0 {
		return ErrPossession.Wrap("s is in the upper half of the group order: send n - s instead")
	}
	if !ecdsa.Verify(&key.Key.PublicKey, digest[:], r, s) {
		return ErrPossession.Wrap("the signature does not verify for this chain, owner and vote key")
	}
	return nil
}
