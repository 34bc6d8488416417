// Package state keeps the box's small records so that a power cut at any instant leaves the old
// value or the new one, never a mixture and never nothing. vouchd's parts share one [Store]; each
// part owns a prefix of the keys. It imports no other project package.
//
// A key is a path of segments, "prover/7/ab12", and is one file. A value is at most [MaxValue] bytes.
// A file on disk is, integers big-endian:
//
//	offset  size  what
//	0       8     "vouchrec"
//	8       2     format version, 1
//	10      2     K, length of the key
//	12      4     V, length of the value
//	16      K     the key, so that a file under another name is not believed
//	16+K    V     the value
//	16+K+V  32    SHA-256 of everything before (FIPS 180-4)
//
// A change is written to a temporary file, which is synced, renamed over the old one, and made
// durable by syncing the directory (rename(2), fsync(2)). A file that does not check is
// [ErrCorrupt] and stays where it is: a signer that took damage for absence would sign twice.
package state
