package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/vouchbox/vouch/inference"
)

// Schema names the form of Manifest. Another form gets another name.
const Schema = "vouch.model/1"

const maxManifest = 64 << 10

// Class is how the outputs of two executions are compared.
type Class string

const (
	// Exact: outputs are equal bytes on every device class.
	Exact Class = "exact"
	// Tolerance: equal bytes inside one device class, scores within a tolerance
	// across classes (floating point differs between instruction sets).
	Tolerance Class = "tolerance"
)

// Manifest says what a model is. Its canonical JSON is the one that Encode makes;
// its digest is the model reference of an AI NFT. The field order is part of it.
type Manifest struct {
	Schema  string `json:"schema"`
	Name    string `json:"name"`
	Version string `json:"version"`
	// Purpose is for the people who approve: one sentence on what it does.
	Purpose string `json:"purpose"`
	// Licence of the weights, as an SPDX expression.
	Licence string `json:"licence"`
	// Source is where the weights come from, in words or as a package URL.
	Source string `json:"source"`
	// Pipeline names the code around the network that turns a request's input
	// into tensors and tensors into the output, such as "vad/silero-v5".
	Pipeline string `json:"pipeline"`
	// Input and Output describe the payloads for people.
	Input  string `json:"input"`
	Output string `json:"output"`
	Class  Class  `json:"class"`
	Engine Engine `json:"engine"`
	// Files are the weights; the first is the network that the engine opens.
	Files []File `json:"files"`
}

// Engine is what executes the network. Outputs depend on its build, so the build
// is part of the model reference.
type Engine struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Opset is the ONNX operator set that the network needs.
	Opset int `json:"opset"`
	// Threads and Optimisation are pinned because both can change the last bits.
	Threads      int    `json:"threads"`
	Optimisation string `json:"optimisation"`
	// Libraries are the native builds, one per platform.
	Libraries []Library `json:"libraries"`
}

// Library is the native engine for one platform.
type Library struct {
	// Platform as in GOOS/GOARCH.
	Platform string           `json:"platform"`
	Digest   inference.Digest `json:"digest"`
	Size     int64            `json:"size"`
}

// File is one blob of a model, with the path that it has in the model's package.
type File struct {
	Path   string           `json:"path"`
	Digest inference.Digest `json:"digest"`
	Size   int64            `json:"size"`
}

// Encode returns the canonical JSON: fields in the order of the struct, no
// insignificant space, no HTML escapes, no newline at the end. Errors: ErrManifest.
func (m Manifest) Encode() ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Digest is the model reference. Errors: ErrManifest.
func (m Manifest) Digest() (inference.Digest, error) {
	b, err := m.Encode()
	if err != nil {
		return inference.Digest{}, err
	}
	return inference.DigestOf(b), nil
}

// ParseManifest reads canonical JSON. Any other spelling of the same content is
// refused, because it would have another digest. Errors: ErrManifest.
func ParseManifest(b []byte) (Manifest, error) {
	if len(b) > maxManifest {
		return Manifest{}, fmt.Errorf("%w: %d bytes, at most %d", ErrManifest, len(b), maxManifest)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var m Manifest
	if err := d.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return Manifest{}, fmt.Errorf("%w: bytes behind the manifest", ErrManifest)
	}
	canonical, err := m.Encode()
	if err != nil {
		return Manifest{}, err
	}
	if !bytes.Equal(canonical, b) {
		return Manifest{}, fmt.Errorf("%w: not in canonical form", ErrManifest)
	}
	return m, nil
}

// Validate checks that every field says something usable. Errors: ErrManifest.
func (m Manifest) Validate() error {
	if m.Schema != Schema {
		return fmt.Errorf("%w: schema %q, this release reads %q", ErrManifest, m.Schema, Schema)
	}
	for _, f := range []struct{ name, value string }{{"name", m.Name}, {"version", m.Version}, {"purpose", m.Purpose},
		{"licence", m.Licence}, {"source", m.Source}, {"pipeline", m.Pipeline}, {"input", m.Input}, {"output", m.Output},
		{"engine name", m.Engine.Name}, {"engine version", m.Engine.Version}, {"optimisation", m.Engine.Optimisation}} {
		if f.value == "" || len(f.value) > 512 {
			return fmt.Errorf("%w: %s is empty or longer than 512 bytes", ErrManifest, f.name)
		}
	}
	if m.Class != Exact && m.Class != Tolerance {
		return fmt.Errorf("%w: class %q, want %q or %q", ErrManifest, m.Class, Exact, Tolerance)
	}
	if m.Engine.Opset < 1 || m.Engine.Threads < 1 {
		return fmt.Errorf("%w: opset %d, threads %d", ErrManifest, m.Engine.Opset, m.Engine.Threads)
	}
	if len(m.Engine.Libraries) == 0 || len(m.Files) == 0 {
		return fmt.Errorf("%w: needs at least one library and one file", ErrManifest)
	}
	for i, l := range m.Engine.Libraries {
		if l.Platform == "" || l.Digest.IsZero() || l.Size <= 0 {
			return fmt.Errorf("%w: library %d is incomplete", ErrManifest, i)
		}
		if slices.ContainsFunc(m.Engine.Libraries[:i], func(o Library) bool { return o.Platform == l.Platform }) {
			return fmt.Errorf("%w: two libraries for %s", ErrManifest, l.Platform)
		}
	}
	for i, f := range m.Files {
		if f.Digest.IsZero() || f.Size <= 0 || f.Path != path.Clean(f.Path) || path.IsAbs(f.Path) || f.Path[0] == '.' {
			return fmt.Errorf("%w: file %d is incomplete or has the unclean path %q", ErrManifest, i, f.Path)
		}
	}
	return nil
}

// String is the name and version, as receipts state it.
func (e Engine) String() string { return e.Name + " " + e.Version }

// Library returns the engine build for a platform (GOOS/GOARCH).
// Errors: ErrNotFound.
func (e Engine) Library(platform string) (Library, error) {
	i := slices.IndexFunc(e.Libraries, func(l Library) bool { return l.Platform == platform })
	if i < 0 {
		return Library{}, fmt.Errorf("%s %s has no build for %s: %w", e.Name, e.Version, platform, ErrNotFound)
	}
	return e.Libraries[i], nil
}
