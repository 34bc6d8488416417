// Package ainftv1 is the generated code of vouch.ainft.v1 with the keys of x/ainft's provable records.
// The chain, the light client's callers and the command line import it; it links no keeper.
package ainftv1
