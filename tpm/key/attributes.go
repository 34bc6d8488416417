package key

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"math/big"

	"github.com/google/go-tpm/tpm2"
)

// Attributes are what the TPM says about a loaded key: TPMA_OBJECT, Part 2, section 8.3.
type Attributes struct {
	FixedTPM            bool // cannot be duplicated to another TPM
	FixedParent         bool // cannot be moved under another parent
	SensitiveDataOrigin bool // the private key was made inside the TPM
	UserWithAuth        bool // an authorization value (maybe empty) is enough to sign
	NoDA                bool // wrong authorizations do not count towards lockout
	Restricted          bool // signs only what the TPM itself hashed
	Decrypt             bool
	Sign                bool
}

func attributesOf(a tpm2.TPMAObject) Attributes {
	return Attributes{
		FixedTPM:            a.FixedTPM,
		FixedParent:         a.FixedParent,
		SensitiveDataOrigin: a.SensitiveDataOrigin,
		UserWithAuth:        a.UserWithAuth,
		NoDA:                a.NoDA,
		Restricted:          a.Restricted,
		Decrypt:             a.Decrypt,
		Sign:                a.SignEncrypt,
	}
}

// check refuses what does not guard a vote.
func (a Attributes) check() error {
	for _, rule := range []struct {
		name      string
		got, want bool
	}{
		{"fixedTPM", a.FixedTPM, true},
		{"fixedParent", a.FixedParent, true},
		{"sensitiveDataOrigin", a.SensitiveDataOrigin, true},
		{"sign", a.Sign, true},
		{"restricted", a.Restricted, false},
		{"decrypt", a.Decrypt, false},
	} {
		if rule.got != rule.want {
			return fmt.Errorf("%w: attribute %s is %t", ErrAttributes, rule.name, rule.got)
		}
	}
	return nil
}

// template is a P-256 signing key born in this TPM and staying there. With an authorization value, guessing counts towards lockout; without
// one there is nothing to guess, and a power cut must not count (noDA).
func template(auth bool) tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:    tpm2.TPMAlgECC,
		NameAlg: tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{
			FixedTPM:            true,
			FixedParent:         true,
			SensitiveDataOrigin: true,
			UserWithAuth:        true,
			NoDA:                !auth,
			SignEncrypt:         true,
		},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{
			CurveID: tpm2.TPMECCNistP256,
			Scheme: tpm2.TPMTECCScheme{
				Scheme:  tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256}),
			},
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{}),
	}
}

// publicKey checks a public area down to the curve point and returns the key.
func publicKey(public tpm2.TPMTPublic) (*ecdsa.PublicKey, Attributes, error) {
	a := attributesOf(public.ObjectAttributes)
	if err := a.check(); err != nil {
		return nil, a, err
	}
	if public.Type != tpm2.TPMAlgECC {
		return nil, a, fmt.Errorf("%w: type is %#x, not ECC", ErrAttributes, uint16(public.Type))
	}
	parms, err := public.Parameters.ECCDetail()
	if err != nil {
		return nil, a, fmt.Errorf("%w: parameters: %w", ErrAttributes, err)
	}
	if parms.CurveID != tpm2.TPMECCNistP256 {
		return nil, a, fmt.Errorf("%w: curve is %#x, not P-256", ErrAttributes, uint16(parms.CurveID))
	}
	if parms.Scheme.Scheme != tpm2.TPMAlgECDSA {
		return nil, a, fmt.Errorf("%w: scheme is %#x, not ECDSA", ErrAttributes, uint16(parms.Scheme.Scheme))
	}
	scheme, err := parms.Scheme.Details.ECDSA()
	if err != nil {
		return nil, a, fmt.Errorf("%w: scheme: %w", ErrAttributes, err)
	}
	if scheme.HashAlg != tpm2.TPMAlgSHA256 {
		return nil, a, fmt.Errorf("%w: hash is %#x, not SHA-256", ErrAttributes, uint16(scheme.HashAlg))
	}
	point, err := public.Unique.ECC()
	if err != nil {
		return nil, a, fmt.Errorf("%w: point: %w", ErrAttributes, err)
	}
	encoded, err := uncompressed(point)
	if err != nil {
		return nil, a, err
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), encoded)
	if err != nil {
		return nil, a, fmt.Errorf("%w: point: %w", ErrAttributes, err)
	}
	return pub, a, nil
}

// uncompressed is SEC 1, section 2.3.3: 0x04, x, y. A TPM may leave leading zeros out.
func uncompressed(p *tpm2.TPMSECCPoint) ([]byte, error) {
	x, y := new(big.Int).SetBytes(p.X.Buffer), new(big.Int).SetBytes(p.Y.Buffer)
	if x.BitLen() > 256 || y.BitLen() > 256 {
		return nil, fmt.Errorf("%w: point is larger than the curve", ErrAttributes)
	}
	out := make([]byte, 65)
	out[0] = 4
	x.FillBytes(out[1:33])
	y.FillBytes(out[33:])
	return out, nil
}

// compress is SEC 1, section 2.3.3: 0x02 for an even y, 0x03 for an odd one, then x.
func compress(pub *ecdsa.PublicKey) (out [33]byte, err error) {
	full, err := pub.Bytes()
	if err != nil {
		return out, fmt.Errorf("%w: point: %w", ErrAttributes, err)
	}
	out[0] = 2 | full[64]&1
	copy(out[1:], full[1:33])
	return out, nil
}
