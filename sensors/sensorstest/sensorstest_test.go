package sensorstest_test

import (
	"testing"
	"time"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/sensorstest"
)

func TestDecisions(t *testing.T) {
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	p, c := sensors.NewPersonID(), [32]byte{7}
	yes, no := sensorstest.Matched(t, p, c, at), sensorstest.Stranger(t, p, c, at)
	if !yes.Matched() || no.Matched() {
		t.Errorf("the enrolled finger matched %v, the stranger %v", yes.Matched(), no.Matched())
	}
	if yes.Person() != p || yes.Challenge() != c || !yes.At().Equal(at) {
		t.Errorf("decision %+v", yes)
	}
}
