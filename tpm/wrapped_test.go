package tpm_test

import (
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/vouchbox/vouch/tpm"
)

func TestEncodeDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sized := func(label string) []byte {
			b := rapid.SliceOfN(rapid.Byte(), 1, 1000).Draw(t, label)
			return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
		}
		w := tpm.Wrapped{
			Parent:  tpm.Name(rapid.SliceOfN(rapid.Byte(), 34, 34).Draw(t, "parent")),
			Public:  sized("public"),
			Private: sized("private"),
		}
		kind, version := tpm.Kind{'T', 'E', 'S', 'T'}, rapid.Byte().Draw(t, "version")
		data := w.Encode(kind, version)
		got, err := tpm.DecodeWrapped(kind, version, data)
		if err != nil || !reflect.DeepEqual(got, w) {
			t.Fatalf("%+v came back as %+v, %v", w, got, err)
		}
		if _, err := tpm.DecodeWrapped(kind, version+1, data); !errors.Is(err, tpm.ErrVersion) {
			t.Errorf("another version: %v, want ErrVersion", err)
		}
		if _, err := tpm.DecodeWrapped(tpm.Kind{'E', 'L', 'S', 'E'}, version, data); !errors.Is(err, tpm.ErrCorrupt) {
			t.Errorf("another kind: %v, want ErrCorrupt", err)
		}
		// CRC-32 finds each burst of up to 32 bits, so each altered byte.
		at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
		data[at] ^= rapid.ByteRange(1, 255).Draw(t, "flip")
		if _, err := tpm.DecodeWrapped(kind, version, data); !errors.Is(err, tpm.ErrCorrupt) {
			t.Errorf("byte %d altered: %v, want ErrCorrupt", at, err)
		}
	})
}
