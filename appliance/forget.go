package appliance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/vault"
)

// settleLimit is how long a deletion tries to prove what the person signed.
const settleLimit = 15 * time.Second

// Forget deletes a person at this box: the references are destroyed first, the record with the vote
// key goes last. The chain keeps the registration, the bond and the votes.
func (a *Appliance) Forget(ctx context.Context, id string) error {
	p, err := a.people.named(id)
	if err != nil {
		return api.Errorf(api.CodeNotFound, "%s.", err)
	}
	if !a.claimSensor() {
		return conflict("The sensor is in use, and it may be for %s. Finish or cancel that first.", p.Name)
	}
	defer a.releaseSensor()
	if !a.ceremony.claim() {
		return conflict("An answer is on its way to the chain. Delete %s once it has arrived.", p.Name)
	}
	defer a.ceremony.free()
	if err := a.settled(ctx, p); err != nil {
		return err
	}
	if err := a.people.forget(ctx, p.ID); err != nil {
		return asAPI(err)
	}
	// What the browser left does not undo what is done: the rest runs to its end.
	ctx = context.WithoutCancel(ctx)
	a.note(ctx, "human.forgotten", map[string]string{"person": p.ID.String(), "address": p.address.String()})
	// The last messages may hold the name.
	a.ceremony.show(api.Ceremony{Stage: api.StageIdle})
	a.enrolment.show(api.Enrolment{})
	a.problems.clear(unregistered(p.ID))
	a.changed()
	return nil
}

// settled makes sure that nothing that the person signed is still to be proved: without the record
// nobody would send it again or find out what became of it.
func (a *Appliance) settled(ctx context.Context, p person) error {
	open, err := p.prover.Unproved(ctx)
	if err != nil {
		return asAPI(err)
	}
	if len(open) == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	_, cause := p.prover.Pending(limited)
	if open, err = p.prover.Unproved(ctx); err != nil {
		return asAPI(err)
	}
	if len(open) > 0 {
		return conflict("%s signed an answer to request %d that is not proved on the chain yet. Delete %s once it is: %v", p.Name, open[0], p.Name, cause)
	}
	return nil
}

// named returns the person of that id, also one whose deletion was begun.
func (p *people) named(id string) (person, error) {
	for _, r := range p.list() {
		if r.ID.String() == id {
			return r, nil
		}
	}
	return person{}, fmt.Errorf("%w by the id %q", errNobody, id)
}

// forget writes the deletion down, then destroys the references, then removes the record. Once it is
// written down it happens: a power cut in between is made good by the next [openPeople].
func (p *people) forget(ctx context.Context, id sensors.PersonID) error {
	p.changing.Lock()
	defer p.changing.Unlock()
	r, ok := p.get(id)
	if !ok {
		return fmt.Errorf("%w by the id %s", errNobody, id)
	}
	r.Forgotten = true
	if err := p.save(ctx, r); err != nil {
		return err
	}
	return p.finish(context.WithoutCancel(ctx), id)
}

func (p *people) finish(ctx context.Context, id sensors.PersonID) error {
	if err := p.vault.Delete(ctx, id); err != nil && !errors.Is(err, vault.ErrNotEnrolled) {
		return fmt.Errorf("destroy the references; the next start of the box tries again: %w", err)
	}
	err := p.store.Update(ctx, peoplePrefix+id.String(), func([]byte) ([]byte, error) { return nil, nil })
	if err != nil {
		return fmt.Errorf("remove the record, the references are destroyed; the next start of the box tries again: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, id)
	return nil
}

func (p *people) get(id sensors.PersonID) (person, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.all[id]
	return r, ok
}
