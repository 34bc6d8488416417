// Package request is the chain's Proof of Human: requests to AI NFTs, the votes of humans on them, and
// the receipts of those who ran them. The node's application imports it.
//
// A request's escrow stands in the module's account. It leaves it in three ways:
//
//   - A verdict, approved or rejected, pays the voters' share at once, equally to all who approved or
//     rejected, whichever side won: a verdict must never pay more on one side than on the other, and
//     must not depend on a worker turning up later. Abstentions are not paid: paid ones would be the
//     cheapest way to farm fees. Rewards go to the human's owner account.
//   - A receipt pays the owner of the AI, the worker and the network.
//   - What is left of a rejected or expired request goes back to the requester. A request that
//     expires undecided pays nobody.
//
// Shares are rounded down to the atto; each remainder goes to the network, which is the SDK's fee
// collector.
package request
