// Package modeltest gives tests the real models and voice clips to run them on:
// what package fetch puts under .cache/models of the module, and speech by
// espeak-ng. A test that misses a tool fails with what to install.
package modeltest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/model"
	"github.com/vouchbox/vouch/inference/model/fetch"
)

// Root is the directory of the module.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// Store is the shared store of real models, fetched when they are missing.
func Store(t testing.TB) *model.Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dir := filepath.Join(Root(t), ".cache", "models")
	if _, err := fetch.Into(ctx, dir, model.Catalogue()); err != nil {
		t.Fatal(err)
	}
	store, err := model.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// Blob writes a blob of the store to a file and returns its path.
func Blob(t testing.TB, store *model.Store, d inference.Digest) string {
	t.Helper()
	b, err := store.ReadBlob(d, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), d.String())
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Speech speaks text and returns a WAV clip, 16 bit mono at 16 kHz.
func Speech(t testing.TB, text string) []byte {
	t.Helper()
	spoken, clip := filepath.Join(t.TempDir(), "spoken.wav"), filepath.Join(t.TempDir(), "clip.wav")
	run(t, "espeak-ng", "-w", spoken, text)
	// -D: no dither, which is random.
	run(t, "sox", "-D", spoken, "-r", "16000", "-c", "1", "-b", "16", clip)
	b, err := os.ReadFile(clip)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Fatalf("%s is missing: apt install espeak-ng sox", name)
	}
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

// Noise is reproducible white noise at a tenth of full scale.
func Noise(samples int) []int16 {
	noise := make([]int16, samples)
	state := uint32(1)
	for i := range noise {
		state = state*1664525 + 1013904223 // Numerical Recipes' generator
		noise[i] = int16(state>>16) / 10
	}
	return noise
}
