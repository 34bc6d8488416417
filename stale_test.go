//go:build stale

package vouch_test

import "testing"

// TestNoStaleRules fails for a rule that nothing needs. `make check` runs it with -tags stale.
func TestNoStaleRules(t *testing.T) {
	list, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range theRules().stale(list) {
		t.Error(problem)
	}
}
