package model

import "errors"

var (
	// ErrDigest: content is not what its digest says. It must not be used; delete
	// the blob and fetch it again.
	ErrDigest = errors.New("content does not match its digest")

	// ErrNotFound: the store does not hold the blob.
	ErrNotFound = errors.New("not in the model store")

	// ErrManifest: bytes are not the canonical JSON of a usable manifest.
	ErrManifest = errors.New("not a usable model manifest")
)
