package state

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,20}(/[a-z0-9]{1,8}){0,4}`).Draw(t, "key")
		value := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "value")
		if err := checkKey(key); err != nil {
			t.Fatal(err)
		}
		if back, ok := keyOf(fileName(key)); !ok || back != key {
			t.Fatalf("%q becomes the file %q, which becomes %q", key, fileName(key), back)
		}
		got, err := decodeRecord(key, encodeRecord(key, value))
		if err != nil || !bytes.Equal(got, value) {
			t.Fatalf("got %x, %v; want %x", got, err, value)
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(encodeRecord("k", nil))
	f.Add(encodeRecord("k", []byte("value")))
	f.Add(encodeRecord("other", []byte("value")))
	f.Add(encodeRecord("k", []byte("value"))[:30])
	f.Fuzz(func(t *testing.T, b []byte) {
		value, err := decodeRecord("k", b)
		if err != nil {
			return
		}
		if !bytes.Equal(encodeRecord("k", value), b) {
			t.Errorf("accepted %x, which is not the record of %x", b, value)
		}
	})
}
