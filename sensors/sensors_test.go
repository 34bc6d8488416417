package sensors

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/sensors/internal/witness"
	"pgregory.net/rapid"
)

func TestPersonIDText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var id PersonID
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
		id[0] |= 1
		got, err := ParsePersonID(id.String())
		if err != nil || got != id {
			t.Fatalf("round trip of %v: %v, %v", id, got, err)
		}
	})
	for _, bad := range []string{"", "00", strings.Repeat("0", 32), strings.Repeat("A", 32), strings.Repeat("g", 32), strings.Repeat("a", 34)} {
		if _, err := ParsePersonID(bad); err == nil {
			t.Errorf("ParsePersonID(%q) passed", bad)
		}
	}
	if a, b := NewPersonID(), NewPersonID(); a == b || a.IsZero() {
		t.Errorf("NewPersonID gave %v and %v", a, b)
	}
}

func TestDecisionNeedsKey(t *testing.T) {
	v := Verdict{Matched: true, Person: NewPersonID(), Modality: Finger, Challenge: [32]byte{1}}
	if Decide(witness.Key{}, v).Matched() {
		t.Error("a zero key made a matched decision")
	}
	d := Decide(witness.Take(), v)
	if !d.Matched() || d.Person() != v.Person || d.Challenge() != v.Challenge || d.Modality() != Finger {
		t.Errorf("decision lost its verdict: %+v", d)
	}
	if (Decision{}).Matched() {
		t.Error("the zero decision matched")
	}
}

// conjure is what a caller outside the folder could write: it gets a value of the key's type without naming it.
func conjure[K any](decide func(K, Verdict) Decision, v Verdict) Decision {
	var k K
	return decide(k, v)
}

func TestDecisionCannotBeConjured(t *testing.T) {
	if conjure(Decide, Verdict{Matched: true}).Matched() {
		t.Error("an inferred zero key made a matched decision")
	}
}

func TestReasonsHaveAdvice(t *testing.T) {
	for r := NoFinger; int(r) < len(reasonText); r++ {
		if r.Advice() == "" || r.String() == "" {
			t.Errorf("reason %d has no text", r)
		}
	}
	if Reason(200).Advice() == "" {
		t.Error("an unknown reason must still have advice")
	}
}

func TestTemplatePrintsNoData(t *testing.T) {
	tpl := Template{Modality: Finger, Format: 1, Data: []byte("canary")}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, tpl); strings.Contains(s, "canary") || strings.Contains(s, "99, 97") {
			t.Errorf("%s printed the data: %s", verb, s)
		}
	}
}
