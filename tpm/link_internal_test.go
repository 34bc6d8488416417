package tpm

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

type half struct {
	io.Reader
	io.Writer
}

func TestRoundTripFrames(t *testing.T) {
	good := []byte{0x80, 1, 0, 0, 0, 12, 0, 0, 0, 0, 7, 8}
	for _, tt := range []struct {
		name string
		in   io.Reader
		want error
	}{
		{"whole", bytes.NewReader(good), nil},
		{"byte by byte", iotest.OneByteReader(bytes.NewReader(good)), nil},
		{"end with the last byte", iotest.DataErrReader(bytes.NewReader(good)), nil},
		{"nothing", bytes.NewReader(nil), io.ErrUnexpectedEOF},
		{"header only", bytes.NewReader(good[:10]), io.ErrUnexpectedEOF},
		{"cut header", bytes.NewReader(good[:9]), io.ErrUnexpectedEOF},
		{"one byte more", bytes.NewReader(append(bytes.Clone(good), 9)), ErrResponse},
		{"size 4097", bytes.NewReader([]byte{0x80, 1, 0, 0, 0x10, 1, 0, 0, 0, 0}), ErrResponse},
		{"size 0", bytes.NewReader(make([]byte, 10)), ErrResponse},
		{"reader that gives nothing", nothing{}, io.ErrNoProgress},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := roundTrip(half{tt.in, io.Discard}, []byte("command"))
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if err == nil && !bytes.Equal(got, good) {
				t.Errorf("got %x", got)
			}
		})
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }
