package inference

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

func TestFrameRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var wire bytes.Buffer
		want := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Frame {
			return Frame{
				Kind:    Kind(rapid.IntRange(int(KindSetup), int(KindGPUReport)).Draw(t, "kind")),
				ID:      rapid.Uint64().Draw(t, "id"),
				Payload: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload"),
			}
		}), 0, 5).Draw(t, "frames")
		for _, f := range want {
			if err := WriteFrame(&wire, f); err != nil {
				t.Fatal(err)
			}
		}
		r := iotest.OneByteReader(&wire) // a stream has no message borders
		for _, f := range want {
			got, err := ReadFrame(r, 300)
			if err != nil || got.Kind != f.Kind || got.ID != f.ID || !bytes.Equal(got.Payload, f.Payload) {
				t.Fatalf("got %+v, %v; want %+v", got, err, f)
			}
		}
		if _, err := ReadFrame(r, 300); err != io.EOF {
			t.Fatalf("at the end: %v, want io.EOF", err)
		}
	})
}

func TestReadFrameRefuses(t *testing.T) {
	var good bytes.Buffer
	if err := WriteFrame(&good, Frame{Kind: KindResult, ID: 9, Payload: []byte("four")}); err != nil {
		t.Fatal(err)
	}
	edit := func(at int, v byte) []byte {
		b := bytes.Clone(good.Bytes())
		b[at] = v
		return b
	}
	for _, c := range []struct {
		name string
		wire []byte
		max  int
		want error
	}{
		{"good", good.Bytes(), 4, nil},
		{"nothing", nil, 4, io.EOF},
		{"half a header", good.Bytes()[:7], 4, io.ErrUnexpectedEOF},
		{"no payload", good.Bytes()[:16], 4, io.ErrUnexpectedEOF},
		{"half a payload", good.Bytes()[:18], 4, io.ErrUnexpectedEOF},
		{"one byte too long", good.Bytes(), 3, ErrFrame},
		{"four gigabytes", edit(4, 0xff), 1 << 30, ErrFrame},
		{"another magic", edit(0, 'X'), 4, ErrFrame},
		{"another version", edit(2, 2), 4, ErrFrame},
		{"kind 0", edit(3, 0), 4, ErrFrame},
		{"an unknown kind", edit(3, 10), 4, ErrFrame},
	} {
		if _, err := ReadFrame(bytes.NewReader(c.wire), c.max); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestLengthIsCheckedBeforeAllocating(t *testing.T) {
	header := []byte{'V', 'I', 1, byte(KindResult), 0x03, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1}
	bytesPerRun := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			if _, err := ReadFrame(bytes.NewReader(header), 1024); !errors.Is(err, ErrFrame) {
				b.Fatalf("got %v, want ErrFrame", err)
			}
		}
	}).AllocedBytesPerOp()
	if bytesPerRun > 4096 {
		t.Errorf("a header that claims 64 MiB cost %d bytes", bytesPerRun)
	}
}

func TestWriteFrameRefuses(t *testing.T) {
	for _, f := range []Frame{{Kind: 0}, {Kind: 10}, {Kind: KindResult, Payload: make([]byte, maxPayload+1)}} {
		var wire bytes.Buffer
		if err := WriteFrame(&wire, f); !errors.Is(err, ErrFrame) || wire.Len() != 0 {
			t.Errorf("kind %d: got %v and %d bytes, want ErrFrame and none", f.Kind, err, wire.Len())
		}
	}
}

func FuzzReadFrame(f *testing.F) {
	for _, kind := range []Kind{KindSetup, KindRequest, KindFailure} {
		var wire bytes.Buffer
		if err := WriteFrame(&wire, Frame{Kind: kind, ID: 1, Payload: []byte("payload")}); err != nil {
			f.Fatal(err)
		}
		f.Add(wire.Bytes())
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		const max = 64
		got, err := ReadFrame(bytes.NewReader(wire), max)
		if err != nil {
			return
		}
		if len(got.Payload) > max {
			t.Fatalf("payload of %d bytes past the limit of %d", len(got.Payload), max)
		}
		var again bytes.Buffer
		if err := WriteFrame(&again, got); err != nil || !bytes.HasPrefix(wire, again.Bytes()) {
			t.Fatalf("written again as %x (%v), read from %x", again.Bytes(), err, wire)
		}
	})
}

func TestRequestPayload(t *testing.T) {
	limit, input, err := DecodeRequest(EncodeRequest(77, []byte("in")))
	if err != nil || limit != 77 || string(input) != "in" {
		t.Fatalf("got %d, %q, %v", limit, input, err)
	}
	for name, payload := range map[string][]byte{
		"too short": {0, 0, 1}, "no output allowed": make([]byte, 4), "a huge output": binary.BigEndian.AppendUint32(nil, 1<<31),
	} {
		if _, _, err := DecodeRequest(payload); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: got %v, want ErrFrame", name, err)
		}
	}
}

func TestFailureKeepsItsMeaning(t *testing.T) {
	for _, sentinel := range failureCodes() {
		got, ok := DecodeFailure(EncodeFailure(errors.Join(errors.New("deep inside"), sentinel)))
		if !ok || !errors.Is(got, sentinel) {
			t.Errorf("%v became %v", sentinel, got)
		}
	}
	got, ok := DecodeFailure(EncodeFailure(io.ErrNoProgress))
	if !ok || !errors.Is(got, ErrModel) {
		t.Errorf("a stranger's error became %v, want ErrModel", got)
	}
}

func FuzzDecodeFailure(f *testing.F) {
	f.Add(EncodeFailure(ErrInput))
	f.Add([]byte{2, 0x1b, '[', '2', 'J', '\n', 0xff})
	f.Fuzz(func(t *testing.T, payload []byte) {
		err, ok := DecodeFailure(payload)
		if !ok {
			return
		}
		text := err.Error()
		if len(text) > 4*MaxFailure || strings.ContainsAny(text, "\x1b\n\r\x00") {
			t.Fatalf("a worker's words reach the log raw: %q", text)
		}
	})
}

func FuzzDecodeHello(f *testing.F) {
	f.Add([]byte(`{"engine":"onnxruntime 1.29.0","device":"cpu/amd64","layers":[{"name":"seccomp","active":true}]}`))
	f.Add([]byte(`{}{}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if _, err := DecodeJSON[Hello](payload); err != nil && !errors.Is(err, ErrFrame) {
			t.Fatalf("unnamed error %v", err)
		}
	})
}

func TestHelloIsChecked(t *testing.T) {
	if err := (Hello{Engine: "onnxruntime 1.29.0", Device: "cpu/amd64"}).Validate(); err != nil {
		t.Error(err)
	}
	for _, h := range []Hello{{}, {Engine: "e"}, {Device: "d"}, {Engine: "e\x1b[2J", Device: "d"}, {Engine: "e", Device: strings.Repeat("d", 65)}} {
		if err := h.Validate(); !errors.Is(err, ErrProtocol) {
			t.Errorf("%+v: got %v, want ErrProtocol", h, err)
		}
	}
}

func TestDigestText(t *testing.T) {
	// FIPS 180-4 example: SHA-256 of "abc".
	const abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	d, err := ParseDigest(abc)
	if err != nil || d != DigestOf([]byte("abc")) || d.String() != abc {
		t.Fatalf("got %v, %v", d, err)
	}
	for _, bad := range []string{"", abc[1:], abc + "0", strings.ToUpper(abc), "g" + abc[1:]} {
		if _, err := ParseDigest(bad); !errors.Is(err, ErrDigestText) {
			t.Errorf("%q: got %v, want ErrDigestText", bad, err)
		}
	}
}

func TestLimits(t *testing.T) {
	if err := (Limits{}).WithDefaults().Validate(); err != nil {
		t.Errorf("defaults: %v", err)
	}
	for name, change := range map[string]func(*Limits){
		"negative input":  func(l *Limits) { l.InputBytes = -1 },
		"endless input":   func(l *Limits) { l.InputBytes = maxPayload },
		"negative output": func(l *Limits) { l.OutputBytes = -1 },
		"endless output":  func(l *Limits) { l.OutputBytes = maxPayload + 1 },
		"no memory":       func(l *Limits) { l.Memory = 1 << 20 },
		"past deadline":   func(l *Limits) { l.Deadline = -time.Second },
	} {
		l := Limits{}.WithDefaults()
		change(&l)
		if err := l.Validate(); !errors.Is(err, ErrLimits) {
			t.Errorf("%s: got %v, want ErrLimits", name, err)
		}
	}
}

func TestConfinementNamesWhatIsMissing(t *testing.T) {
	var c Confinement
	for _, name := range Layers() {
		c = append(c, Layer{Name: name, Active: true})
	}
	if err := c.Complete(); err != nil {
		t.Fatalf("all layers: %v", err)
	}
	c[len(c)-1] = Layer{Name: Seccomp, Detail: "function not implemented"}
	err := c[1:].Complete()
	if !errors.Is(err, ErrConfinement) || !strings.Contains(err.Error(), "user-namespace (not reported)") ||
		!strings.Contains(err.Error(), "seccomp (function not implemented)") {
		t.Errorf("got %v, want both missing layers with their reasons", err)
	}
}
