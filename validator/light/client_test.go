package light_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/light/lighttest"
	"github.com/vouchbox/vouch/validator/poh"
)

var key = []byte{1, 0, 0, 0, 0, 0, 0, 0, 7}

// newChain has a value under request/key and a transaction with code 5 between two others.
func newChain(t *testing.T) (*lighttest.Chain, [32]byte) {
	t.Helper()
	c := lighttest.New(t, 4)
	c.App = func(_ lighttest.State, tx []byte) uint32 {
		if bytes.Equal(tx, []byte("failing")) {
			return 5
		}
		return 0
	}
	c.Set("request", key, []byte("open"))
	c.Deliver([]byte("one"), []byte("failing"), []byte("three"))
	c.Commit(4)
	return c, sha256.Sum256([]byte("failing"))
}

func TestReadProvesValueAndAbsence(t *testing.T) {
	t.Parallel()
	c, _ := newChain(t)
	lc := c.Client(t, nil)
	v, err := lc.Read(t.Context(), "request", key)
	if err != nil {
		t.Fatal(err)
	}
	if v.Absent() || string(v.Bytes()) != "open" || v.Block().Block != c.Block(7) || v.Height() != 6 {
		t.Errorf("got %q absent=%v at %d by block %v", v.Bytes(), v.Absent(), v.Height(), v.Block().Block)
	}
	none, err := lc.Read(t.Context(), "request", append(key, 1))
	if err != nil {
		t.Fatal(err)
	}
	if !none.Absent() || none.Bytes() != nil {
		t.Errorf("got %q absent=%v, want a proven absence", none.Bytes(), none.Absent())
	}
	c.Delete("request", key)
	c.Commit(2)
	if v, err = lc.Read(t.Context(), "request", key); err != nil || !v.Absent() {
		t.Errorf("after the deletion: absent=%v, %v", v.Absent(), err)
	}
	if v, err = lc.ReadAt(t.Context(), 5, "request", key); err != nil || string(v.Bytes()) != "open" {
		t.Errorf("at height 5: %q, %v", v.Bytes(), err)
	}
	again, err := v.Proof().Verify(v.Block(), "request", key)
	if err != nil || string(again.Bytes()) != "open" {
		t.Errorf("the exported proof: %q, %v", again.Bytes(), err)
	}
}

func TestInclusionProvesBytesAndResult(t *testing.T) {
	t.Parallel()
	c, hash := newChain(t)
	lc := c.Client(t, nil)
	inc, err := lc.Inclusion(t.Context(), hash)
	if err != nil {
		t.Fatal(err)
	}
	if inc.Height() != 4 || inc.Index() != 1 || inc.Code() != 5 || string(inc.Tx()) != "failing" || inc.Block().Block != c.Block(4) {
		t.Errorf("got %q at %d/%d with code %d", inc.Tx(), inc.Height(), inc.Index(), inc.Code())
	}
	if _, err := lc.Inclusion(t.Context(), [32]byte{1}); !errors.Is(err, light.ErrNotIncluded) || errors.Is(err, light.ErrUnconfirmed) {
		t.Errorf("an unknown transaction: %v", err)
	}
	c.Deliver([]byte("new"))
	c.Commit(1)
	if _, err := lc.Inclusion(t.Context(), sha256.Sum256([]byte("new"))); !errors.Is(err, light.ErrNotIncluded) || !errors.Is(err, light.ErrUnconfirmed) {
		t.Errorf("a transaction in the newest block: %v", err)
	}
	c.Commit(1)
	if _, err := lc.Inclusion(t.Context(), sha256.Sum256([]byte("new"))); err != nil {
		t.Errorf("a block later: %v", err)
	}
	txs, err := lc.Txs(t.Context(), 4)
	if err != nil || len(txs) != 3 {
		t.Fatalf("%d transactions, %v", len(txs), err)
	}
	if tx, err := txs[1].Verify(inc.Block(), hash); err != nil || string(tx) != "failing" {
		t.Errorf("the proof of the block's second transaction: %q, %v", tx, err)
	}
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	c := lighttest.New(t, 1)
	c.Check = func(tx []byte) uint32 { return uint32(tx[0]) }
	lc := c.Client(t, nil)
	for range 2 {
		if err := lc.Broadcast(t.Context(), []byte{0}); err != nil {
			t.Errorf("a transaction that the node may have already: %v", err)
		}
	}
	err := lc.Broadcast(t.Context(), []byte{9})
	if refused, ok := errors.AsType[*light.RefusedError](err); !ok || refused.Code != 9 || !errors.Is(err, light.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

func TestStaleAndExpired(t *testing.T) {
	t.Parallel()
	c, _ := newChain(t)
	lc := c.Client(t, nil)
	if _, err := lc.Latest(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Sleep(time.Hour)
	if _, err := lc.Latest(t.Context()); !errors.Is(err, light.ErrStale) {
		t.Errorf("a chain that stands still: %v", err)
	}
	if _, err := lc.Read(t.Context(), "request", key); !errors.Is(err, light.ErrStale) {
		t.Errorf("a read of it: %v", err)
	}
	c.Sleep(15 * 24 * time.Hour)
	c.Commit(1)
	if _, err := lc.Latest(t.Context()); !errors.Is(err, light.ErrExpired) {
		t.Errorf("after the trust period: %v", err)
	}
	cfg := c.Config(t, c.Serve(t, nil))
	if _, err := light.New(t.Context(), cfg, c.Now); !errors.Is(err, light.ErrExpired) {
		t.Errorf("a root older than the trust period: %v", err)
	}
}

func TestHeadersBackAndForth(t *testing.T) {
	t.Parallel()
	c := lighttest.New(t, 4)
	c.Commit(10)
	c.Validators("later", 3)
	c.Commit(50)
	lc := c.Client(t, nil)
	if _, err := lc.Latest(t.Context()); err != nil {
		t.Fatalf("over a change of all validators: %v", err)
	}
	for _, height := range []int64{2, 12, 13, 14, 30, 60, c.Height()} {
		h, err := lc.Header(t.Context(), height)
		if err != nil || h.Block != c.Block(height) {
			t.Errorf("block %d: %v, %v", height, h.Block, err)
		}
	}
	if _, err := lc.Header(t.Context(), 0); err == nil {
		t.Error("block 0 was found")
	}
	p, err := lc.Path(t.Context(), c.Block(20), []int64{40, 15, 60}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Blocks) != 3 || len(p.Links) != 5 || p.Links[4].Height != 15 {
		t.Errorf("%d blocks and %d links", len(p.Blocks), len(p.Links))
	}
	if _, err := lc.Path(t.Context(), poh.Block{Height: 20, Hash: poh.Sum(nil)}, nil, time.Hour); !errors.Is(err, light.ErrLying) {
		t.Errorf("a path from another block: %v", err)
	}
}

func TestWitnesses(t *testing.T) {
	t.Parallel()
	c, _ := newChain(t)
	primary, honest := c.Serve(t, nil), c.Serve(t, nil)
	cfg := c.Config(t, primary)
	cfg.AllowNoWitness = false
	if _, err := light.New(t.Context(), cfg, c.Now); !errors.Is(err, light.ErrConfig) {
		t.Errorf("no witness: %v", err)
	}
	cfg.Witnesses = []string{primary + "/"}
	if _, err := light.New(t.Context(), cfg, c.Now); !errors.Is(err, light.ErrConfig) {
		t.Errorf("the primary as its own witness: %v", err)
	}
	cfg.Witnesses = []string{honest}
	lc, err := light.New(t.Context(), cfg, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lc.Latest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := lc.Status(t.Context()); err != nil || s.Unwitnessed || s.Witnesses != 1 || s.Newest != c.Block(7) {
		t.Errorf("status %+v, %v", s, err)
	}
	solo := c.Client(t, nil)
	if s, err := solo.Status(t.Context()); err != nil || !s.Unwitnessed {
		t.Errorf("status of a client without witness %+v, %v", s, err)
	}
}

func TestDeadWitnessIsNamedAndAskedAgain(t *testing.T) {
	t.Parallel()
	c, _ := newChain(t)
	var dead atomic.Bool
	proxy := gate(t, c.Serve(t, nil), func(w http.ResponseWriter, _ *http.Request) bool {
		if dead.Load() {
			http.Error(w, "down", http.StatusBadGateway)
		}
		return !dead.Load()
	})
	cfg := c.Config(t, c.Serve(t, nil))
	cfg.Witnesses, cfg.AllowNoWitness = []string{proxy}, false
	lc, err := light.New(t.Context(), cfg, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	dead.Store(true)
	if _, err := lc.Latest(t.Context()); !errors.Is(err, light.ErrNoWitness) || errors.Is(err, light.ErrAttack) {
		t.Errorf("a dead witness: %v", err)
	}
	dead.Store(false)
	if _, err := lc.Latest(t.Context()); err != nil {
		t.Errorf("the witness is back: %v", err)
	}
}

// gate stands before a node and passes on what open lets through.
func gate(t *testing.T, url string, open func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	target, err := neturl.Parse(url)
	if err != nil {
		t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(target)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if open(w, r) {
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestAttackIsLatched(t *testing.T) {
	t.Parallel()
	c, fork := lighttest.New(t, 4), lighttest.New(t, 4)
	if c.Block(3) != fork.Block(3) {
		t.Fatal("the chains differ before the fork")
	}
	cfg := c.Config(t, c.Serve(t, nil))
	cfg.Witnesses, cfg.AllowNoWitness = []string{fork.Serve(t, nil)}, false
	lc, err := light.New(t.Context(), cfg, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	fork.Deliver([]byte("double spend"))
	c.Commit(3)
	fork.Commit(3)
	if _, err := lc.Latest(t.Context()); !errors.Is(err, light.ErrAttack) {
		t.Fatalf("two signed versions of the chain: %v", err)
	}
	if _, err := lc.Read(t.Context(), "request", key); !errors.Is(err, light.ErrAttack) {
		t.Errorf("a read after the attack: %v", err)
	}
	if s, err := lc.Status(t.Context()); err != nil || !s.Attack {
		t.Errorf("status %+v, %v", s, err)
	}
	raw, err := os.ReadFile(filepath.Join(cfg.Dir, "evidence.json"))
	if err != nil || !bytes.Contains(raw, []byte("LightClientAttackEvidence")) {
		t.Errorf("evidence %.80q, %v", raw, err)
	}
	if _, err := light.New(t.Context(), cfg, c.Now); !errors.Is(err, light.ErrAttack) {
		t.Errorf("a restart after the attack: %v", err)
	}
}

func TestTrustRoot(t *testing.T) {
	t.Parallel()
	c, _ := newChain(t)
	cfg := c.Config(t, c.Serve(t, nil))
	open := func(trust poh.Block) error {
		cfg.Trust = trust
		lc, err := light.New(t.Context(), cfg, c.Now)
		if err == nil {
			_, err = lc.Latest(t.Context())
		}
		return err
	}
	for _, step := range []struct {
		name  string
		trust poh.Block
		want  error
	}{
		{"a hash that the node does not have", poh.Block{Height: 3, Hash: poh.Sum(nil)}, light.ErrLying},
		{"the first root", c.Block(3), nil},
		{"the same root", c.Block(3), nil},
		{"another hash for its height", poh.Block{Height: 3, Hash: poh.Sum(nil)}, light.ErrTrustChanged},
		{"a lower root", c.Block(2), light.ErrTrustChanged},
		{"a higher root with a wrong hash", poh.Block{Height: 5, Hash: poh.Sum(nil)}, light.ErrTrustChanged},
		{"a higher root", c.Block(5), nil},
		{"back to the first root", c.Block(3), light.ErrTrustChanged},
	} {
		if err := open(step.trust); !errors.Is(err, step.want) {
			t.Errorf("%s: got %v, want %v", step.name, err, step.want)
		}
	}
	c.Sleep(15 * 24 * time.Hour)
	c.Commit(3)
	if err := open(c.Block(5)); !errors.Is(err, light.ErrExpired) {
		t.Errorf("after the trust period: %v", err)
	}
	if err := open(c.Block(9)); err != nil {
		t.Errorf("a new root after the trust period: %v", err)
	}
}

func TestRestartNeedsNoRoot(t *testing.T) {
	t.Parallel()
	c, _ := newChain(t)
	cfg := c.Config(t, c.Serve(t, nil))
	lc, err := light.New(t.Context(), cfg, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lc.Latest(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg.Primary = "http://127.0.0.1:1"
	if lc, err = light.New(t.Context(), cfg, c.Now); err != nil {
		t.Fatalf("a restart without network: %v", err)
	}
	if s, err := lc.Status(t.Context()); err != nil || s.Newest != c.Block(7) {
		t.Errorf("status %+v, %v", s, err)
	}
	if _, err := lc.Latest(t.Context()); !errors.Is(err, light.ErrUnreachable) {
		t.Errorf("no node: %v", err)
	}
	name := filepath.Join(cfg.Dir, "0000000007.block")
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	raw[bytes.Index(raw, []byte(lighttest.ID))] ^= 1
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = light.New(t.Context(), cfg, c.Now); !errors.Is(err, light.ErrStore) {
		t.Errorf("a damaged block: %v", err)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	c, _ := newChain(t)
	release := make(chan struct{})
	var hang atomic.Bool
	url := gate(t, c.Serve(t, nil), func(http.ResponseWriter, *http.Request) bool {
		if hang.Load() {
			<-release
		}
		return true
	})
	lc, err := light.New(t.Context(), c.Config(t, url), c.Now)
	if err != nil {
		t.Fatal(err)
	}
	hang.Store(true)
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := lc.Latest(ctx); !errors.Is(err, light.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a node that hangs: %v", err)
	}
}

func TestAnswerThatIsTooLong(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chunk := bytes.Repeat([]byte(" "), 1<<20)
		for range 17 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
		_, _ = w.Write([]byte(`{"jsonrpc":"2.0","id":0,"result":{}}`))
	}))
	defer s.Close()
	c := lighttest.New(t, 1)
	if _, err := light.New(t.Context(), c.Config(t, s.URL), c.Now); !errors.Is(err, light.ErrLying) {
		t.Errorf("got %v", err)
	}
}
