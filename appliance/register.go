package appliance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/poh"
)

// registerLimit is how long one registration may hold up what the box does after a block.
const registerLimit = time.Minute

// registerAll brings every enrolled person onto the chain. It is called after each block until all
// are there.
func (a *Appliance) registerAll(ctx context.Context) {
	for _, p := range a.people.list() {
		if p.Registered || p.Forgotten {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, registerLimit)
		err := a.register(ctx, p)
		cancel()
		code := unregistered(p.ID)
		if err == nil {
			a.problems.clear(code)
			continue
		}
		if a.problems.raise(code, p.Name+" could not be registered on the chain.", err.Error()+" The box tries again by itself.") {
			a.log.Warn("register", "person", p.ID.String(), "error", err)
		}
	}
}

// unregistered is the code of the problem that a person could not be registered.
func unregistered(id sensors.PersonID) string { return "human.unregistered." + id.String() }

// register asks the chain first, so a power cut after the transaction costs nothing.
func (a *Appliance) register(ctx context.Context, p person) error {
	_, err := a.view().Human(ctx, p.address)
	switch {
	case err == nil:
		return a.registered(ctx, p)
	case errors.Is(err, ledger.ErrAbsent):
		return a.bond(ctx, p)
	}
	return err
}

// bond registers one person if the box's account can pay for it.
func (a *Appliance) bond(ctx context.Context, p person) error {
	params, err := a.view().HumanParams(ctx)
	if err != nil {
		return err
	}
	balance, err := a.account.Balance(ctx)
	if err != nil {
		return err
	}
	if balance.LT(params.MinBond.Amount) {
		a.problems.raise("box.unfunded",
			fmt.Sprintf("The box's account holds %s; a person's bond is %s.", heart(balance), heart(params.MinBond.Amount)),
			"Send HEART to "+a.account.String()+", with a little more for fees.")
		return nil
	}
	if err := a.account.RegisterHuman(ctx, p.key, params.MinBond); err != nil {
		return fmt.Errorf("register %s: %w", p.Name, err)
	}
	return a.registered(ctx, p)
}

func (a *Appliance) registered(ctx context.Context, p person) error {
	if err := a.people.registered(ctx, p); err != nil {
		return err
	}
	a.problems.clear("box.unfunded")
	a.note(ctx, "human.registered", map[string]string{"person": p.ID.String(), "address": p.api().Address})
	a.changed()
	return nil
}

// holding is the balance of the box's account, as it was proved last.
type holding struct {
	mu     sync.Mutex
	proved string // for people; empty before the first proof
}

func (h *holding) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.proved == "" {
		return "not proved yet"
	}
	return h.proved
}

// count proves the balance anew.
func (a *Appliance) count(ctx context.Context) error {
	balance, err := a.account.Balance(ctx)
	if err != nil {
		return err
	}
	a.holding.mu.Lock()
	defer a.holding.mu.Unlock()
	a.holding.proved = heart(balance)
	return nil
}

// heart writes an amount of aheart for people.
func heart(amount fmt.Stringer) string {
	text, err := poh.FormatHeart(amount.String())
	if err != nil {
		return amount.String() + " " + poh.Denom
	}
	return text
}
