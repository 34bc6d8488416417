// Package receipt makes and checks the file that proves, without any node, what an AI was asked,
// which people allowed it, and what came out.
//
// [Build] collects the proofs through a light client. [Verify] is pure: from one trusted block hash
// and the file's bytes it goes through named links in a fixed order, and stops at the first that
// fails:
//
//	format           the file is the one way to write what it says
//	trusted-block    the file starts at the block that the verifier trusts
//	header-path      signatures or hash links lead from it to every header that is used
//	request          the request is in the state of the chain, and final
//	nft              so is the AI NFT
//	rules            so are the rules in the version that the request was made under
//	shown            what the humans were shown is computed anew and is what the request says
//	votes            every vote is in the state; together they are the request's count and its quorum
//	vote-signatures  every vote is a transaction in a block, signed by the human's registered key
//	humans           every voter was registered before voting, with at least the least bond
//	receipt          the execution is in the state, of this model on this input
//	output           the output has the digest that the execution names
//
// All state is of one block, named At. A header's place is proven forwards by the light client's
// rule with the trust period [Period], where the clock is the time of the header that is reached:
// the file does not age, but who trusts a block trusts that its validators did not conspire later.
// Backwards each header is proven by its hash in the next, which needs no such trust.
//
// The file is canonical JSON, binary parts in base64, CometBFT and ICS-23 messages in protobuf; it
// has at most [MaxFile] bytes. Errors are in errors.go. The package imports poh, tx and light; the
// command line and anybody with a file use it.
package receipt
