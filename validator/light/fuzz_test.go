package light_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"pgregory.net/rapid"

	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/light/lighttest"
)

// FuzzProof demands that no bytes prove anything but what the chain holds, and that none panic.
func FuzzProof(f *testing.F) {
	c := lighttest.New(f, 1)
	c.Set("request", key, []byte("open"))
	c.Commit(3)
	lc := c.Client(f, nil)
	gone := append(bytes.Clone(key), 1)
	for _, k := range [][]byte{key, gone} {
		v, err := lc.Read(f.Context(), "request", k)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(v.Proof().Tree, v.Proof().Root, v.Bytes(), v.Absent())
	}
	h, err := lc.Latest(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, tree, root, value []byte, absent bool) {
		p := light.Proof{Height: h.Height - 1, Store: "request", Key: key, Value: value, Absent: absent, Tree: tree, Root: root}
		if v, err := p.Verify(h, "request", key); err == nil && (v.Absent() || string(v.Bytes()) != "open") {
			t.Errorf("proved %q absent=%v", v.Bytes(), v.Absent())
		}
		p.Key = gone
		if v, err := p.Verify(h, "request", gone); err == nil && !v.Absent() {
			t.Errorf("proved %q under a key that is absent", v.Bytes())
		}
	})
}

func TestTxProofWithFlippedBytes(t *testing.T) {
	t.Parallel()
	c, hash := newChain(t)
	lc := c.Client(t, nil)
	inc, err := lc.Inclusion(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		p := inc.Proof()
		p.Tx, p.Path = bytes.Clone(p.Tx), bytes.Clone(p.Path)
		part := &p.Tx
		if rapid.Bool().Draw(t, "path") {
			part = &p.Path
		}
		(*part)[rapid.IntRange(0, len(*part)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "mask"))
		if tx, err := p.Verify(inc.Block(), hash); err == nil && sha256.Sum256(tx) != hash {
			t.Errorf("proved %q", tx)
		}
	})
}

// TestAbsenceInEveryGap reads keys before, between and after those of growing trees: an honest
// node's proof must be accepted wherever the key would stand.
func TestAbsenceInEveryGap(t *testing.T) {
	t.Parallel()
	c := lighttest.New(t, 1)
	lc := c.Client(t, nil)
	for size := range 24 {
		c.Set("human", []byte{1, byte(10 * (size*7%24 + 1))}, bytes.Repeat([]byte{byte(size)}, 1+size*size))
		c.Commit(2)
		for gap := range 26 {
			for _, k := range [][]byte{{1, byte(10*gap) + 5}, {1, byte(10 * gap), 0}, {2, byte(gap)}, {0xff, byte(gap)}, {0, byte(gap)}} {
				v, err := lc.Read(t.Context(), "human", k)
				if err != nil || !v.Absent() {
					t.Fatalf("%d keys, %X: absent=%v, %v", size+2, k, v.Absent(), err)
				}
			}
		}
	}
}
