// Package sensors is the vocabulary of biometric capture: samples, quality, templates, people and decisions.
//
// It does no I/O. The readers (sensors/finger, sensors/face) turn samples into decisions, sensors/vault keeps templates,
// and validator/prover turns a [Decision] into a signature. Images are 8-bit grey, row-major, dark ridges on a light
// ground for fingers; resolutions are in dots per inch. Nothing in this package prints an image, a template or a score.
package sensors
