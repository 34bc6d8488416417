// Package humanv1 is the generated code of vouch.human.v1 with the keys of x/human's provable records.
// The chain, the light client's callers and the command line import it; it links no keeper.
package humanv1
