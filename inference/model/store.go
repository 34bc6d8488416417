package model

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/vouchbox/vouch/inference"
)

const blobDir = "blobs/sha256"

// Store is a content-addressed store of models and payloads in one directory. It
// is safe for concurrent use, also by several processes: a blob appears whole, by
// rename, or not at all.
type Store struct {
	root *os.Root
}

// Open opens the store in dir, which is created if missing. Paths inside cannot
// leave dir (os.Root).
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("model store: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("model store: %w", err)
	}
	if err := root.MkdirAll(blobDir, 0o755); err != nil {
		return nil, errors.Join(fmt.Errorf("model store: %w", err), root.Close())
	}
	return &Store{root: root}, nil
}

// Close releases the directory. Blobs that are open stay readable.
func (s *Store) Close() error { return s.root.Close() }

// Has tells whether a blob of this digest and size is there. Its content is checked
// when it is read.
func (s *Store) Has(d inference.Digest, size int64) (bool, error) {
	info, err := s.root.Stat(blobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("model store: %w", err)
	}
	return info.Mode().IsRegular() && info.Size() == size, nil
}

// Put stores what r yields under d. Nothing is kept unless it is exactly size bytes
// with that digest, and what is kept is on disk when Put returns.
// Errors: ErrDigest, or those of r and the file system.
func (s *Store) Put(d inference.Digest, size int64, r io.Reader) (err error) {
	temp := path.Join(blobDir, ".new-"+rand.Text())
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return fmt.Errorf("store blob %v: %w", d, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.root.Remove(temp))
		}
	}()
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), io.LimitReader(r, size+1))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("store blob %v: %w", d, err)
	}
	if got := inference.Digest(h.Sum(nil)); n != size || got != d {
		return fmt.Errorf("store blob %v: %w: got %v, %d bytes or more, want %d", d, ErrDigest, got, n, size)
	}
	if err := s.root.Rename(temp, blobPath(d)); err != nil {
		return fmt.Errorf("store blob %v: %w", d, err)
	}
	return s.syncDir()
}

// syncDir makes a rename survive a power cut.
func (s *Store) syncDir() error {
	dir, err := s.root.Open(blobDir)
	if err != nil {
		return fmt.Errorf("model store: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("model store: %w", err)
	}
	return nil
}

// Blob opens a blob for reading. The reader checks what passes through it: in place
// of io.EOF it returns ErrDigest if the content was not what d says, so a caller
// that reads to io.EOF holds verified bytes, and one that does not must not use
// them. Errors: ErrNotFound.
func (s *Store) Blob(d inference.Digest) (io.ReadCloser, error) {
	f, err := s.root.Open(blobPath(d))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %v: %w", d, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("blob %v: %w", d, err)
	}
	return &verifier{file: f, hash: sha256.New(), want: d}, nil
}

// ReadBlob returns the whole of a blob of at most max bytes, verified.
// Errors: ErrNotFound, ErrDigest.
func (s *Store) ReadBlob(d inference.Digest, max int64) (_ []byte, err error) {
	r, err := s.Blob(d)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > max {
		return nil, fmt.Errorf("blob %v: larger than %d bytes", d, max)
	}
	// The limit may have hidden the end of the file, where the digest is checked.
	if _, err := io.ReadFull(r, make([]byte, 1)); err != io.EOF {
		return nil, fmt.Errorf("blob %v: %w", d, err)
	}
	return b, nil
}

// PutManifest stores a manifest and returns its digest, the model reference.
// Errors: ErrManifest.
func (s *Store) PutManifest(m Manifest) (inference.Digest, error) {
	b, err := m.Encode()
	if err != nil {
		return inference.Digest{}, err
	}
	d := inference.DigestOf(b)
	if ok, err := s.Has(d, int64(len(b))); err != nil || ok {
		return d, err
	}
	return d, s.Put(d, int64(len(b)), bytes.NewReader(b))
}

// Manifest returns the manifest that d names. Errors: ErrNotFound, ErrDigest,
// ErrManifest.
func (s *Store) Manifest(d inference.Digest) (Manifest, error) {
	b, err := s.ReadBlob(d, maxManifest)
	if err != nil {
		return Manifest{}, err
	}
	return ParseManifest(b)
}

func blobPath(d inference.Digest) string { return path.Join(blobDir, d.String()) }

type verifier struct {
	file *os.File
	hash hash.Hash
	want inference.Digest
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.file.Read(p)
	v.hash.Write(p[:n])
	if err == io.EOF {
		if got := inference.Digest(v.hash.Sum(nil)); got != v.want {
			return n, fmt.Errorf("blob %v: %w: got %v", v.want, ErrDigest, got)
		}
	}
	return n, err
}

func (v *verifier) Close() error { return v.file.Close() }
