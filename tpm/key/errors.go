package key

import "errors"

var (
	// ErrAttributes means that the TPM loads the key but would not guard it as the box promises. The text names the attribute.
	ErrAttributes = errors.New("tpm/key: the key is not one this box made: enrol again")
	// ErrOtherTPM means that the blob belongs to another TPM, or this one was cleared.
	ErrOtherTPM = errors.New("tpm/key: the key was made by another TPM, or this one was cleared: enrol again and retire the old key with the recovery kit")
	// ErrAuth means that the authorization value is wrong.
	ErrAuth = errors.New("tpm/key: the authorization for this key is wrong")
	// ErrDigest means that what should be signed is not a SHA-256 digest.
	ErrDigest = errors.New("tpm/key: only SHA-256 digests of 32 bytes can be signed")
	// ErrFault means that the TPM answered with a signature that does not verify. It was discarded.
	ErrFault = errors.New("tpm/key: the TPM made a wrong signature, it was discarded: try again; if it repeats, replace the TPM")
)
