// Package human is the chain's register of people: who bonded HEART and with which TPM vote key they
// vote. The node's application and x/request import it.
//
// A human's address is the SDK address of the secp256r1 vote key (ADR-28, 32 bytes); the owner is the
// account of the box. Bonds stand in the module's account, which holds exactly their sum. Nothing
// biometric is ever on the chain.
package human
