package vault

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/vouchbox/vouch/sensors"
)

// Sealer seals a short secret so that only this box, in a trusted state, opens it again. Unseal fails if the blob or the context
// differ from Seal's. It does not keep or change the secret.
type Sealer interface {
	Seal(ctx context.Context, secret, context []byte) ([]byte, error)
	Unseal(ctx context.Context, blob, context []byte) ([]byte, error)
}

// Store keeps small records that survive a power cut whole. A nil value is an absent record, in and out. Update
// writes nothing if change fails, returns its error, and runs updates of one key one after the other.
type Store interface {
	Update(ctx context.Context, key string, change func(cur []byte) (next []byte, err error)) error
	Get(ctx context.Context, key string) ([]byte, error)
}

const (
	keyRecord   = "vault/key"
	indexRecord = "vault/index"
	sealContext = "vouch vault key 1"
	keySize     = 32
)

// Vault holds the opened vault key. It is safe for concurrent use.
type Vault struct {
	store Store
	mu    sync.RWMutex // held for writing while records change, so that readers see an index that fits
	aead  cipher.AEAD
}

// Open unseals the vault key, or makes and seals one if the store never held a vault.
// Errors: ErrRollback, ErrCorrupt, and those of the store and the sealer.
func Open(ctx context.Context, store Store, sealer Sealer) (*Vault, error) {
	blob, err := store.Get(ctx, keyRecord)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	index, err := store.Get(ctx, indexRecord)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	var key []byte
	switch {
	case blob != nil && index == nil:
		return nil, fmt.Errorf("open vault: key without index: %w", ErrRollback)
	case blob == nil && index != nil && !bytes.Equal(index, emptyIndex()):
		return nil, fmt.Errorf("open vault: index without key: %w", ErrRollback)
	case blob == nil:
		key, err = create(ctx, store, sealer)
	default:
		key, err = sealer.Unseal(ctx, blob, []byte(sealContext))
	}
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	defer clear(key)
	if len(key) != keySize {
		return nil, fmt.Errorf("open vault: the unsealed key has %d bytes: %w", len(key), ErrCorrupt)
	}
	v := &Vault{store: store, aead: newAEAD([keySize]byte(key))}
	rows, err := v.rows(ctx)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	wipe(rows)
	return v, nil
}

// create writes the empty index, then a new key.
func create(ctx context.Context, store Store, sealer Sealer) ([]byte, error) {
	err := store.Update(ctx, indexRecord, func(cur []byte) ([]byte, error) {
		if cur != nil && !bytes.Equal(cur, emptyIndex()) {
			return nil, ErrRollback
		}
		return emptyIndex(), nil
	})
	if err != nil {
		return nil, err
	}
	key := make([]byte, keySize)
	rand.Read(key)
	blob, err := sealer.Seal(ctx, key, []byte(sealContext))
	if err != nil {
		return nil, err
	}
	err = store.Update(ctx, keyRecord, func(cur []byte) ([]byte, error) {
		if cur != nil {
			return nil, errors.New("another process has just made a vault key; open again")
		}
		return blob, nil
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}

// Enroll stores the references of a person, replacing those of the same modality. The templates must be of one modality
// and one format. They are read back before Enroll returns nil.
func (v *Vault) Enroll(ctx context.Context, person sensors.PersonID, templates []sensors.Template) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	r, err := newRow(person, templates)
	if err != nil {
		return fmt.Errorf("enrol: %w", err)
	}
	defer clear(r.key[:])
	record := r.seal(templates)
	if err := v.store.Update(ctx, r.record(), func([]byte) ([]byte, error) { return record, nil }); err != nil {
		return fmt.Errorf("enrol: %w", err)
	}
	var old []row
	err = v.change(ctx, func(rows []row) []row {
		same := func(o row) bool { return o.person == person && o.modality == r.modality }
		for _, o := range rows {
			if same(o) {
				old = append(old, o)
			}
		}
		return append(slices.DeleteFunc(rows, same), r)
	})
	if err != nil {
		return fmt.Errorf("enrol: %w", err)
	}
	defer wipe(old)
	if err := v.references(ctx, person, r.modality, func(got []sensors.Template) error {
		if !slices.EqualFunc(got, templates, func(a, b sensors.Template) bool { return bytes.Equal(a.Data, b.Data) }) {
			return fmt.Errorf("the store did not keep the new references: %w", ErrCorrupt)
		}
		return nil
	}); err != nil {
		return fmt.Errorf("enrol: %w", err)
	}
	return v.remove(ctx, old)
}

// References decrypts the references of a person for the time of use, and returns use's error. The templates are cleared when
// use returns and must not be kept. Errors: ErrNotEnrolled, ErrRollback, ErrCorrupt.
func (v *Vault) References(ctx context.Context, person sensors.PersonID, modality sensors.Modality, use func([]sensors.Template) error) error {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.references(ctx, person, modality, use)
}

func (v *Vault) references(ctx context.Context, person sensors.PersonID, modality sensors.Modality, use func([]sensors.Template) error) error {
	rows, err := v.rows(ctx)
	if err != nil {
		return err
	}
	defer wipe(rows)
	i := slices.IndexFunc(rows, func(r row) bool { return r.person == person && r.modality == modality })
	if i < 0 {
		return fmt.Errorf("%s of person %s: %w", modality, person, ErrNotEnrolled)
	}
	record, err := v.store.Get(ctx, rows[i].record())
	if err != nil {
		return fmt.Errorf("references: %w", err)
	}
	if record == nil {
		return fmt.Errorf("references of person %s: %w", person, ErrRollback)
	}
	plain, templates, err := rows[i].open(record)
	if err != nil {
		return fmt.Errorf("references of person %s: %w", person, err)
	}
	defer clear(plain)
	return use(templates)
}

// Persons returns the enrolled persons in the order of their ids.
func (v *Vault) Persons(ctx context.Context) ([]sensors.PersonID, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	rows, err := v.rows(ctx)
	if err != nil {
		return nil, fmt.Errorf("persons: %w", err)
	}
	defer wipe(rows)
	var out []sensors.PersonID
	for _, r := range rows {
		out = append(out, r.person)
	}
	slices.SortFunc(out, func(a, b sensors.PersonID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(out), nil
}

// Delete destroys the data keys of a person, then removes the records that they opened. Somebody who is not enrolled is
// ErrNotEnrolled.
func (v *Vault) Delete(ctx context.Context, person sensors.PersonID) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var gone []row
	err := v.change(ctx, func(rows []row) []row {
		theirs := func(r row) bool { return r.person == person }
		for _, r := range rows {
			if theirs(r) {
				gone = append(gone, r)
			}
		}
		return slices.DeleteFunc(rows, theirs)
	})
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	defer wipe(gone)
	if len(gone) == 0 {
		return fmt.Errorf("delete person %s: %w", person, ErrNotEnrolled)
	}
	rows, err := v.rows(ctx)
	if err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	defer wipe(rows)
	if slices.ContainsFunc(rows, func(r row) bool { return r.person == person }) {
		return fmt.Errorf("delete: the store kept the data keys: %w", ErrCorrupt)
	}
	return v.remove(ctx, gone)
}

// remove deletes records whose keys are gone.
func (v *Vault) remove(ctx context.Context, rows []row) error {
	for _, r := range rows {
		if err := v.store.Update(ctx, r.record(), func([]byte) ([]byte, error) { return nil, nil }); err != nil {
			return fmt.Errorf("vault: remove an old record: %w", err)
		}
	}
	return nil
}

// rows reads the index. The caller wipes them.
func (v *Vault) rows(ctx context.Context) ([]row, error) {
	b, err := v.store.Get(ctx, indexRecord)
	if err != nil {
		return nil, err
	}
	return v.openIndex(b)
}

// change replaces the rows of the index.
func (v *Vault) change(ctx context.Context, edit func([]row) []row) error {
	return v.store.Update(ctx, indexRecord, func(cur []byte) ([]byte, error) {
		rows, err := v.openIndex(cur)
		if err != nil {
			return nil, err
		}
		rows = edit(rows)
		defer wipe(rows)
		return v.sealIndex(rows), nil
	})
}
