// Package appliance is the box: the composition root of vouchd, where a chip meets a matcher meets a
// key. Reading [New] is reading the product. Only cmd/vouchd and the end-to-end tests import it.
//
// The way of a vote: the chain link proves a request, the review shows it, the human answers, the
// ceremony waits for the finger, the matcher decides, the prover writes its watermark and lets the
// TPM sign once, the light client proves the inclusion, the audit log keeps it. Every step that
// must not be forgotten is on disk before the next begins; see validator/prover for the diagram.
package appliance
