// Package match compares fingerprints by their minutiae.
//
// Each minutia is described by its neighbourhood, as a bit-coded Minutia Cylinder-Code; similar minutiae are paired and
// the pairs support each other by relaxation (Cappelli, Ferrara, Maltoni: "Minutia Cylinder-Code", PAMI 2010, LSS-R;
// bits: "Fingerprint indexing based on MCC", PAMI 2011). The best pairs then propose a rigid motion, and what that motion
// brings together, minutiae and ridge orientations, is counted against what chance would.
//
// The package is pure: no I/O, no goroutines, no allocation while comparing. Lengths are pixels at 500 dpi, angles
// are 1/256 turns (brads), whose differences wrap around by themselves.
package match
