package receipt

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/vouchbox/vouch/inference"
)

func example() Receipt {
	return Receipt{
		RequestID: 7, Model: inference.DigestOf([]byte("model")), Input: inference.DigestOf([]byte("input")),
		Output: inference.DigestOf([]byte("output")), Runtime: inference.DigestOf([]byte("runtime")),
		Engine: "onnxruntime 1.29.0", Device: "cpu/amd64", Threads: 1, DurationMS: 12,
	}
}

// The digest is a commitment on the chain: this vector must never change.
func TestEncodingIsFixed(t *testing.T) {
	b, err := example().Encode()
	if err != nil {
		t.Fatal(err)
	}
	hash := func(s string) string { return inference.DigestOf([]byte(s)).String() }
	want := hex.EncodeToString([]byte("vouch/receipt/1\n")) + "0000000000000007" +
		hash("model") + hash("input") + hash("output") + hash("runtime") +
		"12" + hex.EncodeToString([]byte("onnxruntime 1.29.0")) + "09" + hex.EncodeToString([]byte("cpu/amd64")) +
		"00000001" + "000000000000000c"
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestEveryFieldMattersAndIsChecked(t *testing.T) {
	base, err := example().Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*Receipt)
		valid  bool
	}{
		{"request", func(r *Receipt) { r.RequestID = 8 }, true},
		{"no request", func(r *Receipt) { r.RequestID = 0 }, false},
		{"model", func(r *Receipt) { r.Model[0]++ }, true},
		{"no model", func(r *Receipt) { r.Model = inference.Digest{} }, false},
		{"input", func(r *Receipt) { r.Input[31]++ }, true},
		{"no input", func(r *Receipt) { r.Input = inference.Digest{} }, false},
		{"output", func(r *Receipt) { r.Output[5]++ }, true},
		{"no output", func(r *Receipt) { r.Output = inference.Digest{} }, false},
		{"runtime", func(r *Receipt) { r.Runtime[5]++ }, true},
		{"no runtime", func(r *Receipt) { r.Runtime = inference.Digest{} }, false},
		{"engine", func(r *Receipt) { r.Engine = "onnxruntime 1.30.0" }, true},
		{"no engine", func(r *Receipt) { r.Engine = "" }, false},
		{"long engine", func(r *Receipt) { r.Engine = strings.Repeat("x", 65) }, false},
		{"engine with a line break", func(r *Receipt) { r.Engine = "a\nb" }, false},
		{"device", func(r *Receipt) { r.Device = "cpu/arm64" }, true},
		{"no device", func(r *Receipt) { r.Device = "" }, false},
		{"threads", func(r *Receipt) { r.Threads = 2 }, true},
		{"no threads", func(r *Receipt) { r.Threads = 0 }, false},
		{"duration", func(r *Receipt) { r.DurationMS = 13 }, true},
	} {
		r := example()
		c.change(&r)
		d, err := r.Digest()
		switch {
		case c.valid && (err != nil || d == base):
			t.Errorf("%s: digest %v, error %v; want another digest", c.name, d, err)
		case !c.valid && !errors.Is(err, ErrReceipt):
			t.Errorf("%s: got %v, want ErrReceipt", c.name, err)
		}
	}
}

func TestNewTakesDigestsFromBytes(t *testing.T) {
	request := inference.Request{Model: inference.DigestOf([]byte("m")), Input: []byte("clip")}
	result := inference.Result{OutputDigest: inference.DigestOf([]byte("{}")), Runtime: inference.DigestOf([]byte("lib")),
		Device: "cpu/arm64", Duration: 1999 * time.Microsecond}
	r, err := New(3, request, result, "onnxruntime 1.29.0", 1)
	if err != nil {
		t.Fatal(err)
	}
	if r.Input != inference.DigestOf([]byte("clip")) || r.DurationMS != 1 || r.Threads != 1 {
		t.Errorf("got %+v", r)
	}
	if _, err := New(3, request, result, "", 1); !errors.Is(err, ErrReceipt) {
		t.Errorf("without an engine: got %v, want ErrReceipt", err)
	}
}

func TestParseIsTheInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digest := func(name string) (d inference.Digest) {
			copy(d[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, name))
			d[0] |= 1
			return d
		}
		text := rapid.StringMatching(`[ -~]{1,64}`)
		want := Receipt{
			RequestID: rapid.Uint64Min(1).Draw(t, "id"), Model: digest("model"), Input: digest("input"),
			Output: digest("output"), Runtime: digest("runtime"), Engine: text.Draw(t, "engine"),
			Device: text.Draw(t, "device"), Threads: rapid.Uint32Min(1).Draw(t, "threads"),
			DurationMS: rapid.Uint64().Draw(t, "ms"),
		}
		b, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(b)
		if err != nil || got != want {
			t.Fatalf("got %+v, %v; want %+v", got, err, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	b, err := example().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrReceipt) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		again, err := r.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("two encodings of one receipt: %x and %x (%v)", b, again, err)
		}
	})
}
