// Package audit is the box's memory of what it did: an append-only file of JSON lines, each line
// chained to the one before by SHA-256, so that a changed, moved or removed line is seen. vouchd
// writes it; anybody can check a copy with [Verify]. It imports no other project package.
//
// The hash of an entry covers, integers as 8 bytes big-endian and texts preceded by their length
// in bytes: the text "vouch/audit/1", seq, the time in nanoseconds since 1970 UTC, the event, the number of
// fields, each field's name and value in byte order of the names, and the 32 bytes of the previous hash. The
// first entry has seq 1 and a previous hash of zeros.
//
// A chain cannot tell that its newest lines were cut off whole: whoever needs that keeps a [Head]
// elsewhere and compares. Fields must hold no template, image, score or key; callers see to it.
package audit
