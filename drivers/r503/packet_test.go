package r503

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Frames that unrelated projects publish (Adafruit, brianrho/FPM, libdriver/as608 and others), not made by this code.
func foreignFrames() []struct {
	name, frame string
	id          PacketID
	payload     string
} {
	return []struct {
		name, frame string
		id          PacketID
		payload     string
	}{
		{"VfyPwd", "EF01 FFFFFFFF 01 0007 13 00000000 001B", IDCommand, "13 00000000"},
		{"VfyPwd ok", "EF01 FFFFFFFF 07 0003 00 000A", IDAck, "00"},
		{"GenImg", "EF01 FFFFFFFF 01 0003 01 0005", IDCommand, "01"},
		{"Img2Tz", "EF01 FFFFFFFF 01 0004 02 01 0008", IDCommand, "02 01"},
		{"DownChar", "EF01 FFFFFFFF 01 0004 09 01 000F", IDCommand, "09 01"},
		{"ReadSysPara", "EF01 FFFFFFFF 01 0003 0F 0013", IDCommand, "0F"},
		{"ReadSysPara ok", "EF01 FFFFFFFF 07 0013 00 0000 0000 00C8 0003 FFFFFFFF 0002 0006 04E9", IDAck,
			"00 0000 0000 00C8 0003 FFFFFFFF 0002 0006"},
	}
}

func TestForeignFrames(t *testing.T) {
	for _, v := range foreignFrames() {
		t.Run(v.name, func(t *testing.T) {
			frame, payload := unhex(t, v.frame), unhex(t, v.payload)
			p, n, err := Parse(append(slices.Clone(frame), 0xEF))
			if err != nil || n != len(frame) || p.ID != v.id || p.Address != DefaultAddress || !bytes.Equal(p.Payload, payload) {
				t.Fatalf("Parse = %+v, %d, %v", p, n, err)
			}
			out, err := p.Append([]byte{1})
			if err != nil || !bytes.Equal(out[1:], frame) {
				t.Fatalf("Append = %x, %v, want %x", out[1:], err, frame)
			}
		})
	}
	if got := checksum([]byte{0xC0, 0xC1}); got != 0x0181 {
		t.Errorf("checksum = %04x, want 0181", got)
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"empty", "", ErrIncomplete},
		{"half a header", "EF01 FFFF", ErrIncomplete},
		{"no sum", "EF01 FFFFFFFF 07 0003 00 00", ErrIncomplete},
		{"power-up byte", "55", ErrFrame},
		{"second byte", "EF02", ErrFrame},
		{"unknown id", "EF01 FFFFFFFF 03 0003 00 0006", ErrFrame},
		{"length 1", "EF01 FFFFFFFF 07 0001 00", ErrFrame},
		{"length 259", "EF01 FFFFFFFF 07 0103 00", ErrFrame},
		{"sum", "EF01 FFFFFFFF 07 0003 00 000B", ErrChecksum},
		{"payload bit", "EF01 FFFFFFFF 07 0003 01 000A", ErrChecksum},
	} {
		if _, n, err := Parse(unhex(t, c.in)); err != c.want || n != 0 {
			t.Errorf("%s: Parse = %d, %v, want %v", c.name, n, err, c.want)
		}
	}
	if _, err := (Packet{ID: IDData, Payload: make([]byte, MaxPayload+1)}).Append(nil); !errors.Is(err, ErrPayload) {
		t.Errorf("Append of 257 bytes: %v", err)
	}
	if _, err := (Packet{ID: 3}).Append(nil); !errors.Is(err, ErrFrame) {
		t.Errorf("Append of id 3: %v", err)
	}
}

func packets() *rapid.Generator[Packet] {
	return rapid.Custom(func(t *rapid.T) Packet {
		return Packet{
			Address: rapid.SampledFrom([]uint32{DefaultAddress, 0xEF01EF01, 7}).Draw(t, "address"),
			ID:      rapid.SampledFrom([]PacketID{IDCommand, IDData, IDAck, IDEndData}).Draw(t, "id"),
			Payload: rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{0xEF, 0x01, 0xFF})), 0, MaxPayload).Draw(t, "payload"),
		}
	})
}

func TestAppendThenParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := packets().Draw(t, "packet")
		b, err := p.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, n, err := Parse(b)
		if err != nil || n != len(b) || got.ID != p.ID || got.Address != p.Address || !bytes.Equal(got.Payload, p.Payload) {
			t.Fatalf("got %+v, %d, %v", got, n, err)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, _, err := Parse(b[:cut]); err != ErrIncomplete {
			t.Fatalf("cut at %d: %v", cut, err)
		}
	})
}

// Whatever stands before a packet, and however the stream is cut into reads, the packet is found.
func TestDecoderResync(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := packets().Draw(t, "packet")
		frame, _ := p.Append(nil)
		noise := rapid.SliceOfN(rapid.SampledFrom([]byte{0xEF, 0x01, 0xFF, 0x07, 0x02, 0x00, 0x55, 0xA0}), 0, 40).Draw(t, "noise")
		if rapid.Bool().Draw(t, "false start") {
			noise = append(noise, frame[:rapid.IntRange(0, len(frame)-1).Draw(t, "of")]...)
		}
		stream := append(slices.Clone(noise), frame...)
		d := Decoder{Address: p.Address}
		for len(stream) > 0 {
			n := rapid.IntRange(1, len(stream)).Draw(t, "read")
			d.Write(stream[:n])
			stream = stream[n:]
			for {
				got, err := d.Next()
				if err == nil && got.ID == p.ID && bytes.Equal(got.Payload, p.Payload) {
					return
				}
				if err == ErrIncomplete {
					break
				}
			}
		}
		for d.Skip() {
			for {
				got, err := d.Next()
				if err == nil && got.ID == p.ID && bytes.Equal(got.Payload, p.Payload) {
					return
				}
				if err == ErrIncomplete {
					break
				}
			}
		}
		t.Fatalf("packet %x not found behind %x", frame, noise)
	})
}

func TestDecoderIgnoresOtherAddresses(t *testing.T) {
	d := Decoder{Address: 7}
	other, _ := Packet{Address: 8, ID: IDAck, Payload: []byte{1}}.Append(nil)
	mine, _ := Packet{Address: 7, ID: IDAck, Payload: []byte{2}}.Append(nil)
	d.Write(append(other, mine...))
	if p, err := d.Next(); err != nil || p.Payload[0] != 2 {
		t.Fatalf("%+v %v", p, err)
	}
}

func FuzzParsePacket(f *testing.F) {
	for _, v := range foreignFrames() {
		f.Add(unhex(f, v.frame))
	}
	f.Add(unhex(f, "55 EF01 FFFFFFFF 07 0102"))
	f.Add(unhex(f, "EF01 FFFFFFFF 07 0004 EF01 FFFFFFFF 07 0003 00 000A"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if p, n, err := Parse(in); err == nil {
			out, err := p.Append(nil)
			if err != nil || !bytes.Equal(out, in[:n]) {
				t.Fatalf("Parse %x gave %x, %v", in[:n], out, err)
			}
		} else if n != 0 {
			t.Fatalf("%v took %d bytes", err, n)
		}
		d := Decoder{Address: DefaultAddress}
		d.Write(in)
		for steps := 0; ; steps++ {
			if steps > 3*len(in)+3 {
				t.Fatal("the decoder does not move on")
			}
			p, err := d.Next()
			switch {
			case err == nil && p.Address != DefaultAddress:
				t.Fatalf("packet of %08x", p.Address)
			case err == ErrIncomplete && !d.Skip():
				return
			}
		}
	})
}

// One 192x192 picture: packets in, picture out.
func BenchmarkDecodeImage(b *testing.B) {
	var wire []byte
	for i := range 72 {
		id := IDData
		if i == 71 {
			id = IDEndData
		}
		p := make([]byte, 256)
		for j := range p {
			binary.BigEndian.PutUint16(p[j&^1:], uint16(i*j*31))
		}
		wire, _ = Packet{Address: DefaultAddress, ID: id, Payload: p}.Append(wire)
	}
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	d := Decoder{Address: DefaultAddress}
	raw := make([]byte, 0, 18432)
	for b.Loop() {
		raw = raw[:0]
		for rest := wire; len(rest) > 0; {
			n := min(len(rest), 4096)
			d.Write(rest[:n])
			rest = rest[n:]
			for {
				p, err := d.Next()
				if err != nil {
					break
				}
				raw = append(raw, p.Payload...)
			}
		}
		if _, err := DecodeImage(raw, sizes()[0]); err != nil {
			b.Fatal(err)
		}
	}
}
