package seal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/vouchbox/vouch/tpm"
)

// MaxSecret is how many bytes a TPM seals: MAX_SYM_DATA, Part 2, section 11.1.14.
const MaxSecret = 128

// Errors besides those of tpm.Device.
var (
	ErrContext  = errors.New("tpm/seal: this secret was sealed for another purpose: the stored files were mixed up")
	ErrCorrupt  = errors.New("tpm/seal: the sealed secret is damaged: restore it from the recovery kit")
	ErrOtherTPM = errors.New("tpm/seal: the secret was sealed by another TPM, or this one was cleared: recover it with the recovery kit")
	ErrSize     = errors.New("tpm/seal: a TPM seals 1 to 128 bytes: seal a key and encrypt the data with it")
)

var kind = tpm.Kind{'V', 'S', 'E', 'A'}

// version 1: authorization by context. A policy over the measured release will be another.
const version = 1

// Device is the TPM that seals: *tpm.Device. Do gives fn the TPM to itself and returns its error.
type Device interface {
	Do(ctx context.Context, fn func(t transport.TPM) error) error
}

// Sealer seals to one TPM. It is safe for concurrent use.
type Sealer struct {
	dev    Device
	parent *tpm.Name
}

// New returns a Sealer for dev, which has answered already. It seals to whatever TPM answers there, right for the first meeting; afterwards use Pinned.
func New(dev Device) *Sealer { return &Sealer{dev: dev} }

// Pinned returns a Sealer that seals only to the TPM whose storage root key has the name recorded at enrolment (tpm.PrimaryName), so that nothing
// put in between can ask for the secret under a key of its own: Seal fails with ErrOtherTPM.
func (s *Sealer) Pinned(parent tpm.Name) *Sealer { return &Sealer{dev: s.dev, parent: &parent} }

// Seal returns secret (1 to 128 bytes) in a form that only this TPM opens, and only for the same purpose. The blob is not secret.
// It does not keep or change secret; the caller zeroes it.
//
// Errors: ErrSize, ErrOtherTPM, and those of tpm.Device.
func (s *Sealer) Seal(ctx context.Context, secret, purpose []byte) ([]byte, error) {
	if len(secret) == 0 || len(secret) > MaxSecret {
		return nil, fmt.Errorf("%w: got %d", ErrSize, len(secret))
	}
	auth := authorization(purpose)
	var blob []byte
	err := s.dev.Do(ctx, func(t transport.TPM) error {
		return s.withPrimary(t, func(p tpm.Primary) error {
			w, err := tpm.Create(t, p, template(), tpm2.TPMSSensitiveCreate{
				UserAuth: tpm2.TPM2BAuth{Buffer: auth},
				Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
			})
			if err != nil {
				return err
			}
			blob = w.Encode(kind, version)
			return nil
		})
	})
	if errors.Is(err, tpm.ErrPrimaryChanged) {
		err = fmt.Errorf("%w: %w", ErrOtherTPM, err)
	}
	if err != nil {
		return nil, fmt.Errorf("tpm/seal: seal: %w", err)
	}
	return blob, nil
}

func (s *Sealer) withPrimary(t transport.TPM, fn func(tpm.Primary) error) error {
	if s.parent != nil {
		return tpm.WithPinnedPrimary(t, *s.parent, fn)
	}
	return tpm.WithPrimary(t, fn)
}

// Unseal returns the secret. The caller zeroes it after use.
//
// Errors: ErrContext, ErrCorrupt, ErrOtherTPM, tpm.ErrVersion, and those of tpm.Device.
func (s *Sealer) Unseal(ctx context.Context, blob, purpose []byte) ([]byte, error) {
	w, err := parse(blob)
	if err != nil {
		return nil, err
	}
	auth := authorization(purpose)
	var secret []byte
	err = s.dev.Do(ctx, func(t transport.TPM) error {
		return tpm.WithPinnedPrimary(t, w.Parent, func(p tpm.Primary) error {
			return tpm.WithObject(t, p, w, func(o tpm.Object) error {
				rsp, err := tpm2.Unseal{ItemHandle: o.Auth(tpm.SaltedOut(p, tpm2.Auth(auth)))}.Execute(t)
				switch {
				case errors.Is(err, tpm2.TPMRCBadAuth), errors.Is(err, tpm2.TPMRCAuthFail):
					return fmt.Errorf("%w: %w", ErrContext, err)
				case err != nil:
					return err
				}
				secret = rsp.OutData.Buffer
				return nil
			})
		})
	})
	switch {
	case err == nil:
		return secret, nil
	case errors.Is(err, tpm.ErrPrimaryChanged):
		err = fmt.Errorf("%w: %w", ErrOtherTPM, err)
	case errors.Is(err, tpm.ErrCorrupt):
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	clear(secret)
	return nil, fmt.Errorf("tpm/seal: unseal: %w", err)
}

// parse reads a blob and refuses what this package cannot have made.
func parse(blob []byte) (tpm.Wrapped, error) {
	w, err := tpm.DecodeWrapped(kind, version, blob)
	if errors.Is(err, tpm.ErrVersion) {
		return w, fmt.Errorf("tpm/seal: %w", err)
	}
	if err != nil {
		return w, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	public, err := w.Template()
	if err != nil {
		return w, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if want := template(); public.Type != want.Type || public.ObjectAttributes != want.ObjectAttributes {
		return w, fmt.Errorf("%w: it holds something else than a sealed secret of this box", ErrCorrupt)
	}
	return w, nil
}

// template is a data object bound to this TPM. It is exempt from lockout: there is no guessing of a context that is known, and power cuts
// must not lock a box out of its own disk.
func template() tpm2.TPMTPublic {
	return tpm2.TPMTPublic{
		Type:             tpm2.TPMAlgKeyedHash,
		NameAlg:          tpm2.TPMAlgSHA256,
		ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true, NoDA: true},
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{
			Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull},
		}),
		Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{}),
	}
}

// authorization is the TPM's form of a purpose. A TPM drops trailing zeros of authorization values, and go-tpm 0.9.8 (hmacKeyFromAuthValue) takes
// the first zero byte for trailing, so there is none: what that costs in strength is far below one bit.
func authorization(purpose []byte) []byte {
	h := sha256.New()
	h.Write([]byte("vouch/tpm/seal context v1\x00"))
	h.Write(purpose)
	auth := h.Sum(nil)
	for i := range auth {
		if auth[i] == 0 {
			auth[i] = 1
		}
	}
	return auth
}
