package vault_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/vault"
)

// memory is a Store; lie, if set, changes what Get returns and drop says which writes are lost.
type memory struct {
	mu      sync.Mutex
	records map[string][]byte
	lie     func(key string, value []byte) []byte
	drop    func(key string) bool
}

func newMemory() *memory { return &memory{records: map[string][]byte{}} }

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := bytes.Clone(m.records[key])
	if m.lie != nil {
		v = m.lie(key, v)
	}
	return v, nil
}

func (m *memory) Update(_ context.Context, key string, change func([]byte) ([]byte, error)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	next, err := change(bytes.Clone(m.records[key]))
	if err != nil || m.drop != nil && m.drop(key) {
		return err
	}
	if next == nil {
		delete(m.records, key)
	} else {
		m.records[key] = bytes.Clone(next)
	}
	return nil
}

func (m *memory) snapshot() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.records)
}

// sealer stands in for a TPM: what it sealed stays inside, the blob is a name.
type sealer struct{ secrets map[string][]byte }

func newSealer() *sealer { return &sealer{map[string][]byte{}} }

func (s *sealer) Seal(_ context.Context, secret, purpose []byte) ([]byte, error) {
	name := fmt.Sprintf("blob %d", len(s.secrets))
	s.secrets[name+string(purpose)] = bytes.Clone(secret)
	return []byte(name), nil
}

func (s *sealer) Unseal(_ context.Context, blob, purpose []byte) ([]byte, error) {
	secret, ok := s.secrets[string(blob)+string(purpose)]
	if !ok {
		return nil, errors.New("the TPM refuses")
	}
	return bytes.Clone(secret), nil
}

func open(t *testing.T, m *memory, s *sealer) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), m, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func templates(words ...string) []sensors.Template {
	var out []sensors.Template
	for _, w := range words {
		out = append(out, sensors.Template{Modality: sensors.Finger, Format: 1, Data: []byte(w)})
	}
	return out
}

func read(v *vault.Vault, p sensors.PersonID) (string, error) {
	var got []string
	err := v.References(context.Background(), p, sensors.Finger, func(ts []sensors.Template) error {
		for _, t := range ts {
			got = append(got, string(t.Data))
		}
		return nil
	})
	return strings.Join(got, " "), err
}

func TestLifeOfAPerson(t *testing.T) {
	m, s := newMemory(), newSealer()
	v := open(t, m, s)
	a, b := sensors.NewPersonID(), sensors.NewPersonID()
	for p, words := range map[sensors.PersonID][]string{a: {"loop", "whorl"}, b: {"arch"}} {
		if err := v.Enroll(t.Context(), p, templates(words...)); err != nil {
			t.Fatal(err)
		}
	}
	v = open(t, m, s) // as after a restart
	if got, err := read(v, a); got != "loop whorl" || err != nil {
		t.Fatalf("references %q, %v", got, err)
	}
	if err := v.Enroll(t.Context(), a, templates("delta")); err != nil {
		t.Fatal(err)
	}
	if got, err := read(v, a); got != "delta" || err != nil {
		t.Fatalf("references after a new enrolment %q, %v", got, err)
	}
	if n := len(m.snapshot()); n != 4 {
		t.Errorf("%d records, want key, index and two people", n)
	}
	people, err := v.Persons(t.Context())
	if err != nil || len(people) != 2 || !slices.Contains(people, a) || !slices.Contains(people, b) {
		t.Errorf("persons %v, %v", people, err)
	}
	if err := v.Delete(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := read(v, a); !errors.Is(err, vault.ErrNotEnrolled) {
		t.Errorf("references of a deleted person: %v", err)
	}
	if err := v.Delete(t.Context(), a); !errors.Is(err, vault.ErrNotEnrolled) {
		t.Errorf("second delete: %v", err)
	}
	if got, err := read(v, b); got != "arch" || err != nil {
		t.Errorf("the other person's references %q, %v", got, err)
	}
	if people, err := v.Persons(t.Context()); err != nil || len(people) != 1 {
		t.Errorf("persons %v, %v", people, err)
	}
}

func TestDeletedStaysUnreadable(t *testing.T) {
	m, s := newMemory(), newSealer()
	v := open(t, m, s)
	p := sensors.NewPersonID()
	if err := v.Enroll(t.Context(), p, templates("old")); err != nil {
		t.Fatal(err)
	}
	before := m.snapshot()
	if err := v.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	// Whoever kept the old ciphertext and puts it back, even under the name of a later record, gets nothing.
	if err := v.Enroll(t.Context(), p, templates("new")); err != nil {
		t.Fatal(err)
	}
	var fresh string
	for key := range m.snapshot() {
		if strings.HasPrefix(key, "vault/record/") && before[key] == nil {
			fresh = key
		}
	}
	for key, value := range before {
		if strings.HasPrefix(key, "vault/record/") {
			m.records[key], m.records[fresh] = value, value
		}
	}
	for _, v := range []*vault.Vault{v, open(t, m, s)} {
		if got, err := read(v, p); !errors.Is(err, vault.ErrCorrupt) || got != "" {
			t.Errorf("old ciphertext gave %q, %v", got, err)
		}
	}
}

func TestCanaryNeverInTheStore(t *testing.T) {
	m, s := newMemory(), newSealer()
	v := open(t, m, s)
	sum := sha256.Sum256([]byte("canary"))
	canary := bytes.Repeat(sum[:], 8)
	p := sensors.NewPersonID()
	if err := v.Enroll(t.Context(), p, []sensors.Template{{Modality: sensors.Face, Format: 7, Data: canary}}); err != nil {
		t.Fatal(err)
	}
	for key, value := range m.snapshot() {
		if bytes.Contains(value, canary[:8]) || bytes.Contains(value, p[:]) || strings.Contains(key, p.String()) {
			t.Errorf("record %s shows a template or a person", key)
		}
		for _, secret := range s.secrets {
			if bytes.Contains(value, secret[:8]) {
				t.Errorf("record %s shows the vault key", key)
			}
		}
	}
	var kept []byte
	err := v.References(t.Context(), p, sensors.Face, func(ts []sensors.Template) error {
		if !bytes.Equal(ts[0].Data, canary) || ts[0].Format != 7 {
			t.Error("wrong template")
		}
		kept = ts[0].Data
		return nil
	})
	if err != nil || bytes.ContainsFunc(kept, func(r rune) bool { return r != 0 }) {
		t.Errorf("the plaintext outlived its use (%v)", err)
	}
}

func TestMissingPartsAreRollback(t *testing.T) {
	for _, gone := range []string{"vault/key", "vault/index"} {
		m, s := newMemory(), newSealer()
		if err := open(t, m, s).Enroll(t.Context(), sensors.NewPersonID(), templates("x")); err != nil {
			t.Fatal(err)
		}
		delete(m.records, gone)
		before := len(m.records)
		if _, err := vault.Open(t.Context(), m, s); !errors.Is(err, vault.ErrRollback) {
			t.Errorf("without %s: %v", gone, err)
		}
		if len(m.records) != before {
			t.Errorf("without %s: Open wrote to the store", gone)
		}
	}
}

func TestPowerCutDuringCreation(t *testing.T) {
	m, s := newMemory(), newSealer()
	open(t, m, s)
	delete(m.records, "vault/key") // the index is written first
	v := open(t, m, s)
	if err := v.Enroll(t.Context(), sensors.NewPersonID(), templates("x")); err != nil {
		t.Error(err)
	}
}

func TestLyingStore(t *testing.T) {
	a, b := sensors.NewPersonID(), sensors.NewPersonID()
	isRecord := func(key string) bool { return strings.HasPrefix(key, "vault/record/") }
	flip := func(key string, v []byte) []byte {
		if isRecord(key) {
			v[len(v)/2] ^= 1
		}
		return v
	}
	for name, c := range map[string]struct {
		lie  func(m *memory) func(string, []byte) []byte
		want error
	}{
		"flips a bit": {func(*memory) func(string, []byte) []byte { return flip }, vault.ErrCorrupt},
		"loses a record": {func(*memory) func(string, []byte) []byte {
			return func(key string, v []byte) []byte {
				if isRecord(key) {
					return nil
				}
				return v
			}
		}, vault.ErrRollback},
		"cuts a record": {func(*memory) func(string, []byte) []byte {
			return func(key string, v []byte) []byte {
				if isRecord(key) {
					return v[:10]
				}
				return v
			}
		}, vault.ErrCorrupt},
		"exchanges two people": {func(m *memory) func(string, []byte) []byte {
			return func(key string, v []byte) []byte {
				for other, value := range m.records {
					if isRecord(key) && isRecord(other) && other != key {
						return bytes.Clone(value)
					}
				}
				return v
			}
		}, vault.ErrCorrupt},
		"loses the index": {func(*memory) func(string, []byte) []byte {
			return func(key string, v []byte) []byte {
				if key == "vault/index" {
					return nil
				}
				return v
			}
		}, vault.ErrRollback},
		"flips the index": {func(*memory) func(string, []byte) []byte {
			return func(key string, v []byte) []byte {
				if key == "vault/index" {
					v[30] ^= 1
				}
				return v
			}
		}, vault.ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			m, s := newMemory(), newSealer()
			v := open(t, m, s)
			for _, p := range []sensors.PersonID{a, b} {
				if err := v.Enroll(t.Context(), p, templates("of "+p.String())); err != nil {
					t.Fatal(err)
				}
			}
			m.lie = c.lie(m)
			if got, err := read(v, a); !errors.Is(err, c.want) || got != "" {
				t.Errorf("got %q, %v; want %v", got, err, c.want)
			}
		})
	}
}

func TestStoreThatForgetsWrites(t *testing.T) {
	for _, lost := range []string{"vault/record/", "vault/index"} {
		m, s := newMemory(), newSealer()
		v := open(t, m, s)
		m.drop = func(key string) bool { return strings.HasPrefix(key, lost) }
		if err := v.Enroll(t.Context(), sensors.NewPersonID(), templates("x")); err == nil {
			t.Errorf("enrolment passed though the store dropped %s", lost)
		}
	}
	m, s := newMemory(), newSealer()
	v, p := open(t, m, s), sensors.NewPersonID()
	if err := v.Enroll(t.Context(), p, templates("x")); err != nil {
		t.Fatal(err)
	}
	m.drop = func(string) bool { return true }
	if err := v.Delete(t.Context(), p); !errors.Is(err, vault.ErrCorrupt) {
		t.Errorf("delete on a store that keeps everything: %v", err)
	}
}

func TestOtherBox(t *testing.T) {
	m := newMemory()
	open(t, m, newSealer())
	if _, err := vault.Open(t.Context(), m, newSealer()); err == nil {
		t.Error("another TPM opened the vault")
	}
}

func TestRefusesToEnrol(t *testing.T) {
	v := open(t, newMemory(), newSealer())
	mixed := append(templates("x"), sensors.Template{Modality: sensors.Face, Format: 1, Data: []byte("y")})
	for name, c := range map[string]struct {
		p  sensors.PersonID
		ts []sensors.Template
	}{
		"nobody":         {sensors.PersonID{}, templates("x")},
		"nothing":        {sensors.NewPersonID(), nil},
		"empty":          {sensors.NewPersonID(), templates("")},
		"mixed modality": {sensors.NewPersonID(), mixed},
		"no modality":    {sensors.NewPersonID(), []sensors.Template{{Format: 1, Data: []byte("x")}}},
	} {
		if err := v.Enroll(t.Context(), c.p, c.ts); !errors.Is(err, vault.ErrTemplates) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
