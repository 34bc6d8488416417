// Package prover turns a human's decision into one vote that the chain is proven to have counted.
//
// [Prover.Begin] checks with the light client that the request is open and is the one that was
// shown, takes the newest verified block as anchor and computes the challenge. A live match answers
// the challenge. [Prover.Release] spends the match: it writes the exact document down, has the TPM
// sign it once, writes the signed transaction down, and only then hands it out. [Prover.Settle]
// sends it and ends in a state that the chain proved. [Prover.Pending] finishes after a restart what
// was left open.
//
// There is one record for each request and human, and it moves like this:
//
//	          Begin                Release: document          Release: signed
//	 (none) ────────▶ intent ─────────────────────▶ committed ───────────────▶ signed
//	                   ▲  ▲                             │                        │
//	                   │  └── Begin, a new match ───────┘                        │ Settle
//	                   │      nothing has left the box                           │
//	                   │                              ┌──────────┬───────────────┼───────────┐
//	                   │                              ▼          ▼               ▼           ▼
//	                   └── Begin, once proven ──── rejected   expired        included    conflict
//	                       that it cannot count
//
//	included  the chain holds this vote
//	rejected  a block carries the transaction with a code other than 0, the chain holds no vote
//	expired   the timeout has passed and the chain holds no vote: no block can carry it any more
//	conflict  the chain holds another vote of this human: somebody looks
//
// A record is durable before what it allows happens: the document before the signature, the signed
// transaction before the first broadcast. So at most one signed document of a request is ever alive
// outside the box, and none is forgotten. A crash between document and signature costs a touch: the
// signature, if it was made, is gone with the memory that held it.
//
// It imports poh, light and tx. Times are the box's clock for matches, the chain's for timeouts.
package prover
