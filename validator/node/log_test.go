package node

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// service is what CometBFT logs: its state is its own, its name is for the log.
type service struct{ State map[string]int }

func (*service) String() string { return "Consensus" }

type hidden struct{ State map[string]int }

func TestServicesAreLoggedByName(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(plainHandler{slog.NewJSONHandler(&out, nil)})
	state := map[string]int{"round": 7}
	log.With("module", &service{state}).WithGroup("g").Info("started", "impl", &service{state}, "other", hidden{state}, "gone", (*service)(nil),
		"err", fmt.Errorf("stop: %w", errors.New("why")), "hash", []byte{0xab, 1}, "height", int64(9), "n", uint8(3), "none", nil)
	got := out.String()
	for _, want := range []string{
		`"module":"Consensus"`, `"impl":"Consensus"`, `"other":"node.hidden"`, `"gone":""`, `"err":"stop: why"`, `"hash":"AB01"`, `"height":9`, `"n":3`, `"none":""`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if strings.Contains(got, "round") {
		t.Errorf("the state of a service is in the log: %s", got)
	}
}
