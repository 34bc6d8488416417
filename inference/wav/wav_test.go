package wav

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const rate = 16000

func TestParseRefusesWithWordsForPeople(t *testing.T) {
	good := Encode(make([]int16, 100), rate)
	edit := func(at int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], v)
		return b
	}
	for _, c := range []struct {
		name string
		clip []byte
		want error
	}{
		{"good", good, nil},
		{"empty", nil, ErrNotWAV},
		{"an MP3", append([]byte("ID3\x04"), make([]byte, 100)...), ErrNotWAV},
		{"RIFF of another kind", edit(8, 'A', 'V', 'I', ' '), ErrNotWAV},
		{"only a header", good[:12], ErrNotWAV},
		{"no data chunk", good[:36], ErrNotWAV},
		{"data before format", append(bytes.Clone(good[:12]), good[36:]...), ErrNotWAV},
		{"a short format chunk", edit(16, 14, 0, 0, 0), ErrNotWAV},
		{"floating point", edit(20, 3, 0), ErrFormat},
		{"stereo", edit(22, 2, 0), ErrFormat},
		{"8 bit", edit(34, 8, 0), ErrFormat},
		{"22050 Hz", edit(24, 0x22, 0x56), ErrRate},
		{"a streamed size", edit(40, 0xff, 0xff, 0xff, 0xff), ErrTruncated},
		{"cut short", good[:len(good)-1], ErrTruncated},
		{"half a sample", append(edit(40, 201, 0), 0), ErrTruncated},
		{"no samples", Encode(nil, rate), ErrEmpty},
		{"too long", Encode(make([]int16, rate+1), rate), ErrTooLong},
		{"as long as allowed", Encode(make([]int16, rate), rate), nil},
	} {
		if _, err := Parse(c.clip, rate, time.Second); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
	_, err := Parse(edit(24, 0x22, 0x56), rate, time.Second)
	if want := "WAV has the wrong sampling rate: 22050 Hz; resample to 16 kHz"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestOtherChunksAreSteppedOver(t *testing.T) {
	good := Encode([]int16{1, -2, 3}, rate)
	list := append([]byte("LIST"), binary.LittleEndian.AppendUint32(nil, 3)...)
	list = append(list, 'a', 'b', 'c', 0) // odd size, so one byte of padding
	clip := slices.Concat(good[:12], list, good[12:36], list, good[36:])
	samples, err := Parse(clip, rate, time.Second)
	if err != nil || !slices.Equal(samples, []int16{1, -2, 3}) {
		t.Errorf("got %v, %v", samples, err)
	}
}

func TestEncodeParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.Int16(), 1, 2000).Draw(t, "samples")
		got, err := Parse(Encode(want, rate), rate, time.Second)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %v, %v; want %v", got, err, want)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(Encode([]int16{1, 2, 3}, rate))
	f.Add(Encode(nil, rate))
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, clip []byte) {
		samples, err := Parse(clip, rate, time.Second)
		if err == nil && (len(samples) == 0 || len(samples) > rate || 2*len(samples) > len(clip)) {
			t.Fatalf("%d samples out of %d bytes", len(samples), len(clip))
		}
	})
}
