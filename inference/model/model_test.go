package model

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/vouchbox/vouch/inference"
)

func open(t *testing.T) (*Store, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, dir
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, blobDir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := filepath.Glob(filepath.Join(dir, blobDir, ".*"))
	if err != nil {
		t.Fatal(err)
	}
	return append(names, hidden...)
}

func TestPutAndRead(t *testing.T) {
	s, dir := open(t)
	content := bytes.Repeat([]byte("weights"), 100_000)
	d := inference.DigestOf(content)
	for range 2 { // storing again is not an error
		if err := s.Put(d, int64(len(content)), bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	if names := files(t, dir); len(names) != 1 || filepath.Base(names[0]) != d.String() {
		t.Errorf("store holds %v", names)
	}
	got, err := s.ReadBlob(d, int64(len(content)))
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
	if _, err := s.ReadBlob(d, int64(len(content))-1); err == nil {
		t.Error("a blob past the limit was read")
	}
	if ok, err := s.Has(d, int64(len(content))); !ok || err != nil {
		t.Errorf("Has: %v, %v", ok, err)
	}
	if ok, err := s.Has(d, 1); ok || err != nil {
		t.Errorf("Has with another size: %v, %v", ok, err)
	}
}

func TestPutKeepsNothingThatIsWrong(t *testing.T) {
	s, dir := open(t)
	content := []byte("weights")
	d := inference.DigestOf(content)
	broken := errors.New("cable pulled")
	for _, c := range []struct {
		name string
		size int64
		r    io.Reader
		want error
	}{
		{"other content", 7, strings.NewReader("weighty"), ErrDigest},
		{"too short", 7, strings.NewReader("weight"), ErrDigest},
		{"too long", 7, strings.NewReader("weights and more"), ErrDigest},
		{"wrong size", 8, bytes.NewReader(content), ErrDigest},
		{"a failing reader", 7, iotest.ErrReader(broken), broken},
	} {
		if err := s.Put(d, c.size, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if left := files(t, dir); len(left) != 0 {
			t.Errorf("%s: left %v", c.name, left)
		}
	}
	if _, err := s.Blob(d); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestAChangedBlobIsNotRead(t *testing.T) {
	s, dir := open(t)
	content := []byte("weights")
	d := inference.DigestOf(content)
	if err := s.Put(d, 7, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, blobDir, d.String())
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, changed := range []string{"weightz", "weight", ""} {
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.ReadBlob(d, 100); !errors.Is(err, ErrDigest) {
			t.Errorf("%q in place of %q: got %v, want ErrDigest", changed, content, err)
		}
	}
}

func TestBlobsOutsideTheStoreAreOutOfReach(t *testing.T) {
	s, dir := open(t)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("weights"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := inference.DigestOf([]byte("weights"))
	if err := os.Symlink(secret, filepath.Join(dir, blobDir, d.String())); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Blob(d); err == nil {
		t.Error("a link out of the store was followed")
	}
}

func TestManifestOfTheCatalogue(t *testing.T) {
	s, _ := open(t)
	for _, e := range Catalogue() {
		d, err := s.PutManifest(e.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Manifest(d)
		if err != nil || got.Name != e.Manifest.Name {
			t.Fatalf("got %+v, %v", got, err)
		}
		held := map[inference.Digest]int64{}
		for _, source := range e.Sources {
			held[source.Digest] = source.Size
		}
		for _, f := range e.Manifest.Files {
			if held[f.Digest] != f.Size {
				t.Errorf("%s: no source for %s", e.Manifest.Name, f.Path)
			}
		}
		for _, l := range e.Manifest.Engine.Libraries {
			if held[l.Digest] != l.Size {
				t.Errorf("%s: no source for the engine on %s", e.Manifest.Name, l.Platform)
			}
		}
	}
	// The model reference is written into AI NFTs: this one must never change.
	const want = "291cde4235d80c1b67a9006468e0665aeb0926276a8bf2fbbd0d692301ce62f1"
	if d, err := SileroVAD().Manifest.Digest(); err != nil || d.String() != want {
		t.Errorf("model reference %v, %v; want %s", d, err, want)
	}
	if _, err := SileroVAD().Manifest.Engine.Library("plan9/386"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

func TestManifestIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Manifest){
		"another schema":     func(m *Manifest) { m.Schema = "vouch.model/2" },
		"no purpose":         func(m *Manifest) { m.Purpose = "" },
		"an endless licence": func(m *Manifest) { m.Licence = strings.Repeat("x", 513) },
		"no class":           func(m *Manifest) { m.Class = "" },
		"no opset":           func(m *Manifest) { m.Engine.Opset = 0 },
		"no library":         func(m *Manifest) { m.Engine.Libraries = nil },
		"two for a platform": func(m *Manifest) { m.Engine.Libraries[1].Platform = m.Engine.Libraries[0].Platform },
		"an empty file":      func(m *Manifest) { m.Files[0].Size = 0 },
		"a path upwards":     func(m *Manifest) { m.Files[0].Path = "../x" },
		"no path":            func(m *Manifest) { m.Files[0].Path = "" },
		"no digest":          func(m *Manifest) { m.Files[0].Digest = inference.Digest{} },
	} {
		m := SileroVAD().Manifest
		change(&m)
		if _, err := m.Encode(); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: got %v, want ErrManifest", name, err)
		}
	}
	good, err := SileroVAD().Manifest.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"a newline":        append(bytes.Clone(good), '\n'),
		"a space":          bytes.Replace(good, []byte(`,"name"`), []byte(`, "name"`), 1),
		"an unknown field": bytes.Replace(good, []byte(`{"schema"`), []byte(`{"x":1,"schema"`), 1),
		"another case":     bytes.Replace(good, []byte(`"name"`), []byte(`"Name"`), 1),
		"a field twice":    bytes.Replace(good, []byte(`{"schema"`), []byte(`{"name":"x","schema"`), 1),
		"too much":         append(bytes.Clone(good), make([]byte, maxManifest)...),
	} {
		if _, err := ParseManifest(b); !errors.Is(err, ErrManifest) {
			t.Errorf("%s: got %v, want ErrManifest", name, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	good, err := SileroVAD().Manifest.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			if !errors.Is(err, ErrManifest) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		d, err := m.Digest()
		if err != nil || d != inference.DigestOf(b) {
			t.Fatalf("the same manifest has the digests %v and %v (%v)", d, inference.DigestOf(b), err)
		}
	})
}
