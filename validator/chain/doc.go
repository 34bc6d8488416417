// Package chain is the Vouch blockchain's application: the Cosmos SDK's modules for accounts, money,
// stake and governance, and ours for humans, AI NFTs and requests, wired by hand. The node runs it in
// process; nothing else imports it.
//
// Amounts are in aheart (1 HEART = 10^18 aheart); one HEART of stake is one unit of consensus power.
// A transaction that is refused carries a codespace and a code; see errors.go of each module.
package chain
