// Package fetch fills a model store from published npm packages, through the npm
// client as it is set up on this machine: it names no registry and runs no package
// script. What arrives is trusted by its SHA-256 only.
//
// It is a step of building and of tests (fetchmodels); nothing on the box imports
// it. Errors: ErrClient, ErrMissing, model.ErrDigest.
package fetch

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vouchbox/vouch/inference/model"
)

var (
	// ErrClient: the npm client is missing or failed.
	ErrClient = errors.New("npm client failed")

	// ErrMissing: a package does not hold the file that it should.
	ErrMissing = errors.New("file is not in its package")
)

const (
	// packTimeout bounds one package; the engine's is about 110 MB.
	packTimeout = 10 * time.Minute
	// maxUnpacked bounds what is read from one package, against a tar bomb.
	maxUnpacked = 2 << 30
)

// Into makes sure that the store in dir holds every blob and manifest of entries,
// and returns the sources that had to be fetched: none on the second call. Callers
// in other processes wait for each other.
func Into(ctx context.Context, dir string, entries []model.Entry) (fetched []model.Source, err error) {
	store, err := model.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	unlock, err := lock(ctx, filepath.Join(dir, "fetch.lock"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()

	// One package can hold blobs of several models, so it is downloaded once.
	type pack struct{ name, version string }
	var order []pack
	missing := map[pack][]model.Source{}
	for _, e := range entries {
		for _, s := range e.Sources {
			ok, err := store.Has(s.Digest, s.Size)
			if err != nil {
				return nil, err
			}
			if ok {
				continue
			}
			p := pack{s.Package, s.Version}
			if missing[p] == nil {
				order = append(order, p)
			}
			missing[p] = append(missing[p], s)
		}
	}
	for _, p := range order {
		if err := fetchPackage(ctx, store, p.name+"@"+p.version, missing[p]); err != nil {
			return fetched, fmt.Errorf("fetch %s@%s: %w", p.name, p.version, err)
		}
		fetched = append(fetched, missing[p]...)
	}
	for _, e := range entries {
		if _, err := store.PutManifest(e.Manifest); err != nil {
			return fetched, fmt.Errorf("manifest of %s: %w", e.Manifest.Name, err)
		}
	}
	return fetched, nil
}

func fetchPackage(ctx context.Context, store *model.Store, spec string, want []model.Source) (err error) {
	temp, err := os.MkdirTemp("", "vouch-fetch-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()

	ctx, cancel := context.WithTimeout(ctx, packTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "npm", "pack", "--ignore-scripts", "--silent", "--pack-destination", temp, spec)
	cmd.Dir = temp // no package.json or .npmrc of a project has a say
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("%w: install Node.js with npm (Debian: apt install npm)", ErrClient)
		}
		return fmt.Errorf("%w: npm pack: %w: %s", ErrClient, err, bytes.TrimSpace(tail(stderr.Bytes(), 1024)))
	}
	files, err := filepath.Glob(filepath.Join(temp, "*.tgz"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("%w: npm pack left %d packages, want 1", ErrClient, len(files))
	}
	f, err := os.Open(files[0])
	if err != nil {
		return err
	}
	defer f.Close()
	return extract(f, store, want)
}

// extract puts the wanted files of a package's tar.gz into the store.
func extract(r io.Reader, store *model.Store, want []model.Source) error {
	zr, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf("package: %w", err)
	}
	left := map[string]model.Source{}
	for _, s := range want {
		left["package/"+s.Path] = s
	}
	tr := tar.NewReader(io.LimitReader(zr, maxUnpacked))
	for len(left) > 0 {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("package: %w", err)
		}
		s, ok := left[h.Name]
		if !ok || h.Typeflag != tar.TypeReg {
			continue
		}
		if err := store.Put(s.Digest, s.Size, tr); err != nil {
			return fmt.Errorf("%s: %w", s.Path, err)
		}
		delete(left, h.Name)
	}
	for _, s := range left {
		return fmt.Errorf("%w: %s", ErrMissing, s.Path)
	}
	return nil
}

// lock takes an exclusive flock(2), polling so that ctx can end the wait.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock model store: %w", err)
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f.Close, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock model store: %w", err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("another fetch holds %s: %w", path, ctx.Err()), f.Close())
		case <-tick.C:
		}
	}
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }
