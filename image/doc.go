// Package image is the folder of what a box boots: its releases, verified boot, slots and updates. Its
// promise stands before its code: what a verifier outside the box needs is pure, and only the builder
// imports gokrazy's tools. docs/ARCHITECTURE.md says what is not there yet.
package image
