package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/vault"
	"github.com/vouchbox/vouch/tpm"
	"github.com/vouchbox/vouch/tpm/key"
	"github.com/vouchbox/vouch/validator/prover"
	"github.com/vouchbox/vouch/validator/tx"
)

// person is one enrolled human. The record is the commit point of an enrolment: references in the
// vault without a record are leftovers of a power cut and are destroyed at the next start.
type person struct {
	ID         sensors.PersonID `json:"id"`
	Name       string           `json:"name"`
	VoteKey    []byte           `json:"vote_key"` // key.Blob: only this TPM can use it
	Views      int              `json:"views"`
	EnrolledAt time.Time        `json:"enrolled_at"`
	// Consent is the digest of the consent text that the person agreed to.
	Consent    string `json:"consent"`
	Registered bool   `json:"registered"` // proved on the chain once
	// Forgotten is written before the references are destroyed: from then on the person is deleted.
	Forgotten bool `json:"forgotten,omitempty"`

	address tx.Address // account of the vote key
	key     *key.Key   // loaded from VoteKey at start
	prover  *prover.Prover
}

func (p person) api() api.Human {
	return api.Human{
		ID: p.ID.String(), Name: p.Name, Address: p.address.String(), Registered: p.Registered,
		Views: p.Views, EnrolledAt: p.EnrolledAt,
	}
}

const peoplePrefix = "people/"

// people are the humans enrolled at this box.
type people struct {
	store store
	vault *vault.Vault
	dev   *tpm.Device
	root  tpm.Name // of the TPM's storage root key
	voter func(*key.Key) (*prover.Prover, error)

	changing sync.Mutex // held while a record changes, so that no change brings back a deleted one
	mu       sync.Mutex
	all      map[sensors.PersonID]person
	// ended are the deletions that a power cut had stopped and openPeople finished.
	ended []sensors.PersonID
}

// openPeople loads every record and its vote key, finishes deletions, and destroys references that no
// record names.
func openPeople(ctx context.Context, st store, v *vault.Vault, dev *tpm.Device, root tpm.Name, voter func(*key.Key) (*prover.Prover, error)) (*people, error) {
	p := &people{store: st, vault: v, dev: dev, root: root, voter: voter, all: make(map[sensors.PersonID]person)}
	keys, err := st.Keys(ctx, peoplePrefix)
	if err != nil {
		return nil, fmt.Errorf("list the enrolled people: %w", err)
	}
	for _, k := range keys {
		b, err := st.Get(ctx, k)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", k, err)
		}
		var r person
		if err := json.Unmarshal(b, &r); err != nil {
			return nil, fmt.Errorf("decode %s: %w", k, err)
		}
		if r.Forgotten {
			if err := p.finish(ctx, r.ID); err != nil {
				return nil, fmt.Errorf("finish a deletion: %w", err)
			}
			p.ended = append(p.ended, r.ID)
			continue
		}
		if r, err = p.load(ctx, r); err != nil {
			return nil, fmt.Errorf("the vote key of %s: %w", r.Name, err)
		}
		p.all[r.ID] = r
	}
	kept, err := v.Persons(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the vault: %w", err)
	}
	for _, id := range kept {
		if _, ok := p.all[id]; !ok {
			if err := v.Delete(ctx, id); err != nil {
				return nil, fmt.Errorf("destroy the references of an unfinished enrolment: %w", err)
			}
		}
	}
	return p, nil
}

func (p *people) load(ctx context.Context, r person) (person, error) {
	blob, err := key.ParseBlob(r.VoteKey)
	if err != nil {
		return r, err
	}
	if r.key, err = key.Load(ctx, p.dev, blob); err != nil {
		return r, err
	}
	if r.prover, err = p.voter(r.key); err != nil {
		return r, err
	}
	r.address = r.prover.Human()
	return r, nil
}

// list is in order of enrolment.
func (p *people) list() []person {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]person, 0, len(p.all))
	for _, r := range p.all {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b person) int {
		if c := a.EnrolledAt.Compare(b.EnrolledAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID.String(), b.ID.String())
	})
	return out
}

var (
	errNobody = errors.New("nobody is enrolled at this box")
	errWho    = errors.New("several people are enrolled: the answer must name one")
)

// find returns the person of that id, or the only one when id is empty.
func (p *people) find(id string) (person, error) {
	all := slices.DeleteFunc(p.list(), func(r person) bool { return r.Forgotten })
	switch {
	case len(all) == 0:
		return person{}, errNobody
	case id == "" && len(all) == 1:
		return all[0], nil
	case id == "":
		return person{}, errWho
	}
	for _, r := range all {
		if r.ID.String() == id {
			return r, nil
		}
	}
	return person{}, fmt.Errorf("%w by the id %s", errNobody, id)
}

// add keeps references first, the record last: see [person].
func (p *people) add(ctx context.Context, name, consent string, refs []sensors.Template, now time.Time) (person, error) {
	r := person{ID: sensors.NewPersonID(), Name: name, Views: len(refs), EnrolledAt: now.UTC(), Consent: consent}
	if err := p.vault.Enroll(ctx, r.ID, refs); err != nil {
		return person{}, fmt.Errorf("keep the references: %w", err)
	}
	r, err := p.complete(ctx, r)
	if err != nil {
		return person{}, errors.Join(err, p.vault.Delete(context.WithoutCancel(ctx), r.ID))
	}
	return r, p.save(ctx, r)
}

// complete gives a person whose references are kept a vote key.
func (p *people) complete(ctx context.Context, r person) (person, error) {
	blob, err := key.Create(ctx, p.dev, key.Options{Parent: &p.root})
	if err != nil {
		return r, fmt.Errorf("make the vote key: %w", err)
	}
	if r.VoteKey, err = blob.MarshalBinary(); err != nil {
		return r, fmt.Errorf("encode the vote key: %w", err)
	}
	if r, err = p.load(ctx, r); err != nil {
		return r, fmt.Errorf("load the vote key: %w", err)
	}
	return r, nil
}

// registered writes down that the chain knows the person, unless the person was deleted meanwhile.
func (p *people) registered(ctx context.Context, r person) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	r, ok := p.get(r.ID)
	if !ok {
		return nil
	}
	r.Registered = true
	return p.save(ctx, r)
}

func (p *people) save(ctx context.Context, r person) error {
	err := p.store.Update(ctx, peoplePrefix+r.ID.String(), func([]byte) ([]byte, error) { return json.Marshal(r) })
	if err != nil {
		return fmt.Errorf("keep the record of %s: %w", r.Name, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all[r.ID] = r
	return nil
}
