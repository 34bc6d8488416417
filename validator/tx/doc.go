// Package tx builds, signs, parses and sends transactions without cosmos-sdk's client: only its
// protobuf types. Every transaction is unordered (no sequence, a timeout instead), signed once in
// SIGN_MODE_DIRECT, so that votes need no account state that two of them could race for.
//
// Keys are P-256 in a TPM ([Signer] is satisfied by tpm/key) for votes, and secp256k1 in a file for
// requesters, owners and workers. Signatures are 64 bytes, r and s big-endian, s in the lower half.
//
// The boxes' prover, the command line and the receipt's verifier import it; it imports validator/light
// for proven reads. Sources: cosmos-sdk v0.55 docs/architecture/adr-020, adr-027, adr-028, adr-070
// and x/auth/ante/sigverify.go. Errors are in errors.go.
package tx
