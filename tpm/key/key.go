package key

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/vouchbox/vouch/tpm"
)

const (
	maxAuth = sha256.Size // an authorization value is at most a digest of the name algorithm: Part 1, section 27.6
	// crypto.Signer has no context; a chip signs in well under a second.
	signTimeout = 30 * time.Second
)

// Device is the TPM that keys live in: *tpm.Device. Do gives fn the TPM to itself and returns its error.
type Device interface {
	Do(ctx context.Context, fn func(t transport.TPM) error) error
}

// Options tune Create.
type Options struct {
	// Auth must be proved for each signature, if not empty: 1 to 32 bytes, none of them zero. Wrong values count towards the TPM's lockout.
	Auth []byte
	// Parent is the name of the storage root key recorded at enrolment (tpm.PrimaryName); another one is refused with ErrOtherTPM. Nil accepts
	// the TPM as it is, right for the first meeting only.
	Parent *tpm.Name
}

// Create makes a new key inside the TPM.
func Create(ctx context.Context, dev Device, opts Options) (Blob, error) {
	if err := checkAuth(opts.Auth); err != nil {
		return Blob{}, err
	}
	var b Blob
	err := dev.Do(ctx, func(t transport.TPM) error {
		with := tpm.WithPrimary
		if opts.Parent != nil {
			with = func(t transport.TPM, fn func(tpm.Primary) error) error {
				return tpm.WithPinnedPrimary(t, *opts.Parent, fn)
			}
		}
		return with(t, func(p tpm.Primary) error {
			w, err := tpm.Create(t, p, template(len(opts.Auth) > 0), tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: opts.Auth}})
			if err != nil {
				return err
			}
			public, err := w.Template()
			if err != nil {
				return err
			}
			if _, _, err := publicKey(public); err != nil {
				return err
			}
			b = Blob{w}
			return nil
		})
	})
	if errors.Is(err, tpm.ErrPrimaryChanged) {
		err = fmt.Errorf("%w: %w", ErrOtherTPM, err)
	}
	if err != nil {
		return Blob{}, fmt.Errorf("tpm/key: create: %w", err)
	}
	return b, nil
}

// Key signs with a key that the TPM has accepted. It implements crypto.Signer and is safe for concurrent use.
type Key struct {
	dev        Device
	blob       Blob
	auth       []byte
	public     *ecdsa.PublicKey
	compressed [33]byte
	attributes Attributes
}

var _ crypto.Signer = (*Key)(nil)

// Load has the TPM load the key once and reads back what it is. Nothing stays loaded.
//
// Errors: ErrOtherTPM, ErrAttributes (naming what is missing), tpm.ErrCorrupt, and those of tpm.Device.
func Load(ctx context.Context, dev Device, b Blob) (*Key, error) {
	k := &Key{dev: dev, blob: b}
	err := k.withLoaded(ctx, func(_ transport.TPM, _ tpm.Primary, o tpm.Object) error {
		var err error
		if k.public, k.attributes, err = publicKey(o.Public); err != nil {
			return err
		}
		k.compressed, err = compress(k.public)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tpm/key: load: %w", err)
	}
	return k, nil
}

// WithAuth returns a Key that proves auth with each signature, for keys created with Options.Auth. A wrong value shows as ErrAuth when signing.
func (k *Key) WithAuth(auth []byte) (*Key, error) {
	if err := checkAuth(auth); err != nil {
		return nil, err
	}
	with := *k
	with.auth = bytes.Clone(auth)
	return &with, nil
}

// Attributes are those that the TPM reported when the key was loaded.
func (k *Key) Attributes() Attributes { return k.attributes }

// Public implements crypto.Signer; the value is an *ecdsa.PublicKey on P-256.
func (k *Key) Public() crypto.PublicKey {
	pub := *k.public
	return &pub
}

// Compressed is the public key in SEC 1 compressed form: 0x02 or 0x03, then x.
func (k *Key) Compressed() [33]byte { return k.compressed }

// Sign implements crypto.Signer: an ASN.1 DER ECDSA signature with low s. The TPM has its own random numbers, so rand is not read; opts must
// say SHA-256.
func (k *Key) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if len(digest) != sha256.Size || opts == nil || opts.HashFunc() != crypto.SHA256 {
		return nil, ErrDigest
	}
	ctx, cancel := context.WithTimeout(context.Background(), signTimeout)
	defer cancel()
	sig, err := k.sign(ctx, [32]byte(digest))
	if err != nil {
		return nil, err
	}
	return sig.der()
}

// SignCompact signs a SHA-256 digest: r||s, 32 bytes each, big-endian, low s.
func (k *Key) SignCompact(ctx context.Context, digest [32]byte) ([64]byte, error) {
	sig, err := k.sign(ctx, digest)
	if err != nil {
		return [64]byte{}, err
	}
	return sig.compact(), nil
}

func (k *Key) sign(ctx context.Context, digest [32]byte) (signature, error) {
	var sig signature
	err := k.withLoaded(ctx, func(t transport.TPM, p tpm.Primary, o tpm.Object) error {
		rsp, err := tpm2.Sign{
			KeyHandle: o.Auth(tpm.SaltedIn(p, tpm2.Auth(k.auth))),
			Digest:    tpm2.TPM2BDigest{Buffer: digest[:]},
			InScheme: tpm2.TPMTSigScheme{
				Scheme:  tpm2.TPMAlgECDSA,
				Details: tpm2.NewTPMUSigScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSchemeHash{HashAlg: tpm2.TPMAlgSHA256}),
			},
			Validation: tpm2.TPMTTKHashCheck{Tag: tpm2.TPMSTHashCheck},
		}.Execute(t)
		switch {
		case errors.Is(err, tpm2.TPMRCAuthFail), errors.Is(err, tpm2.TPMRCBadAuth):
			return fmt.Errorf("%w: %w", ErrAuth, err)
		case err != nil:
			return err
		}
		ecc, err := rsp.Signature.Signature.ECDSA()
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFault, err)
		}
		sig, err = checked(k.public, digest, ecc.SignatureR.Buffer, ecc.SignatureS.Buffer)
		return err
	})
	if err != nil {
		return signature{}, fmt.Errorf("tpm/key: sign: %w", err)
	}
	return sig, nil
}

func (k *Key) withLoaded(ctx context.Context, fn func(transport.TPM, tpm.Primary, tpm.Object) error) error {
	err := k.dev.Do(ctx, func(t transport.TPM) error {
		return tpm.WithPinnedPrimary(t, k.blob.Parent(), func(p tpm.Primary) error {
			return tpm.WithObject(t, p, k.blob.wrapped, func(o tpm.Object) error { return fn(t, p, o) })
		})
	})
	if errors.Is(err, tpm.ErrPrimaryChanged) {
		return fmt.Errorf("%w: %w", ErrOtherTPM, err)
	}
	return err
}

func checkAuth(auth []byte) error {
	if len(auth) > maxAuth {
		return fmt.Errorf("%w: %d bytes, at most %d fit", ErrAuth, len(auth), maxAuth)
	}
	// A TPM drops trailing zeros, and go-tpm 0.9.8 (hmacKeyFromAuthValue) takes the first zero byte for trailing.
	if bytes.IndexByte(auth, 0) >= 0 {
		return fmt.Errorf("%w: it contains a zero byte, which is not allowed", ErrAuth)
	}
	return nil
}
