package cli

import (
	"errors"
	"fmt"

	"github.com/vouchbox/vouch/appliance/config/strict"
	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// rulesFile is how an author writes rules, and how nft show -o json gives them back.
type rulesFile struct {
	Purposes       []string   `json:"purposes"`
	Rules          []ruleLine `json:"rules"`
	Quorum         uint32     `json:"quorum"`
	Price          string     `json:"price"` // "2 HEART"
	DeadlineBlocks uint64     `json:"deadline_blocks"`
	Split          splitLine  `json:"split"`
}

type ruleLine struct {
	ID   string `json:"id"`
	Text string `json:"text"`
	Kind string `json:"kind"` // judgement or machine
}

// splitLine shares the price, in basis points.
type splitLine struct {
	Owner   uint32 `json:"owner"`
	Voters  uint32 `json:"voters"`
	Worker  uint32 `json:"worker"`
	Network uint32 `json:"network"`
}

const (
	judgement = "judgement"
	machine   = "machine"
)

// readRules reads a file of rules and checks them as the chain will.
func readRules(path string) (ainftv1.Rules, error) {
	b, err := readFile(path, maxText)
	if err != nil {
		return ainftv1.Rules{}, usage("read the rules: %w", err)
	}
	r, err := parseRules(b)
	if err != nil {
		return ainftv1.Rules{}, usage("the rules in %s: %w", path, err)
	}
	return r, nil
}

// parseRules names every mistake that it can.
func parseRules(b []byte) (ainftv1.Rules, error) {
	f, err := strict.Parse(b, rulesFile{})
	if err != nil {
		return ainftv1.Rules{}, err
	}
	var mistakes []error
	price, err := account.ParseHeart(f.Price)
	if err != nil {
		mistakes = append(mistakes, fmt.Errorf("price: %w", err))
	}
	r := ainftv1.Rules{
		Version: 1, Purposes: f.Purposes, Quorum: f.Quorum, Price: price, DeadlineBlocks: f.DeadlineBlocks,
		Split: ainftv1.Split{Owner: f.Split.Owner, Voters: f.Split.Voters, Worker: f.Split.Worker, Network: f.Split.Network},
	}
	for i, q := range f.Rules {
		// A kind that is none stands in as a judgement, so that the other mistakes are found as well.
		kind := ainftv1.RULE_KIND_JUDGEMENT
		switch q.Kind {
		case judgement:
		case machine:
			kind = ainftv1.RULE_KIND_MACHINE_CHECKED
		default:
			mistakes = append(mistakes, fmt.Errorf("rules[%d].kind: %q is no kind; write judgement for what the human decides, or machine for what the box checks", i, q.Kind))
		}
		r.Rules = append(r.Rules, ainftv1.Rule{Id: q.ID, Text: q.Text, Kind: kind})
	}
	return r, errors.Join(append(mistakes, r.PoH().Validate())...)
}

// writtenRules are rules as their author would write them.
func writtenRules(r poh.Rules) (rulesFile, error) {
	price, err := poh.FormatHeart(r.Price)
	if err != nil {
		return rulesFile{}, fmt.Errorf("the price of the rules: %w", err)
	}
	f := rulesFile{
		Purposes: r.Purposes, Quorum: r.Quorum, Price: price, DeadlineBlocks: r.Deadline,
		Split: splitLine{Owner: r.Split.Owner, Voters: r.Split.Voters, Worker: r.Split.Worker, Network: r.Split.Network},
	}
	for _, q := range r.Rules {
		kind := judgement
		if q.Kind == poh.MachineChecked {
			kind = machine
		}
		f.Rules = append(f.Rules, ruleLine{ID: q.ID, Text: q.Text, Kind: kind})
	}
	return f, nil
}
