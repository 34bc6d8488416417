// Package seal keeps small secrets (seeds and keys, up to 128 bytes) so that only this TPM gives them back, and only for the purpose they
// were sealed for.
//
// It is imported by the composition root, which hands a Sealer to the vault and the signers. Larger data is encrypted under a sealed key.
//
// Purpose. The context ("consensus seed", a person's id) is not secret and is not stored. Its digest becomes the authorization value of the sealed
// object, so that the TPM itself compares it, before the secret leaves the chip: swapping two blobs on disk fails with ErrContext, and the whole 128 bytes
// stay free for the secret.
//
// Wire. The secret crosses the bus only inside sessions salted to the storage root key, with AES-128-CFB parameter encryption both ways; the name of that
// key is recorded in the blob and demanded at unsealing.
//
// Not covered. Who runs as core on this box with the context can unseal: binding to the measured release is a further policy, for which the blob's version
// is there. Who can write to the disk can replace a blob by another that this TPM sealed for the same context: keep the version of what is sealed inside the
// secret, or its digest elsewhere. Copies that go-tpm makes while it encodes commands cannot be zeroed from here; a Go program's memory must not be swapped.
//
// Source: TCG TPM 2.0 Library, Part 1, sections 19, 21 and 27; Part 3, sections 12.1 and 12.7.
package seal
