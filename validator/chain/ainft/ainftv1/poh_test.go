package ainftv1_test

import (
	"errors"
	"testing"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// A kind whose low byte looks like a judgement is not one.
func TestUnknownKindIsNoKind(t *testing.T) {
	for kind, want := range map[ainftv1.RuleKind]poh.RuleKind{
		ainftv1.RULE_KIND_JUDGEMENT: poh.Judgement, ainftv1.RULE_KIND_MACHINE_CHECKED: poh.MachineChecked,
		ainftv1.RULE_KIND_UNSPECIFIED: 0, 3: 0, 257: 0, -255: 0,
	} {
		if got := kind.PoH(); got != want {
			t.Errorf("kind %d is %d, want %d", kind, got, want)
		}
	}
	r := ainftv1.Rules{
		Version: 1, Purposes: []string{"p"}, Quorum: 1, DeadlineBlocks: 1, Split: ainftv1.Split{Owner: 10_000},
		Rules: []ainftv1.Rule{{Id: "a", Text: "b", Kind: 257}},
	}
	if err := r.PoH().Validate(); !errors.Is(err, poh.ErrRules) {
		t.Errorf("rules with an unknown kind: %v", err)
	}
}
