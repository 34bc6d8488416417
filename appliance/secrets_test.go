package appliance

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/finger"
	"github.com/vouchbox/vouch/sensors/vault"
	"github.com/vouchbox/vouch/tpm/key"
	"github.com/vouchbox/vouch/tpm/seal"
	"github.com/vouchbox/vouch/tpm/tpmtest"
)

// watched is the box's sensor, with somebody who sees each picture before the box judges it.
type watched struct {
	*sensor
	see func(*image.Gray)
}

func (s watched) Scan(ctx context.Context) (*image.Gray, error) {
	img, err := s.sensor.Scan(ctx)
	if err == nil {
		s.see(img)
	}
	return img, err
}

// watch makes a box show its pictures.
func watch(t *testing.T, a *Appliance, see func(*image.Gray)) {
	var err error
	if a.reader, err = finger.NewReader(watched{a.sensor, see}, sensorDPI); err != nil {
		t.Fatal(err)
	}
}

// canary finds a secret, whole or in part, in any of the forms in which programs write bytes.
type canary struct {
	name  string
	parts [][]byte
}

const partSize = 24 // bytes: no chance match

func newCanary(name string, secret []byte) canary {
	c := canary{name: name}
	for i := 0; i+partSize <= len(secret); i += partSize {
		part := secret[i : i+partSize]
		if slices.Max(part) == slices.Min(part) {
			continue // a blank piece of a picture
		}
		c.parts = append(c.parts, part, []byte(hex.EncodeToString(part)), bytes.ToUpper([]byte(hex.EncodeToString(part))))
		// Base64 of a longer text holds this one's only if it starts at the same place of three.
		for shift := range 3 {
			part := secret[i+shift:]
			if len(part) >= partSize {
				c.parts = append(c.parts, []byte(base64.StdEncoding.EncodeToString(part[:partSize])))
			}
		}
	}
	return c
}

func (c canary) in(b []byte) bool {
	return slices.ContainsFunc(c.parts, func(p []byte) bool { return bytes.Contains(b, p) })
}

// What a finger looks like, and the vote key, stay where they belong, through a whole vote.
func TestSecretsStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	var mu sync.Mutex
	var secrets []canary
	w.open(func(a *Appliance) {
		watch(t, a, func(img *image.Gray) {
			mu.Lock()
			defer mu.Unlock()
			secrets = append(secrets, newCanary("a picture", img.Pix))
		})
	})
	w.enrol()
	id := w.submit(w.mint(false, judged), clip())
	w.approve(id)
	w.put(touch(stranger()))
	w.awaitCeremony("a try is gone", func(c api.Ceremony) bool { return c.TriesLeft == 4 })
	w.put(touch(ada()))
	w.awaitStage(api.StageIncluded)

	p := w.box.people.list()[0]
	err := w.box.vault.References(w.ctx(), p.ID, sensors.Finger, func(refs []sensors.Template) error {
		for _, r := range refs {
			secrets = append(secrets, newCanary("a template", r.Data))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	blob, err := key.ParseBlob(p.VoteKey)
	if err != nil {
		t.Fatal(err)
	}
	wrapped := newCanary("the wrapped vote key", blob.Private())

	var answers bytes.Buffer
	tell := func(v any, err error) {
		if err != nil {
			t.Error(err)
		}
		if err := json.NewEncoder(&answers).Encode(v); err != nil {
			t.Error(err)
		}
	}
	tell(w.client.Status(w.ctx()))
	tell(w.client.Requests(w.ctx(), 100))
	tell(w.client.Review(w.ctx(), id))
	tell(w.client.Ceremony(w.ctx()))
	tell(w.client.Enrolment(w.ctx()))
	tell(w.client.Audit(w.ctx(), 0, 100))
	w.close()
	w.rpc.mu.Lock()
	said := w.rpc.said
	w.rpc.mu.Unlock()
	log, err := os.ReadFile(filepath.Join(w.cfg.StateDir, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	places := map[string][]byte{"the local API": answers.Bytes(), "the log": w.logs.bytes(), "the node": said, "the audit log": log}
	for place, b := range places {
		if wrapped.in(b) {
			t.Errorf("%s was told %s", place, wrapped.name)
		}
	}
	err = filepath.WalkDir(w.cfg.StateDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		places[path] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := false
	for place, b := range places {
		kept = kept || wrapped.in(b)
		for _, s := range secrets {
			if s.in(b) {
				t.Errorf("%s holds %s in the clear", place, s.name)
			}
		}
	}
	if !kept {
		t.Error("the search does not find the wrapped key where it is kept, so it finds nothing")
	}
	if len(secrets) < 3+5 || len(places) < 8 {
		t.Errorf("%d secrets were looked for in %d places: too few to prove anything", len(secrets), len(places))
	}
}

// seen is a store that tells of each record that was read.
type seen struct {
	store
	read func(key string)
}

func (s seen) Get(ctx context.Context, key string) ([]byte, error) {
	b, err := s.store.Get(ctx, key)
	s.read(key)
	return b, err
}

// Cancelling at the last moment, with the references already out of the vault, neither buys a stranger a
// try nor lets a signature through.
func TestCancelDuringTheMatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.open(func(a *Appliance) {
		st := seen{a.store, func(key string) {
			if a.ceremony.active() && key != "vault/index" {
				if _, err := a.Cancel(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}}
		v, err := vault.Open(w.ctx(), st, seal.New(a.tpm).Pinned(a.people.root))
		if err != nil {
			t.Fatal(err)
		}
		a.vault, a.people.vault = v, v
	})
	w.enrol()
	id := w.submit(w.mint(false, judged), clip())
	signed := w.signatures()
	for _, c := range []struct {
		name string
		img  *image.Gray
	}{{"a stranger", touch(stranger())}, {"Ada", touch(ada())}} {
		w.approve(id)
		w.put(c.img)
		if s := w.awaitStage(api.StageCancelled); s.TriesLeft != 4 {
			t.Errorf("%s: %d tries are left, want 4", c.name, s.TriesLeft)
		}
	}
	w.unvoted(id)
	if n := w.signatures() - signed; n != 0 {
		t.Errorf("the TPM signed %d times for cancelled answers", n)
	}
}

// An enrolment that fails after its last touch leaves no references behind, and can be made again.
func TestFailedEnrolmentLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.open(nil)
	const create = 0x00000153 // TPM2_Create: the vote key, after the references are kept
	w.bus.Inject(tpmtest.Fault{Command: create, N: 1, Action: tpmtest.Drop})
	if _, err := w.client.Enrol(w.ctx(), api.EnrolRequest{Name: "Ada", Consent: true}); err != nil {
		t.Fatal(err)
	}
	w.touchUntil(ada(), func(e api.Event) bool { return e.Enrolment != nil && e.Enrolment.Failed })
	if kept, err := w.box.vault.Persons(w.ctx()); err != nil || len(kept) != 0 {
		t.Errorf("the vault holds the references of %v, %v", kept, err)
	}
	w.enrol()
}
