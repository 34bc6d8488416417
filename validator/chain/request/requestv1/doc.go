// Package requestv1 is the generated code of vouch.request.v1 with the keys of x/request's provable records.
// The chain, the light client's callers and the command line import it; it links no keeper.
package requestv1
