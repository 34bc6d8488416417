package r503_test

import (
	"bytes"
	"image"
	"io"
	"testing"
	"time"

	"github.com/vouchbox/vouch/drivers/r503"
)

// FuzzReplies lets a hostile module answer. in holds packets: id, length, payload. Whatever comes, every call ends, in a value that makes
// sense or in an error.
func FuzzReplies(f *testing.F) {
	ok := []byte{7, 1, 0}
	params := append([]byte{7, 17, 0}, 0, 0, 0, 0, 0, 200, 0, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0, 2, 0, 6)
	product := append([]byte{7, 47, 0}, make([]byte, 46)...)
	f.Add(bytes.Join([][]byte{ok, params, product, ok, ok, ok, {2, 2, 1, 2}, {8, 1, 3}}, nil))
	f.Add(bytes.Join([][]byte{ok, params, {7, 1, 0xFC}, ok, {7, 1, 2}, ok, ok, {8, 0}}, nil))
	f.Add(bytes.Join([][]byte{{7, 1, 0x21}, ok, {7, 1, 0x21}, ok, params, {7, 0}, {7, 1, 0x26}}, nil))
	f.Fuzz(func(t *testing.T, in []byte) {
		cfg := quick()
		cfg.CommandTimeout, cfg.CaptureTimeout, cfg.DataTimeout, cfg.Quiet = time.Millisecond, time.Millisecond, time.Millisecond, 1
		ctx := within(t, patience)
		dev, err := r503.New(ctx, &hostile{rest: in}, cfg)
		if err != nil {
			return
		}
		if p, err := dev.Params(ctx); err == nil && (p.PacketSize < 32 || p.PacketSize > 256) {
			t.Errorf("Params = %+v", p)
		}
		if err := dev.Capture(ctx); err != nil && r503.Advice(err) == "" {
			t.Errorf("no advice for %v", err)
		}
		img, err := dev.UploadImage(ctx)
		if (img == nil) == (err == nil) || img != nil && (img.Rect.Max == image.Point{} || len(img.Pix) != img.Rect.Dx()*img.Rect.Dy()) {
			t.Errorf("UploadImage = %v, %v", img, err)
		}
		dev.TemplateCount(ctx)
		dev.Handshake(ctx)
		if ctx.Err() != nil {
			t.Error("the calls took too long")
		}
	})
}

// hostile answers each command with the next packets of rest up to an acknowledgement, or with data packets; then the line ends.
type hostile struct {
	rest, out []byte
}

func (h *hostile) Write(b []byte) (int, error) {
	for range 8 {
		if len(h.rest) < 2 {
			break
		}
		id, n := r503.PacketID(h.rest[0]), min(int(h.rest[1]), len(h.rest)-2)
		h.out, _ = r503.Packet{Address: r503.DefaultAddress, ID: id, Payload: h.rest[2 : 2+n]}.Append(h.out)
		h.rest = h.rest[2+n:]
		if id == r503.IDAck && (len(h.rest) == 0 || h.rest[0] == byte(r503.IDAck)) {
			break
		}
	}
	return len(b), nil
}

func (h *hostile) Read(b []byte) (int, error) {
	if len(h.out) == 0 && len(h.rest) < 2 {
		return 0, io.EOF
	}
	n := copy(b, h.out)
	h.out = h.out[n:]
	if n == 0 {
		time.Sleep(100 * time.Microsecond)
	}
	return n, nil
}

func (h *hostile) SetReadTimeout(time.Duration) error { return nil }
func (h *hostile) ResetInputBuffer() error            { return nil }
