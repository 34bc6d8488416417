package appliance

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/config"
	"github.com/vouchbox/vouch/appliance/state"
	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/vault"
	"github.com/vouchbox/vouch/tpm"
	"github.com/vouchbox/vouch/tpm/key"
	"github.com/vouchbox/vouch/tpm/seal"
	"github.com/vouchbox/vouch/tpm/tpmtest"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/prover"
)

func launchTPM(t *testing.T) *tpmtest.Process {
	t.Helper()
	p, err := tpmtest.Launch(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := p.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return p
}

var errCut = errors.New("the power is gone")

// failing is a store whose power goes after so many updates.
type failing struct {
	*state.Store
	left int
}

func (f *failing) Update(ctx context.Context, key string, fn func([]byte) ([]byte, error)) error {
	if f.left == 0 {
		return errCut
	}
	f.left--
	return f.Store.Update(ctx, key, fn)
}

func references() []sensors.Template {
	return []sensors.Template{{Modality: sensors.Finger, Format: 1, Data: []byte("ridge ends of nobody")}}
}

// Wherever the power goes during a deletion, the next start has either the whole person or nothing.
func TestForgetOverPowerCuts(t *testing.T) {
	chip := launchTPM(t)
	dev, err := tpm.Open(t.Context(), chip.Path())
	if err != nil {
		t.Fatal(err)
	}
	root, err := tpm.PrimaryName(t.Context(), dev)
	if err != nil {
		t.Fatal(err)
	}
	voter := func(k *key.Key) (*prover.Prover, error) {
		return prover.New(prover.Config{ChainID: "c", Gas: 1}, nil, k, nil, time.Now)
	}
	for cut := 0; ; cut++ {
		st := openStore(t, t.TempDir())
		reopen := func(st interface {
			store
			vault.Store
		}) *people {
			t.Helper()
			v, err := vault.Open(t.Context(), st, seal.New(dev).Pinned(root))
			if err != nil {
				t.Fatal(err)
			}
			p, err := openPeople(t.Context(), st, v, dev, root, voter)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		p := reopen(st)
		other, err := p.add(t.Context(), "Bo", "", references(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		ada, err := p.add(t.Context(), "Ada", "", references(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		power := &failing{Store: st, left: cut}
		p = reopen(power)
		err = p.forget(t.Context(), ada.ID)
		if err != nil && !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if err != nil && cut > 0 {
			if _, found := p.find(ada.ID.String()); found == nil {
				t.Errorf("cut after %d writes: a half-deleted person may still answer", cut)
			}
		}
		whole := err != nil && cut == 0 // nothing was written down
		p = reopen(st)
		_, there := p.get(ada.ID)
		kept := p.vault.References(t.Context(), ada.ID, sensors.Finger, func([]sensors.Template) error { return nil })
		record, e := st.Get(t.Context(), peoplePrefix+ada.ID.String())
		if e != nil {
			t.Fatal(e)
		}
		if there != whole || (kept == nil) != whole || (record != nil) != whole {
			t.Errorf("cut after %d writes: person %t, references %v, record %d bytes; want all %t", cut, there, kept, len(record), whole)
		}
		if !whole && kept != nil && !errors.Is(kept, vault.ErrNotEnrolled) {
			t.Errorf("cut after %d writes: %v", cut, kept)
		}
		if _, ok := p.get(other.ID); !ok {
			t.Errorf("cut after %d writes: somebody else is gone", cut)
		}
		if err == nil {
			if cut < 3 {
				t.Errorf("a deletion took %d writes; the cuts tested nothing", cut)
			}
			return
		}
	}
}

// A registration that ends after the deletion does not bring the person back.
func TestForgottenStaysForgotten(t *testing.T) {
	st := openStore(t, t.TempDir())
	p := &people{store: st, all: make(map[sensors.PersonID]person)}
	if err := p.registered(t.Context(), person{ID: sensors.NewPersonID(), Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	if keys, err := st.Keys(t.Context(), peoplePrefix); err != nil || len(keys) != 0 || len(p.list()) != 0 {
		t.Fatalf("records %v, %v, list %v", keys, err, p.list())
	}
}

// newBox is a whole box whose chain and sensor are away.
func newBox(t *testing.T) *Appliance {
	t.Helper()
	dir, chip := t.TempDir(), launchTPM(t)
	cfg := config.Default()
	cfg.StateDir, cfg.Socket, cfg.TPM = filepath.Join(dir, "box"), filepath.Join(dir, "vouchd.sock"), chip.Path()
	cfg.Sensor.Path = filepath.Join(dir, "no-sensor")
	cfg.Chain.ID, cfg.Chain.Primary, cfg.Chain.AllowNoWitness = "vouch-test", "http://127.0.0.1:1", true
	cfg.Chain.Trust = config.Trust{Height: 7, Hash: config.Hash{1}}
	cfg.Inference.Binary, cfg.Inference.ModelsDir = filepath.Join(dir, "vouchinfer"), filepath.Join(dir, "models")
	a, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	a.running = t.Context()
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func TestForget(t *testing.T) {
	a := newBox(t)
	p, err := a.people.add(t.Context(), "Ada", consentDigest(), references(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h := p.api()
	a.enrolment.show(api.Enrolment{Name: "Ada", Human: &h})
	wantRefused := func(code, part string) {
		t.Helper()
		refused(t, "Forget", a.Forget(t.Context(), h.ID), code, part)
		if s, err := a.Status(t.Context()); err != nil || len(s.Humans) != 1 {
			t.Fatalf("a refused deletion left %+v, %v", s.Humans, err)
		}
	}

	a.claimSensor()
	wantRefused(api.CodeConflict, "sensor is in use")
	a.releaseSensor()

	if !a.ceremony.claim() {
		t.Fatal("a new box has a ceremony")
	}
	wantRefused(api.CodeConflict, "on its way to the chain")
	a.ceremony.end(api.Ceremony{Stage: api.StageIncluded, Message: "Ada"})
	a.problems.raise(unregistered(p.ID), "Ada could not be registered.", "")

	// A vote that is signed, in the records as the prover keeps them; the chain is away.
	for k, v := range map[string]any{
		"vote-open/" + h.Address: []string{"vote/5/" + h.Address},
		"vote/5/" + h.Address:    prover.Record{State: prover.Signed, Attempt: 1, Human: h.Address, Decision: poh.Approve, Shown: poh.Shown{RequestID: 5}, Tx: []byte{1}},
	} {
		if err := a.store.Update(t.Context(), k, func([]byte) ([]byte, error) { return json.Marshal(v) }); err != nil {
			t.Fatal(err)
		}
	}
	wantRefused(api.CodeConflict, "signed an answer to request 5")
	if err := a.store.Update(t.Context(), "vote-open/"+h.Address, func([]byte) ([]byte, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}

	for _, id := range []string{"", "nobody", sensors.NewPersonID().String()} {
		var e *api.Error
		if err := a.Forget(t.Context(), id); !errors.As(err, &e) || e.Code != api.CodeNotFound {
			t.Errorf("Forget(%q) = %v, want not found", id, err)
		}
	}
	if err := a.Forget(t.Context(), h.ID); err != nil {
		t.Fatal(err)
	}
	s, err := a.Status(t.Context())
	if err != nil || len(s.Humans) != 0 {
		t.Errorf("after the deletion: %+v, %v", s.Humans, err)
	}
	if want := (api.Block{Height: 7, Hash: hex.EncodeToString(a.cfg.Chain.Trust.Hash[:])}); s.Chain.Trusted != want {
		t.Errorf("trusted block = %+v, want %+v", s.Chain.Trusted, want)
	}
	for _, p := range s.Problems {
		if strings.Contains(p.Text, "Ada") {
			t.Errorf("a problem still names the person: %+v", p)
		}
	}
	if e, c := a.enrolment.get(), a.ceremony.get(); e.Name != "" || e.Human != nil || c.Message != "" {
		t.Errorf("the last messages still name the person: %+v %+v", e, c)
	}
	entries, err := a.Audit(t.Context(), 0, 10)
	if err != nil || len(entries) != 1 || entries[0].Event != "human.forgotten" || entries[0].Fields["person"] != h.ID || strings.Contains(entries[0].Fields["address"], "Ada") {
		t.Errorf("audit log: %+v, %v", entries, err)
	}
}

// A person who voted, and who cancelled another answer, is deleted and stays so; who enrols again is
// somebody else.
func TestForgetAfterVotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.open(nil)
	w.enrol()
	nft := w.mint(true, judged)
	voted, cancelled := w.submit(nft, clip()), w.submit(nft, clip())
	w.approve(voted)
	w.put(touch(ada()))
	w.awaitStage(api.StageIncluded)

	before, err := w.client.Status(w.ctx())
	if err != nil || len(before.Humans) != 1 {
		t.Fatalf("%+v, %v", before.Humans, err)
	}
	person := before.Humans[0]
	w.approve(cancelled)
	refused(t, "a deletion while the sensor waits", w.client.Forget(w.ctx(), person.ID), api.CodeConflict, "sensor is in use")
	if _, err := w.client.Cancel(w.ctx()); err != nil {
		t.Fatal(err)
	}
	w.awaitStage(api.StageCancelled)

	seq := w.auditSeq()
	if err := w.client.Forget(w.ctx(), person.ID); err != nil {
		t.Fatal(err)
	}
	if got := w.events(seq); !slices.Contains(got, "human.forgotten") {
		t.Errorf("the audit log tells %q", got)
	}
	nobody := func(when string) {
		t.Helper()
		if s, err := w.client.Status(w.ctx()); err != nil || len(s.Humans) != 0 {
			t.Errorf("%s: %+v, %v", when, s.Humans, err)
		}
		if kept, err := w.box.vault.Persons(w.ctx()); err != nil || len(kept) != 0 {
			t.Errorf("%s: the vault has %v, %v", when, kept, err)
		}
	}
	nobody("after the deletion")
	w.reopen()
	nobody("after a restart")

	w.enrol()
	after, err := w.client.Status(w.ctx())
	if err != nil || len(after.Humans) != 1 || after.Humans[0].Address == person.Address || after.Humans[0].ID == person.ID {
		t.Errorf("who enrols again: %+v, %v; before: %+v", after.Humans, err, person)
	}
}
