package seal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/vouchbox/vouch/tpm"
	"github.com/vouchbox/vouch/tpm/key"
	"github.com/vouchbox/vouch/tpm/seal"
	"github.com/vouchbox/vouch/tpm/tpmtest"
)

var kind = tpm.Kind{'V', 'S', 'E', 'A'}

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

func sealed(t testing.TB, s *seal.Sealer, secret, purpose string) []byte {
	t.Helper()
	blob, err := s.Seal(within(t, time.Minute), []byte(secret), []byte(purpose))
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func TestRoundTrip(t *testing.T) {
	ctx := within(t, time.Minute)
	sw := tpmtest.Start(t)
	s := seal.New(open(t, sw.Path()))
	for _, tt := range []struct {
		size    int
		purpose string
	}{{1, "one byte"}, {32, "a key"}, {seal.MaxSecret, "as much as fits"}, {32, ""}, {32, string(make([]byte, 5000))}} {
		secret := bytes.Repeat([]byte{0xa5}, tt.size)
		blob := sealed(t, s, string(secret), tt.purpose)
		sw.Restart(t)
		got, err := s.Unseal(ctx, blob, []byte(tt.purpose))
		if err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%d bytes came back as %x, %v", tt.size, got, err)
		}
	}
}

// Zero bytes in authorization values are a trap, at the end for a TPM and anywhere for go-tpm: of 600 purposes, about 70 have a digest with a zero
// byte, and two end with one.
func TestAnyPurposeWorks(t *testing.T) {
	s := seal.New(open(t, tpmtest.Start(t).Path()))
	for i := range 600 {
		purpose := fmt.Sprint("person ", i)
		blob := sealed(t, s, "secret", purpose)
		if got, err := s.Unseal(within(t, time.Minute), blob, []byte(purpose)); err != nil || string(got) != "secret" {
			t.Fatalf("purpose %q: %q, %v", purpose, got, err)
		}
	}
}

func TestSizes(t *testing.T) {
	s := seal.New(open(t, tpmtest.Start(t).Path()))
	for _, n := range []int{0, seal.MaxSecret + 1, 70000} {
		if _, err := s.Seal(within(t, time.Minute), make([]byte, n), nil); !errors.Is(err, seal.ErrSize) {
			t.Errorf("%d bytes: %v, want ErrSize", n, err)
		}
	}
}

func TestOtherPurpose(t *testing.T) {
	sw := tpmtest.Start(t)
	proxy := tpmtest.NewProxy(t, sw.Path())
	s := seal.New(open(t, proxy.Path()))
	blob := sealed(t, s, "secret", "person 7")
	for _, purpose := range []string{"", "person 8", "person 7 ", "person 7\x00"} {
		if got, err := s.Unseal(within(t, time.Minute), blob, []byte(purpose)); !errors.Is(err, seal.ErrContext) || got != nil {
			t.Errorf("purpose %q: %q, %v, want ErrContext", purpose, got, err)
		}
	}
	// The TPM itself refused: its answer to Unseal carries no data.
	for _, e := range proxy.Exchanges() {
		if binary.BigEndian.Uint32(e.Command[6:]) == uint32(tpm2.TPMCCUnseal) && len(e.Response) != 10 {
			t.Errorf("refused Unseal answered %x", e.Response)
		}
	}
	// However often it happens, the box is not locked out of its own secrets.
	for range 40 {
		s.Unseal(within(t, time.Minute), blob, []byte("wrong"))
	}
	if _, err := s.Unseal(within(t, time.Minute), blob, []byte("person 7")); err != nil {
		t.Errorf("after many wrong purposes: %v", err)
	}
}

func TestOtherTPM(t *testing.T) {
	one, two := open(t, tpmtest.Start(t).Path()), open(t, tpmtest.Start(t).Path())
	blob := sealed(t, seal.New(one), "secret", "p")
	if _, err := seal.New(two).Unseal(within(t, time.Minute), blob, []byte("p")); !errors.Is(err, seal.ErrOtherTPM) {
		t.Errorf("Unseal on another TPM: %v, want ErrOtherTPM", err)
	}
	name, err := tpm.PrimaryName(within(t, time.Minute), one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.New(two).Pinned(name).Seal(within(t, time.Minute), []byte("secret"), nil); !errors.Is(err, seal.ErrOtherTPM) {
		t.Errorf("pinned Seal on another TPM: %v, want ErrOtherTPM", err)
	}
	pinned := seal.New(one).Pinned(name)
	if got, err := pinned.Unseal(within(t, time.Minute), sealed(t, pinned, "secret", "p"), []byte("p")); err != nil || string(got) != "secret" {
		t.Errorf("pinned on the recorded TPM: %q, %v", got, err)
	}
	w, err := tpm.DecodeWrapped(kind, 1, blob)
	if err != nil {
		t.Fatal(err)
	}
	if w.Parent, err = tpm.PrimaryName(within(t, time.Minute), two); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.New(two).Unseal(within(t, time.Minute), w.Encode(kind, 1), []byte("p")); !errors.Is(err, seal.ErrCorrupt) {
		t.Errorf("with a rewritten root: %v, want ErrCorrupt", err)
	}
}

// Something on the bus that presents the recorded root's public part, in front of a TPM that is not it.
func TestInterposerWithTheRecordedName(t *testing.T) {
	genuine := tpmtest.NewProxy(t, tpmtest.Start(t).Path())
	name, err := tpm.PrimaryName(within(t, time.Minute), open(t, genuine.Path()))
	if err != nil {
		t.Fatal(err)
	}
	const createPrimary = uint32(tpm2.TPMCCCreatePrimary)
	var replay []byte
	for _, e := range genuine.Exchanges() {
		if binary.BigEndian.Uint32(e.Command[6:]) == createPrimary {
			replay = e.Response
		}
	}
	interposer := tpmtest.NewProxy(t, tpmtest.Start(t).Path())
	dev := open(t, interposer.Path())
	interposer.Inject(tpmtest.Fault{Command: createPrimary, Action: tpmtest.Substitute, Response: replay})
	if got, err := tpm.PrimaryName(within(t, time.Minute), dev); err != nil || got != name {
		t.Fatalf("the interposer does not even look right: %v, %v", got, err)
	}
	blob, err := seal.New(dev).Pinned(name).Seal(within(t, time.Minute), []byte("secret"), nil)
	if err == nil {
		t.Errorf("sealed to an interposer: %x", blob)
	}
}

func TestCorruptBlob(t *testing.T) {
	s := seal.New(open(t, tpmtest.Start(t).Path()))
	blob := sealed(t, s, "secret", "p")
	unseal := func(b []byte) error { _, err := s.Unseal(within(t, time.Minute), b, []byte("p")); return err }
	for i := range blob {
		bad := bytes.Clone(blob)
		bad[i] ^= 1
		if err := unseal(bad); !errors.Is(err, seal.ErrCorrupt) {
			t.Errorf("byte %d altered: %v, want ErrCorrupt", i, err)
		}
		if err := unseal(blob[:i]); !errors.Is(err, seal.ErrCorrupt) {
			t.Errorf("cut at %d: %v, want ErrCorrupt", i, err)
		}
	}
	// Somebody who also corrects the checksum meets the TPM's own integrity value.
	w, err := tpm.DecodeWrapped(kind, 1, blob)
	if err != nil {
		t.Fatal(err)
	}
	for i := 2; i < len(w.Private); i++ {
		bad := w
		bad.Private = bytes.Clone(w.Private)
		bad.Private[i] ^= 1
		if err := unseal(bad.Encode(kind, 1)); !errors.Is(err, seal.ErrCorrupt) {
			t.Errorf("private byte %d altered: %v, want ErrCorrupt", i, err)
		}
	}
	for i := 2; i < len(w.Public); i++ {
		bad := w
		bad.Public = bytes.Clone(w.Public)
		bad.Public[i] ^= 1
		if err := unseal(bad.Encode(kind, 1)); !errors.Is(err, seal.ErrCorrupt) {
			t.Errorf("public byte %d altered: %v, want ErrCorrupt", i, err)
		}
	}
	if err := unseal(w.Encode(kind, 2)); !errors.Is(err, tpm.ErrVersion) {
		t.Errorf("newer version: %v, want ErrVersion", err)
	}
	if err := unseal(blob); err != nil {
		t.Errorf("the blob itself: %v", err)
	}
}

func TestForeignObjects(t *testing.T) {
	dev := open(t, tpmtest.Start(t).Path())
	b, err := key.Create(within(t, time.Minute), dev, key.Options{})
	if err != nil {
		t.Fatal(err)
	}
	signing := tpm.Wrapped{Parent: b.Parent(), Public: b.Public(), Private: b.Private()}
	var duplicable tpm.Wrapped
	err = dev.Do(within(t, time.Minute), func(tp transport.TPM) error {
		return tpm.WithPrimary(tp, func(p tpm.Primary) (err error) {
			duplicable, err = tpm.Create(tp, p, tpm2.TPMTPublic{
				Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
				ObjectAttributes: tpm2.TPMAObject{UserWithAuth: true, NoDA: true},
				Parameters:       tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull}}),
			}, tpm2.TPMSSensitiveCreate{Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: []byte("known elsewhere")})})
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]tpm.Wrapped{"signing key": signing, "duplicable data": duplicable} {
		_, err := seal.New(dev).Unseal(within(t, time.Minute), w.Encode(kind, 1), nil)
		if !errors.Is(err, seal.ErrCorrupt) || errors.Is(err, seal.ErrContext) {
			t.Errorf("%s: %v, want ErrCorrupt", name, err)
		}
	}
}

func TestSecretIsNotOnTheWire(t *testing.T) {
	secret := []byte("correct horse battery staple 42!")
	sw := tpmtest.Start(t)
	proxy := tpmtest.NewProxy(t, sw.Path())
	dev := open(t, proxy.Path())
	s := seal.New(dev)
	seen := func() (commands, responses int) {
		for _, e := range proxy.Exchanges() {
			// 8 bytes in a row are no accident.
			for i := 0; i+8 <= len(secret); i++ {
				if bytes.Contains(e.Command, secret[i:i+8]) {
					commands++
				}
				if bytes.Contains(e.Response, secret[i:i+8]) {
					responses++
				}
			}
		}
		return commands, responses
	}
	blob := sealed(t, s, string(secret), "p")
	if got, err := s.Unseal(within(t, time.Minute), blob, []byte("p")); err != nil || !bytes.Equal(got, secret) {
		t.Fatalf("%q, %v", got, err)
	}
	if in, out := seen(); in != 0 || out != 0 {
		t.Errorf("the secret was seen %d times on its way in and %d on its way out", in, out)
	}
	if bytes.Contains(blob, secret[:8]) {
		t.Error("the secret is in the blob")
	}

	// The same search must find what is sent without encryption, in both directions; else the search is broken.
	err := dev.Do(within(t, time.Minute), func(tp transport.TPM) error {
		return tpm.WithPrimary(tp, func(p tpm.Primary) error {
			parent := tpm2.AuthHandle{Handle: p.Handle, Name: tpm2.TPM2BName{Buffer: p.Name[:]}, Auth: tpm2.PasswordAuth(nil)}
			created, err := tpm2.Create{ParentHandle: parent, InPublic: tpm2.New2B(tpm2.TPMTPublic{
				Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
				ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true},
				Parameters:       tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgNull}}),
			}), InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret})}}}.Execute(tp)
			if err != nil {
				return err
			}
			w := tpm.Wrapped{Parent: p.Name, Public: tpm2.Marshal(created.OutPublic), Private: tpm2.Marshal(created.OutPrivate)}
			return tpm.WithObject(tp, p, w, func(o tpm.Object) error {
				_, err := tpm2.Unseal{ItemHandle: o.Auth(tpm2.PasswordAuth(nil))}.Execute(tp)
				return err
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if in, out := seen(); in == 0 || out == 0 {
		t.Errorf("in the clear, the secret was seen %d times on its way in and %d on its way out", in, out)
	}
}

func TestAlteredAnswerIsRefused(t *testing.T) {
	proxy := tpmtest.NewProxy(t, tpmtest.Start(t).Path())
	s := seal.New(open(t, proxy.Path()))
	blob := sealed(t, s, "secret", "p")
	// Response to Unseal: header 10, parameter size 4, data size 2, encrypted data 6, then the session's nonce and HMAC.
	for _, offset := range []int{16, 21, 24, -1} {
		proxy.Inject(tpmtest.Fault{Command: uint32(tpm2.TPMCCUnseal), N: 1, Action: tpmtest.Corrupt, Offset: offset})
		if got, err := s.Unseal(within(t, time.Minute), blob, []byte("p")); err == nil || got != nil {
			t.Errorf("byte %d altered: %q, %v", offset, got, err)
		}
	}
}

func TestDeadTPM(t *testing.T) {
	proxy := tpmtest.NewProxy(t, tpmtest.Start(t).Path())
	s := seal.New(open(t, proxy.Path()))
	blob := sealed(t, s, "secret", "p")
	proxy.Inject(tpmtest.Fault{Command: uint32(tpm2.TPMCCUnseal), N: 1, Action: tpmtest.Hold})
	start := time.Now()
	if _, err := s.Unseal(within(t, 300*time.Millisecond), blob, []byte("p")); !errors.Is(err, tpm.ErrTimeout) {
		t.Errorf("TPM silent at Unseal: %v, want ErrTimeout", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	if got, err := s.Unseal(within(t, time.Minute), blob, []byte("p")); err != nil || string(got) != "secret" {
		t.Errorf("afterwards: %q, %v", got, err)
	}
}

func TestConcurrentUnsealing(t *testing.T) {
	s := seal.New(open(t, tpmtest.Start(t).Path()))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			secret, purpose := fmt.Sprint("secret ", i), fmt.Sprint("person ", i)
			blob, err := s.Seal(within(t, time.Minute), []byte(secret), []byte(purpose))
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := s.Unseal(within(t, time.Minute), blob, []byte(purpose)); err != nil || string(got) != secret {
				t.Errorf("%d: %q, %v", i, got, err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkUnseal(b *testing.B) {
	s := seal.New(open(b, tpmtest.Start(b).Path()))
	blob := sealed(b, s, string(make([]byte, 32)), "p")
	for b.Loop() {
		if _, err := s.Unseal(b.Context(), blob, []byte("p")); err != nil {
			b.Fatal(err)
		}
	}
}
