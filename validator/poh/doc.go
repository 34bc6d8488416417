// Package poh holds the words of the Proof of Human protocol: digests, decisions, rules, what a
// human is shown, and the tally. It is pure: no I/O, no clock, no chain. The chain, the box and a
// stranger with a receipt file compute the same bytes from it.
//
// Every digest is SHA-256 (FIPS 180-4) over a canonical encoding: a domain string, then each field
// in order, integers as 8 bytes big-endian, byte strings and texts preceded by their length in 8
// bytes big-endian, lists preceded by their count. docs/protocol.md has test vectors.
package poh
