// Package synth makes synthetic fingerprints whose true minutiae are known, for tests, benchmarks and the demo.
//
// A [Finger] is a master ridge pattern grown from a seed as in SFinGe (Cappelli, Maio, Maltoni: "Synthetic
// fingerprint-image generation", ICPR 2000; Handbook of Fingerprint Recognition, ch. 6): a zero-pole orientation field
// (Sherlock and Monro 1993), a ridge-frequency map, and repeated contextual Gabor filtering of random spots. The true
// minutiae are the phase residues of that pattern, found by demodulation and not by thinning, so that they are
// an oracle independent of the extractor under test. An [Impression] is one touch: rotated, shifted, stretched, partly in
// contact, wet or dry, noisy, and quantised as the sensor would do it.
//
// The same seeds give the same pixels on each run of one build. Lengths are pixels of the master at [MasterDPI]
// unless said otherwise; angles are radians in image coordinates (x right, y down, so they grow clockwise on a screen).
// No image of a person is involved.
package synth
