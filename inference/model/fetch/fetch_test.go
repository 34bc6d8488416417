package fetch

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/model"
)

// npm puts a client on PATH that hands out the package whose files are given.
func npm(t *testing.T, files map[string]string) (calls func() int) {
	t.Helper()
	dir := t.TempDir()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for name, text := range files {
		if err := tw.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(text)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "package.tgz"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	// npm pack --ignore-scripts --silent --pack-destination DIR SPEC
	script := fmt.Sprintf("#!/bin/sh\nset -e\n[ \"$1 $2\" = 'pack --ignore-scripts' ]\necho \"$6\" >> %[1]s/calls\n/bin/cp %[1]s/package.tgz \"$5/p.tgz\"\n", dir)
	if err := os.WriteFile(filepath.Join(dir, "npm"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	return func() int {
		b, err := os.ReadFile(filepath.Join(dir, "calls"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("\n"))
	}
}

func entry(network, library string) model.Entry {
	e := model.SileroVAD()
	digest := func(s string) inference.Digest { return inference.DigestOf([]byte(s)) }
	e.Manifest.Files = []model.File{{Path: "net.onnx", Digest: digest(network), Size: int64(len(network))}}
	e.Manifest.Engine.Libraries = []model.Library{{Platform: "linux/amd64", Digest: digest(library), Size: int64(len(library))}}
	e.Sources = []model.Source{
		{Package: "@scope/net", Version: "1.2.3", Path: "net.onnx", Digest: digest(network), Size: int64(len(network))},
		{Package: "@scope/net", Version: "1.2.3", Path: "lib/engine.so", Digest: digest(library), Size: int64(len(library))},
	}
	return e
}

func TestIntoFetchesOnce(t *testing.T) {
	calls := npm(t, map[string]string{"package/net.onnx": "network", "package/lib/engine.so": "library", "package/README.md": "x"})
	dir, entries := t.TempDir(), []model.Entry{entry("network", "library")}
	fetched, err := Into(t.Context(), dir, entries)
	if err != nil || len(fetched) != 2 {
		t.Fatalf("first run fetched %v, %v", fetched, err)
	}
	fetched, err = Into(t.Context(), dir, entries)
	if err != nil || len(fetched) != 0 || calls() != 1 {
		t.Errorf("second run fetched %v, %v; the client was called %d times, want once", fetched, err, calls())
	}
	store, err := model.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	d, err := entries[0].Manifest.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Manifest(d); err != nil {
		t.Errorf("the manifest is not in the store: %v", err)
	}
}

func TestIntoBelievesDigestsOnly(t *testing.T) {
	npm(t, map[string]string{"package/net.onnx": "netwurk", "package/lib/engine.so": "library"})
	dir := t.TempDir()
	if _, err := Into(t.Context(), dir, []model.Entry{entry("network", "library")}); !errors.Is(err, model.ErrDigest) {
		t.Errorf("a changed package: got %v, want model.ErrDigest", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "blobs/sha256", inference.DigestOf([]byte("netwurk")).String())); err == nil {
		t.Error("the changed file was kept")
	}
}

func TestIntoSaysWhatIsMissing(t *testing.T) {
	npm(t, map[string]string{"package/net.onnx": "network"})
	if _, err := Into(t.Context(), t.TempDir(), []model.Entry{entry("network", "library")}); !errors.Is(err, ErrMissing) {
		t.Errorf("a file less: got %v, want ErrMissing", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Into(t.Context(), t.TempDir(), []model.Entry{entry("network", "library")}); !errors.Is(err, ErrClient) {
		t.Errorf("no client: got %v, want ErrClient", err)
	}
}

func TestIntoWaitsForAnotherFetch(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lock(t.Context(), filepath.Join(dir, "fetch.lock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Into(ctx, dir, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while locked: got %v, want the deadline", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if _, err := Into(t.Context(), dir, nil); err != nil {
		t.Errorf("after unlocking: %v", err)
	}
}
