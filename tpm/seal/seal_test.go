package seal_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/vouchbox/vouch/tpm"
	"github.com/vouchbox/vouch/tpm/seal"
	"github.com/vouchbox/vouch/tpm/tpmtest"
)

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, path string) *tpm.Device {
	t.Helper()
	dev, err := tpm.Open(within(t, time.Minute), path)
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

func TestRoundTrip(t *testing.T) {
	ctx := within(t, time.Minute)
	s := seal.New(open(t, tpmtest.Start(t).Path()))
	for _, n := range []int{1, 32, seal.MaxSecret} {
		secret := bytes.Repeat([]byte{0xa5}, n)
		blob, err := s.Seal(ctx, secret, []byte("purpose"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Unseal(ctx, blob, []byte("purpose"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, secret) {
			t.Fatalf("%d bytes came back as %x", n, got)
		}
	}
}
