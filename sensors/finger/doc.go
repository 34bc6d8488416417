// Package finger reads fingerprints: images to minutiae, minutiae to decisions.
package finger
