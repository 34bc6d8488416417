package model

import (
	"fmt"

	"github.com/vouchbox/vouch/inference"
)

// Entry is a model that Vouch knows by itself, with where its blobs can be had.
type Entry struct {
	Manifest Manifest
	Sources  []Source
}

// Source is a blob inside a published npm package. The registry is whatever the
// npm client is set up for: only the digest is trusted.
type Source struct {
	Package string
	Version string
	// Path inside the package's tar file, without its "package/" prefix.
	Path   string
	Digest inference.Digest
	Size   int64
}

func (s Source) String() string { return fmt.Sprintf("%s@%s/%s", s.Package, s.Version, s.Path) }

// Catalogue lists the built-in models.
func Catalogue() []Entry { return []Entry{SileroVAD()} }

// SileroVAD is voice activity detection: which parts of a clip are speech. Silero
// VAD v5 (github.com/snakers4/silero-vad, MIT), on ONNX Runtime 1.29.0 (MIT).
func SileroVAD() Entry {
	const runtimePackage, runtimeVersion = "onnxruntime-node", "1.29.0"
	network := Source{
		Package: "@ricky0123/vad-web", Version: "0.0.31", Path: "dist/silero_vad_v5.onnx", Size: 2_327_524,
		Digest: constant("2623a2953f6ff3d2c1e61740c6cdb7168133479b267dfef114a4a3cc5bdd788f"),
	}
	amd64 := Source{
		Package: runtimePackage, Version: runtimeVersion, Path: "bin/napi-v6/linux/x64/libonnxruntime.so.1", Size: 44_726_808,
		Digest: constant("89688f5cf51c7e31befbb7b9101bc027799009b18d1baa9a5b1146a72e69538d"),
	}
	arm64 := Source{
		Package: runtimePackage, Version: runtimeVersion, Path: "bin/napi-v6/linux/arm64/libonnxruntime.so.1", Size: 24_538_024,
		Digest: constant("a27d21126db312aa8f02f3d5eaebe466e991f51f469882e6d0407d5a8b64afda"),
	}
	return Entry{
		Manifest: Manifest{
			Schema:   Schema,
			Name:     "silero_vad_v5",
			Version:  "5.0.0",
			Purpose:  "Says which parts of a voice clip are speech. It does not say what is spoken or by whom.",
			Licence:  "MIT",
			Source:   "pkg:npm/%40ricky0123/vad-web@0.0.31",
			Pipeline: "vad/silero-v5",
			Input:    "WAV, PCM 16 bit, mono, 16000 Hz, at most 120 s",
			Output:   "JSON: speech_ms, clip_ms, segments, max_probability_milli",
			Class:    Tolerance,
			Engine: Engine{
				Name: "onnxruntime", Version: runtimeVersion, Opset: 16, Threads: 1, Optimisation: "extended",
				Libraries: []Library{
					{Platform: "linux/amd64", Digest: amd64.Digest, Size: amd64.Size},
					{Platform: "linux/arm64", Digest: arm64.Digest, Size: arm64.Size},
				},
			},
			Files: []File{{Path: network.Path, Digest: network.Digest, Size: network.Size}},
		},
		Sources: []Source{network, amd64, arm64},
	}
}

// constant is for the digests written in this file: a wrong one is a mistake in the
// source, which any test finds.
func constant(text string) inference.Digest {
	d, err := inference.ParseDigest(text)
	if err != nil {
		panic(err)
	}
	return d
}
