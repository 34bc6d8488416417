// Package model keeps networks by what they are: a content-addressed store of
// blobs on disk, and the Manifest that says which blobs make a model, what it is
// for, and with which engine it runs.
//
// The SHA-256 of a manifest's canonical JSON is the model reference of an AI NFT:
// people approve it, receipts carry it, and a box can fetch it from anywhere,
// because nothing is used before its digest was checked.
//
// On disk: blobs/sha256/HEX (the layout of an OCI image layout, image-spec v1.1
// image-layout.md), so that OCI tools can carry a store. Sizes are bytes.
//
// The box's daemon, the sandbox and the fetch step import it. Errors are ErrDigest,
// ErrNotFound, ErrManifest.
package model
