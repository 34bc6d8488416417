package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// run is one run's folders. Both are gone or kept as a pair: home holds a link to sockets.
type run struct {
	home    string   // state, logs and receipts
	sockets string   // short paths: a Unix socket's is 107 bytes at most (unix(7))
	lock    *os.File // held while the run lives, also over a crash of who watches
}

const (
	// keptRuns is how many earlier runs stay for whoever wants to look at them.
	keptRuns   = 3
	runStamp   = "20060102-150405-"
	lockFile   = "lock"
	socketLink = "sockets"
)

// newRun makes the folders of a run under root, and removes those of all but the last few.
func newRun(root string, now time.Time) (r run, err error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return run{}, fmt.Errorf("make the demo's folder: %w", err)
	}
	if err := prune(root); err != nil {
		return run{}, fmt.Errorf("remove the files of earlier runs: %w", err)
	}
	if r.home, err = os.MkdirTemp(root, now.Format(runStamp)); err != nil {
		return run{}, fmt.Errorf("make this run's folder: %w", err)
	}
	if r.lock, err = take(filepath.Join(r.home, lockFile)); err != nil {
		return run{}, fmt.Errorf("lock this run's folder: %w", err)
	}
	if r.sockets, err = os.MkdirTemp("", "vouch-"); err != nil {
		return run{}, errors.Join(fmt.Errorf("make the folder of sockets: %w", err), r.lock.Close())
	}
	if err := os.Symlink(r.sockets, r.path(socketLink)); err != nil {
		return run{}, errors.Join(fmt.Errorf("link the folder of sockets: %w", err), r.close())
	}
	return r, nil
}

func (r run) path(elem ...string) string {
	return filepath.Join(append([]string{r.home}, elem...)...)
}

// close removes the sockets and lets a later run remove the rest.
func (r run) close() error { return errors.Join(os.RemoveAll(r.sockets), r.lock.Close()) }

func take(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// prune removes all but the last runs. It touches nothing that is not named like a run, and none
// that still lives.
func prune(root string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	named := regexp.MustCompile(`^\d{8}-\d{6}-\d+$`)
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() || !named.MatchString(e.Name()) })
	for _, e := range entries[:max(0, len(entries)-keptRuns)] {
		if err := remove(filepath.Join(root, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func remove(home string) error {
	f, err := take(filepath.Join(home, lockFile))
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	// A run that was killed left its sockets.
	sockets, err := os.Readlink(filepath.Join(home, socketLink))
	if err == nil && strings.HasPrefix(sockets, filepath.Join(os.TempDir(), "vouch-")) {
		if err := os.RemoveAll(sockets); err != nil {
			return err
		}
	}
	return os.RemoveAll(home)
}
