// Package vault keeps reference templates encrypted at rest.
//
// Each person and modality has one random AES-256-GCM data key, renewed at each enrolment. The data keys stand in
// an index that is itself encrypted under the vault key; the vault key is sealed by a [Sealer], the box's TPM, and opened
// once at [Open]. Plaintext exists only inside the function given to [Vault.References], and is cleared after it.
//
// On disk, through a [Store], integers big-endian:
//
//	vault/key          the sealed vault key
//	vault/index        "VVI1", then nothing (never used) or nonce(12) and AES-GCM of the index; extra data: the magic
//	vault/record/ID    "VVR1", nonce(12), AES-GCM of the templates; extra data: magic, ID(16), person(16),
//	                   modality(1), format(2)
//
// The index is a row for each record: ID(16), person(16), modality(1), format(2), data key(32). A record holds for each
// template a length(4) and its data. Enrolment writes the record before the index and removes the
// old record after it, so that a power cut leaves the old references or the new ones, and at worst a record that no key opens.
//
// Deletion removes the row, and with it the data key. A missing or half-missing vault is never taken for an empty one: the empty
// index is written before the key, so that either alone tells (ErrRollback). What the vault cannot see is a whole disk
// set back to an earlier state, index and all: whoever must refuse that keeps a counter in the TPM.
//
// The package imports sensors alone; appliance gives it appliance/state and tpm/seal. Errors and logs never hold
// templates or keys.
package vault
