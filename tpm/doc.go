// Package tpm talks to the box's TPM 2.0: it opens the chip, gives one caller at a time the floor, and hands out its storage root key as a
// closure, so that no handle outlives the work that needed it.
//
// It is imported by tpm/key, tpm/seal and their siblings, and by the composition root that opens the one Device of the box. It imports no
// other package of the project, and go-tpm is imported nowhere outside this folder.
//
// Transport. A Device holds no file or connection between calls: each Do opens one, runs, and closes it. On /dev/tpmrm0 the kernel's resource
// manager then drops whatever the caller forgot. On a unix socket (swtpm) nothing stands between, so the Device itself flushes what it finds loaded
// before each call and after a failed one, and other tools can use the same TPM between two calls.
//
// Trust. The bus between CPU and TPM may be watched (then salted sessions with AES-128-CFB parameter encryption hide every secret) or cut, with
// something else answering (then a pinned storage root name refuses it: WithPinnedPrimary). TCG TPM 2.0 Library, Part 1, sections 19 and 21.
//
// Errors are the sentinels in errors.go, wrapped around the cause; a TPM response code stays reachable by errors.Is with tpm2.TPMRC values.
package tpm
