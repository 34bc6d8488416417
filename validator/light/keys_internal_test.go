package light

import (
	"bytes"
	"errors"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
)

// FuzzParseKeys demands that a node's list gives keys of the prefix or is a named lie.
func FuzzParseKeys(f *testing.F) {
	f.Add([]byte{0x0a, 0x06, 0x0a, 0x02, 1, 2, 0x12, 0x00})
	f.Add([]byte{0x0a, 0x7f})
	f.Fuzz(func(t *testing.T, raw []byte) {
		keys, err := parseKeys(&abci.ResponseQuery{Value: raw}, []byte{1})
		if err != nil {
			if !errors.Is(err, ErrLying) {
				t.Errorf("an error without a name: %v", err)
			}
			return
		}
		for _, k := range keys {
			if !bytes.HasPrefix(k, []byte{1}) {
				t.Errorf("the key %X has another prefix", k)
			}
		}
	})
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	keys, err := parseKeys(&abci.ResponseQuery{Value: []byte{0x0a, 0x06, 0x0a, 0x02, 1, 2, 0x12, 0x00, 0x0a, 0x04, 0x0a, 0x02, 2, 2}}, []byte{1})
	if err != nil || len(keys) != 1 || !bytes.Equal(keys[0], []byte{1, 2}) {
		t.Errorf("got %X, %v", keys, err)
	}
}
