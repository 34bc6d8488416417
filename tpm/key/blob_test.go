package key_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/vouchbox/vouch/tpm"
	"github.com/vouchbox/vouch/tpm/key"
)

// recorded is a blob that swtpm 0.7.1 made: the stored format may not drift away from keys in the field.
func recorded(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "key_v1.bin"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func resum(b []byte) []byte {
	body := b[:len(b)-4]
	return binary.BigEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func TestStoredForm(t *testing.T) {
	data := recorded(t)
	blob, err := key.ParseBlob(data)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := blob.MarshalBinary(); err != nil || !bytes.Equal(got, data) {
		t.Errorf("stored again as %x, %v", got, err)
	}
	want := append(append(append([]byte("VKEY\x01"), data[5:39]...), blob.Public()...), blob.Private()...)
	if !bytes.Equal(data[:len(data)-4], want) {
		t.Error("the parts are not where the format says")
	}
	if _, err := (key.Blob{}).MarshalBinary(); !errors.Is(err, tpm.ErrCorrupt) {
		t.Errorf("zero Blob: %v", err)
	}
}

func TestParseBlobRefuses(t *testing.T) {
	data := recorded(t)
	for i := range data {
		bad := bytes.Clone(data)
		bad[i] ^= 0x40
		if _, err := key.ParseBlob(bad); !errors.Is(err, tpm.ErrCorrupt) {
			t.Errorf("byte %d altered: %v, want ErrCorrupt", i, err)
		}
		if _, err := key.ParseBlob(data[:i]); !errors.Is(err, tpm.ErrCorrupt) {
			t.Errorf("cut at %d: %v, want ErrCorrupt", i, err)
		}
	}
	change := func(at int, v byte) []byte { b := bytes.Clone(data); b[at] = v; return resum(b) }
	for _, tt := range []struct {
		name string
		data []byte
		want error
	}{
		{"newer version", change(4, 2), tpm.ErrVersion},
		{"another kind", change(1, 'S'), tpm.ErrCorrupt},
		{"public size", change(39, 0xff), tpm.ErrCorrupt},
		{"public type", change(41, 0xff), tpm.ErrCorrupt},
		{"trailing byte", resum(append(bytes.Clone(data), 0)), tpm.ErrCorrupt},
		{"too large", make([]byte, 5000), tpm.ErrCorrupt},
	} {
		if _, err := key.ParseBlob(tt.data); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func FuzzParseBlob(f *testing.F) {
	data := recorded(f)
	f.Add(data, false)
	f.Add([]byte("VKEY\x01"), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, data []byte, sum bool) {
		// With a right checksum the fuzzer gets past the outer wall.
		if sum && len(data) > 4 {
			data = resum(data)
		}
		blob, err := key.ParseBlob(data)
		if err != nil {
			if !errors.Is(err, tpm.ErrCorrupt) && !errors.Is(err, tpm.ErrVersion) {
				t.Fatalf("unnamed error: %v", err)
			}
			return
		}
		again, err := blob.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("accepted %x, stores %x, %v", data, again, err)
		}
	})
}
