package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"testing"
)

// faultyDisk is a directory with a volatile cache. Each step is counted; at step cut the power fails.
// What is durable then follows the rules of rename(2) and fsync(2): file contents are certain only after
// the file's Sync, names only after the directory's.
type faultyDisk struct {
	cache   map[string]*inode // what the running system sees
	durable map[string]*inode // what the names on the medium point at
	steps   int
	cut     int  // 0: never
	lazy    bool // a sync does nothing: the defect that the tests must see
}

type inode struct{ cached, synced []byte }

var errPower = errors.New("power cut")

func newFaultyDisk() *faultyDisk {
	return &faultyDisk{cache: map[string]*inode{}, durable: map[string]*inode{}}
}

func (d *faultyDisk) step() error {
	d.steps++
	if d.cut != 0 && d.steps >= d.cut {
		return errPower
	}
	return nil
}

// outcomes are the disks that may be found after a cut now.
func (d *faultyDisk) outcomes() map[string]*faultyDisk {
	pick := func(names map[string]*inode, content func(*inode) []byte) *faultyDisk {
		out := newFaultyDisk()
		for name, node := range names {
			b := bytes.Clone(content(node))
			out.cache[name] = &inode{cached: b, synced: b}
		}
		out.durable = maps.Clone(out.cache)
		return out
	}
	cached := func(n *inode) []byte { return n.cached }
	synced := func(n *inode) []byte { return n.synced }
	half := func(n *inode) []byte {
		if bytes.Equal(n.cached, n.synced) {
			return n.synced
		}
		return n.cached[:len(n.cached)/2]
	}
	return map[string]*faultyDisk{
		"nothing unsynced survived": pick(d.durable, synced),
		"everything survived":       pick(d.cache, cached),
		"names but no contents":     pick(d.cache, synced),
		"names and half contents":   pick(d.cache, half),
		"contents but no names":     pick(d.durable, cached),
	}
}

func (d *faultyDisk) Create(name string) (writable, error) {
	if err := d.step(); err != nil {
		return nil, err
	}
	d.cache[name] = &inode{}
	return &faultyFile{d, d.cache[name]}, nil
}

func (d *faultyDisk) Rename(from, to string) error {
	if err := d.step(); err != nil {
		return err
	}
	d.cache[to] = d.cache[from]
	delete(d.cache, from)
	return nil
}

func (d *faultyDisk) Remove(name string) error {
	if err := d.step(); err != nil {
		return err
	}
	if d.cache[name] == nil {
		return fs.ErrNotExist
	}
	delete(d.cache, name)
	return nil
}

func (d *faultyDisk) Sync() error {
	if err := d.step(); err != nil {
		return err
	}
	if !d.lazy {
		d.durable = maps.Clone(d.cache)
	}
	return nil
}

func (d *faultyDisk) Read(name string, limit int64) ([]byte, error) {
	node := d.cache[name]
	if node == nil {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(node.cached[:min(int64(len(node.cached)), limit)]), nil
}

func (d *faultyDisk) List() ([]string, error) {
	names := []string{}
	for name := range d.cache {
		names = append(names, name)
	}
	return names, nil
}

type faultyFile struct {
	disk *faultyDisk
	node *inode
}

// Write stores one byte a step, so that a cut can leave any prefix.
func (f *faultyFile) Write(b []byte) (int, error) {
	for i, c := range b {
		if err := f.disk.step(); err != nil {
			return i, err
		}
		f.node.cached = append(f.node.cached, c)
	}
	return len(b), nil
}

func (f *faultyFile) Sync() error {
	if err := f.disk.step(); err != nil {
		return err
	}
	if !f.disk.lazy {
		f.node.synced = bytes.Clone(f.node.cached)
	}
	return nil
}

func (f *faultyFile) Close() error { return nil }

type change struct {
	name     string
	old, new []byte
}

var changes = []change{
	{"first value", nil, []byte("height 7")},
	{"replaced", []byte("height 7"), []byte("height 8")},
	{"emptied", []byte("height 7"), []byte{}},
	{"deleted", []byte("height 7"), nil},
}

// cutAt makes the change with a power cut at the given step and reports the first found disk that
// breaks the promise. done is true when the change finished before the cut.
func cutAt(t *testing.T, c change, cut int, lazy bool) (done bool, broken error) {
	t.Helper()
	d := newFaultyDisk()
	s := storeOn(t, d)
	set := func(next []byte) error {
		return s.Update(t.Context(), "prover/7", func([]byte) ([]byte, error) { return next, nil })
	}
	if c.old != nil {
		if err := set(c.old); err != nil {
			t.Fatal(err)
		}
	}
	d.steps, d.cut, d.lazy = 0, cut, lazy
	err := set(c.new)
	if err != nil && !errors.Is(err, errPower) {
		t.Fatal(err)
	}
	for how, found := range d.outcomes() {
		got, getErr := storeOn(t, found).Get(t.Context(), "prover/7")
		isOld := (got == nil) == (c.old == nil) && bytes.Equal(got, c.old)
		isNew := (got == nil) == (c.new == nil) && bytes.Equal(got, c.new)
		switch {
		case getErr != nil:
			return err == nil, fmt.Errorf("cut at step %d, %s: %w", cut, how, getErr)
		case err == nil && !isNew:
			return true, fmt.Errorf("confirmed, then %s: got %q", how, got)
		case !isOld && !isNew:
			return false, fmt.Errorf("cut at step %d, %s: got %q", cut, how, got)
		}
		for name := range found.cache {
			if _, ok := keyOf(name); !ok {
				return err == nil, fmt.Errorf("cut at step %d, %s: %s was left", cut, how, name)
			}
		}
	}
	return err == nil, nil
}

func storeOn(t *testing.T, d disk) *Store {
	t.Helper()
	s, err := newStore("memory", d, func() error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPowerCutLeavesOldOrNew(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			for cut := 1; ; cut++ {
				done, err := cutAt(t, c, cut, false)
				if err != nil {
					t.Fatal(err)
				}
				if done {
					t.Logf("%d steps", cut-1)
					return
				}
			}
		})
	}
}

// The harness must see the defect that it is there for.
func TestPowerCutSeesAMissingSync(t *testing.T) {
	for _, c := range changes {
		if _, err := cutAt(t, c, 0, true); err == nil {
			t.Errorf("%s: a disk that never syncs passed", c.name)
		}
	}
}
