package key

import (
	"bytes"
	"fmt"

	"github.com/vouchbox/vouch/tpm"
)

var kind = tpm.Kind{'V', 'K', 'E', 'Y'}

const version = 1

// Blob is a key as it is stored: usable by its TPM only, and not secret. The zero Blob is no key.
type Blob struct{ wrapped tpm.Wrapped }

// ParseBlob reads what MarshalBinary wrote. Errors: tpm.ErrCorrupt, tpm.ErrVersion. That the TPM accepts it, and that it is a signing key,
// is for Load to find out.
func ParseBlob(data []byte) (Blob, error) {
	w, err := tpm.DecodeWrapped(kind, version, data)
	if err != nil {
		return Blob{}, fmt.Errorf("tpm/key: %w", err)
	}
	if _, err := w.Template(); err != nil {
		return Blob{}, fmt.Errorf("tpm/key: %w", err)
	}
	return Blob{w}, nil
}

// MarshalBinary gives the stored form; see tpm.Wrapped.Encode. It implements encoding.BinaryMarshaler.
func (b Blob) MarshalBinary() ([]byte, error) {
	if len(b.wrapped.Public) == 0 {
		return nil, fmt.Errorf("tpm/key: %w: an empty blob", tpm.ErrCorrupt)
	}
	return b.wrapped.Encode(kind, version), nil
}

// UnmarshalBinary is ParseBlob. It implements encoding.BinaryUnmarshaler.
func (b *Blob) UnmarshalBinary(data []byte) error {
	parsed, err := ParseBlob(data)
	if err != nil {
		return err
	}
	*b = parsed
	return nil
}

// Parent is the name of the storage root key that the key hangs under.
func (b Blob) Parent() tpm.Name { return b.wrapped.Parent }

// Public is the TPM2B_PUBLIC as on the wire, what tpm2_load -u reads.
func (b Blob) Public() []byte { return bytes.Clone(b.wrapped.Public) }

// Private is the TPM2B_PRIVATE as on the wire, encrypted by the TPM, what tpm2_load -r reads.
func (b Blob) Private() []byte { return bytes.Clone(b.wrapped.Private) }
