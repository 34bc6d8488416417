// Package light reads a chain through a node that is not believed. Each fact that it returns was
// proven against a header that the chain's validators signed, starting from one pinned block.
//
// Headers are verified by CometBFT's light client (bisection, cross-checked with witnesses). State
// is read by point lookups: the value of a key, or its absence, proven by ICS-23 against the app
// hash. The state after block H is committed by header H+1. A transaction counts as included when
// its bytes hash to the wanted hash, stand under the header's data hash, and its result code stands
// under the next header's last results hash. Events, logs and indexes are committed nowhere; only
// [Client.Keys] touches one, and says that it is a hint.
//
// [Value] and [Inclusion] have no exported fields: only verification makes them. The pure part
// ([Proof.Verify], [TxProof.Verify], [Forward], [Backward]) needs no node and is what an offline
// verifier calls.
//
// Errors are named in errors.go, each with what to do. Every call has a deadline.
//
// Sources: CometBFT spec/light-client and light/doc.go, ICS-23, cosmos-sdk store/v2 proofs.
package light
