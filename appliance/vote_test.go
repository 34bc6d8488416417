package appliance

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/appliance/api"
)

// An approval by the right finger goes all the way: included, executed, final.
func TestApproveToFinal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{models: true})
	w.open(nil)
	w.enrol()
	id := w.submit(w.mint(true, judged, machine(ruleWAV), machine(ruleTenSec)), clip())
	signed, seq := w.signatures(), w.auditSeq()

	w.approve(id)
	w.put(touch(ada()))
	c := w.awaitStage(api.StageIncluded)
	if c.TxHash == "" || c.Height == 0 || c.Request != id {
		t.Errorf("the vote is included without saying where: %+v", c)
	}
	w.awaitState(id, api.StateFinal)
	r, err := w.client.Review(w.ctx(), id)
	if err != nil {
		t.Fatal(err)
	}
	if r.Answer != "approve" || r.Approvals != 1 || r.Outcome == nil || !json.Valid([]byte(r.Outcome.Output)) {
		t.Errorf("the final request reads %+v", r)
	}
	if n := w.signatures() - signed; n != 2 {
		t.Errorf("the TPM signed %d times, want once for the vote and once for the receipt", n)
	}
	want := []string{"vote.signed", "vote.included", "request.executed", "receipt.posted"}
	w.await("the receipt is in the audit log", func(e api.Event) bool { return slices.Contains(w.events(seq), "receipt.posted") })
	got := w.events(seq)
	slices.SortFunc(got, func(a, b string) int { return slices.Index(want, a) - slices.Index(want, b) })
	if !slices.Equal(got, want) {
		t.Errorf("the audit log tells %q, want %q", got, want)
	}
	if _, err := w.client.Receipt(w.ctx(), id); err != nil {
		t.Errorf("the receipt of a final request: %v", err)
	}
	w.await("the GPU was looked at", func(e api.Event) bool { return e.Status != nil && e.Status.GPU.Detail != "" })
	s, err := w.client.Status(w.ctx())
	if err != nil {
		t.Fatal(err)
	}
	if s.GPU.Present || !strings.Contains(strings.ToLower(s.GPU.Detail), "no ") {
		t.Errorf("the status says of the GPU: %+v", s.GPU)
	}
}
