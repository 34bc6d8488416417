package appliance

import (
	"context"
	"errors"
	"fmt"

	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/poh"
)

// register brings every enrolled person onto the chain. It asks the chain first, so a power cut after
// the transaction costs nothing; it is called after each block until all are there.
func (a *Appliance) register(ctx context.Context) error {
	for _, p := range a.people.list() {
		if p.Registered || p.Forgotten {
			continue
		}
		_, err := a.view().Human(ctx, p.address)
		switch {
		case err == nil:
			if err := a.registered(ctx, p); err != nil {
				return err
			}
			continue
		case !errors.Is(err, ledger.ErrAbsent):
			return err
		}
		if err := a.bond(ctx, p); err != nil {
			return err
		}
	}
	return nil
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
	a.problems.clear("box.unfunded")
	if err := a.account.RegisterHuman(ctx, p.key, params.MinBond); err != nil {
		return fmt.Errorf("register %s: %w", p.Name, err)
	}
	return a.registered(ctx, p)
}

func (a *Appliance) registered(ctx context.Context, p person) error {
	if err := a.people.registered(ctx, p); err != nil {
		return err
	}
	if err := a.audit.Append(ctx, "human.registered", map[string]string{"person": p.ID.String(), "address": p.api().Address}); err != nil {
		return err
	}
	a.changed(ctx)
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
