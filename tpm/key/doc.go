// Package key makes signing keys that cannot leave the TPM: P-256, ECDSA with SHA-256, created inside the chip and bound to it. The PoH vote
// key is one.
//
// It is imported by the composition root, which hands a Key to the prover. Digests are 32 bytes; signatures are either ASN.1 DER or the 64 bytes
// r||s big-endian, always with the low s (s <= n/2), which Cosmos SDK's crypto/keys/secp256r1 demands.
//
// A Blob is not secret: only the TPM that made it can use it. Each signature is checked against the public key before it is returned, so that a
// fault in the chip or on the bus cannot publish a broken signature, from which an ECDSA key could leak.
//
// Source: TCG TPM 2.0 Library, Part 2, section 8.3 (object attributes), Part 3, sections 12.1 (Create) and 20.2 (Sign).
package key
