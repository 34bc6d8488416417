package ainftv1

import "github.com/vouchbox/vouch/validator/poh"

// PoH gives the rules in the words of the protocol. It does not validate them.
func (r Rules) PoH() poh.Rules {
	out := poh.Rules{
		Version:  r.Version,
		Purposes: r.Purposes,
		Rules:    make([]poh.Rule, len(r.Rules)),
		Quorum:   r.Quorum,
		Price:    r.Price.String(),
		Deadline: r.DeadlineBlocks,
		Split:    poh.Split{Owner: r.Split.Owner, Voters: r.Split.Voters, Worker: r.Split.Worker, Network: r.Split.Network},
	}
	for i, q := range r.Rules {
		out.Rules[i] = poh.Rule{ID: q.Id, Text: q.Text, Kind: q.Kind.PoH()}
	}
	return out
}

// PoH gives the kind in the words of the protocol; one that is not known becomes the zero kind, which
// no rules may have.
func (k RuleKind) PoH() poh.RuleKind {
	switch k {
	case RULE_KIND_JUDGEMENT:
		return poh.Judgement
	case RULE_KIND_MACHINE_CHECKED:
		return poh.MachineChecked
	}
	return 0
}
