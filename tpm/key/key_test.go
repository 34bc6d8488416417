package key_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"

	"github.com/vouchbox/vouch/tpm"
	"github.com/vouchbox/vouch/tpm/key"
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

func newKey(t testing.TB, dev *tpm.Device, opts key.Options) (*key.Key, key.Blob) {
	t.Helper()
	blob, err := key.Create(within(t, time.Minute), dev, opts)
	if err != nil {
		t.Fatal(err)
	}
	k, err := key.Load(within(t, time.Minute), dev, blob)
	if err != nil {
		t.Fatal(err)
	}
	return k, blob
}

func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(within(t, time.Minute), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func write(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// halfOrder is n/2 of P-256, SEC 2 section 2.4.2, written out so that the test does not share the code's arithmetic.
var halfOrder, _ = new(big.Int).SetString("7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8", 16)

func TestSignaturesVerifyAndAreLow(t *testing.T) {
	k, _ := newKey(t, open(t, tpmtest.Start(t).Path()), key.Options{})
	pub := k.Public().(*ecdsa.PublicKey)
	// Half of all raw signatures have a high s: 24 in a row by luck is one in 16 million.
	for i := range 24 {
		digest := sha256.Sum256(fmt.Append(nil, i))
		compact, err := k.SignCompact(within(t, time.Minute), digest)
		if err != nil {
			t.Fatal(err)
		}
		r, s := new(big.Int).SetBytes(compact[:32]), new(big.Int).SetBytes(compact[32:])
		if !ecdsa.Verify(pub, digest[:], r, s) {
			t.Errorf("signature %d does not verify", i)
		}
		if s.Cmp(halfOrder) > 0 {
			t.Errorf("signature %d has a high s", i)
		}
		der, err := k.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if !ecdsa.VerifyASN1(pub, digest[:], der) {
			t.Errorf("DER signature %d does not verify", i)
		}
	}
}

func TestOpenSSLVerifies(t *testing.T) {
	k, _ := newKey(t, open(t, tpmtest.Start(t).Path()), key.Options{})
	dir := t.TempDir()
	message := []byte("request 7, as shown\n")
	digest := sha256.Sum256(message)
	der, err := k.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	pub := write(t, dir, "pub.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
	out := run(t, "openssl", "dgst", "-sha256", "-verify", pub, "-signature", write(t, dir, "sig", der), write(t, dir, "message", message))
	if !strings.Contains(out, "Verified OK") {
		t.Errorf("openssl: %s", out)
	}
	compressed := k.Compressed()
	if text := run(t, "openssl", "ec", "-pubin", "-in", pub, "-conv_form", "compressed", "-text", "-noout"); !strings.Contains(
		strings.Join(strings.Fields(strings.ReplaceAll(text, ":", "")), ""), fmt.Sprintf("%x", compressed)) {
		t.Errorf("openssl compresses to another point than %x:\n%s", compressed, text)
	}
}

func TestTPM2ToolsLoadTheBlob(t *testing.T) {
	sw := tpmtest.Start(t)
	k, blob := newKey(t, open(t, sw.Path()), key.Options{})
	dir := t.TempDir()
	tool := func(name string, args ...string) string {
		return run(t, name, append([]string{"-T", "swtpm:path=" + sw.Path()}, args...)...)
	}
	// The TCG template has 32 zero bytes for x and for y; the tool takes them in its own little-endian struct.
	coordinate := append([]byte{32, 0}, make([]byte, 128)...)
	unique := write(t, dir, "unique", append(coordinate, coordinate...))
	srk, loaded := filepath.Join(dir, "srk"), filepath.Join(dir, "key")
	tool("tpm2_createprimary", "-C", "o", "-g", "sha256", "-G", "ecc256:null:aes128cfb", "-u", unique,
		"-a", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt", "-c", srk)
	tool("tpm2_flushcontext", "-t")
	if text := tool("tpm2_readpublic", "-c", srk); !strings.Contains(text, "name: "+blob.Parent().String()) {
		t.Errorf("tpm2-tools make another storage root key than %v:\n%s", blob.Parent(), text)
	}
	tool("tpm2_flushcontext", "-t")
	tool("tpm2_load", "-C", srk, "-u", write(t, dir, "pub", blob.Public()), "-r", write(t, dir, "priv", blob.Private()), "-c", loaded)
	tool("tpm2_flushcontext", "-t")
	text := tool("tpm2_readpublic", "-c", loaded)
	if !strings.Contains(text, "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign\n") {
		t.Errorf("tpm2_readpublic shows other attributes:\n%s", text)
	}
	compressed := k.Compressed()
	if !strings.Contains(text, fmt.Sprintf("x: %x", compressed[1:])) {
		t.Errorf("tpm2_readpublic shows another point than %x:\n%s", compressed, text)
	}
	want := key.Attributes{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, NoDA: true, Sign: true}
	if k.Attributes() != want {
		t.Errorf("attributes %+v, want %+v", k.Attributes(), want)
	}
}

func TestKeySurvivesRestart(t *testing.T) {
	sw := tpmtest.Start(t)
	dev := open(t, sw.Path())
	k, blob := newKey(t, dev, key.Options{})
	stored, err := blob.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	sw.Restart(t)
	parsed, err := key.ParseBlob(stored)
	if err != nil {
		t.Fatal(err)
	}
	again, err := key.Load(within(t, time.Minute), dev, parsed)
	if err != nil {
		t.Fatal(err)
	}
	if again.Compressed() != k.Compressed() {
		t.Error("another key came back")
	}
	// A Key made before the restart holds nothing that the restart could break.
	if _, err := k.SignCompact(within(t, time.Minute), [32]byte{1}); err != nil {
		t.Error(err)
	}
}

func TestSigningLeavesNothingLoaded(t *testing.T) {
	sw := tpmtest.Start(t)
	k, _ := newKey(t, open(t, sw.Path()), key.Options{})
	for range 10 {
		if _, err := k.SignCompact(within(t, time.Minute), [32]byte{1}); err != nil {
			t.Fatal(err)
		}
		// Past the Device, which would tidy up what it should find.
		direct, err := linuxudstpm.Open(sw.Path())
		if err != nil {
			t.Fatal(err)
		}
		for _, first := range []tpm2.TPMHandle{tpm.TransientObjects, tpm.LoadedSessions} {
			if h, err := tpm.Handles(direct, first); err != nil || len(h) != 0 {
				t.Fatalf("handles left: %x, %v", h, err)
			}
		}
		if err := direct.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOtherTPM(t *testing.T) {
	one, two := open(t, tpmtest.Start(t).Path()), open(t, tpmtest.Start(t).Path())
	_, blob := newKey(t, one, key.Options{})
	if _, err := key.Load(within(t, time.Minute), two, blob); !errors.Is(err, key.ErrOtherTPM) || !errors.Is(err, tpm.ErrPrimaryChanged) {
		t.Errorf("Load on another TPM: %v, want ErrOtherTPM", err)
	}
	parent := blob.Parent()
	if _, err := key.Create(within(t, time.Minute), two, key.Options{Parent: &parent}); !errors.Is(err, key.ErrOtherTPM) {
		t.Errorf("Create on another TPM than the recorded one: %v, want ErrOtherTPM", err)
	}
	if _, err := key.Create(within(t, time.Minute), one, key.Options{Parent: &parent}); err != nil {
		t.Errorf("Create on the recorded TPM: %v", err)
	}
	// Rewriting the name does not help: the private part is encrypted under the other root.
	name, err := tpm.PrimaryName(within(t, time.Minute), two)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := key.ParseBlob(tpm.Wrapped{Parent: name, Public: blob.Public(), Private: blob.Private()}.Encode(tpm.Kind{'V', 'K', 'E', 'Y'}, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := key.Load(within(t, time.Minute), two, forged); !errors.Is(err, tpm.ErrCorrupt) {
		t.Errorf("Load with a rewritten root: %v, want ErrCorrupt", err)
	}
}

// foreign creates a key of the given public template under the storage root, past this package's own rules.
func foreign(t *testing.T, dev *tpm.Device, template tpm2.TPMTPublic, sensitive tpm2.TPMSSensitiveCreate) key.Blob {
	t.Helper()
	var stored []byte
	err := dev.Do(within(t, time.Minute), func(tp transport.TPM) error {
		return tpm.WithPrimary(tp, func(p tpm.Primary) error {
			w, err := tpm.Create(tp, p, template, sensitive)
			stored = w.Encode(tpm.Kind{'V', 'K', 'E', 'Y'}, 1)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	blob, err := key.ParseBlob(stored)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func TestLoadRefusesWeakKeys(t *testing.T) {
	dev := open(t, tpmtest.Start(t).Path())
	ecdsaSHA := func(curve tpm2.TPMECCCurve, hash tpm2.TPMAlgID) tpm2.TPMUPublicParms {
		return tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: curve, Scheme: tpm2.TPMTECCScheme{
			Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: hash})}})
	}
	anyScheme := tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256})
	good := tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, SignEncrypt: true}
	with := func(change func(*tpm2.TPMAObject)) tpm2.TPMAObject { a := good; change(&a); return a }
	p256 := ecdsaSHA(tpm2.TPMECCNistP256, tpm2.TPMAlgSHA256)
	for _, tt := range []struct {
		name  string
		attrs tpm2.TPMAObject
		parms tpm2.TPMUPublicParms
		says  string
	}{
		{"duplicable", with(func(a *tpm2.TPMAObject) { a.FixedTPM, a.FixedParent = false, false }), p256, "fixedTPM is false"},
		{"restricted", with(func(a *tpm2.TPMAObject) { a.Restricted = true }), p256, "restricted is true"},
		{"also decrypts", with(func(a *tpm2.TPMAObject) { a.Decrypt = true }), anyScheme, "decrypt is true"},
		{"does not sign", with(func(a *tpm2.TPMAObject) { a.Decrypt, a.SignEncrypt = true, false }), anyScheme, "sign is false"},
		{"P-384", good, ecdsaSHA(tpm2.TPMECCNistP384, tpm2.TPMAlgSHA256), "not P-256"},
		{"SHA-384", good, ecdsaSHA(tpm2.TPMECCNistP256, tpm2.TPMAlgSHA384), "not SHA-256"},
		{"free scheme", good, anyScheme, "not ECDSA"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			blob := foreign(t, dev, tpm2.TPMTPublic{Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: tt.attrs, Parameters: tt.parms,
				Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{})}, tpm2.TPMSSensitiveCreate{})
			_, err := key.Load(within(t, time.Minute), dev, blob)
			if !errors.Is(err, key.ErrAttributes) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Load: %v\nwant ErrAttributes saying %q", err, tt.says)
			}
		})
	}
	t.Run("data object", func(t *testing.T) {
		blob := foreign(t, dev, tpm2.TPMTPublic{Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: with(func(a *tpm2.TPMAObject) {}),
			Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgKeyedHash, &tpm2.TPMSKeyedHashParms{Scheme: tpm2.TPMTKeyedHashScheme{Scheme: tpm2.TPMAlgHMAC,
				Details: tpm2.NewTPMUSchemeKeyedHash(tpm2.TPMAlgHMAC, &tpm2.TPMSSchemeHMAC{HashAlg: tpm2.TPMAlgSHA256})}}),
			Unique: tpm2.NewTPMUPublicID(tpm2.TPMAlgKeyedHash, &tpm2.TPM2BDigest{})}, tpm2.TPMSSensitiveCreate{})
		if _, err := key.Load(within(t, time.Minute), dev, blob); !errors.Is(err, key.ErrAttributes) {
			t.Errorf("Load: %v, want ErrAttributes", err)
		}
	})
}

func TestAuthorization(t *testing.T) {
	sw := tpmtest.Start(t)
	proxy := tpmtest.NewProxy(t, sw.Path())
	dev := open(t, proxy.Path())
	secret := []byte("a finger matched at 12:03:55")
	k, _ := newKey(t, dev, key.Options{Auth: secret})
	if k.Attributes().NoDA {
		t.Error("wrong authorizations would not count towards lockout")
	}
	if _, err := k.SignCompact(within(t, time.Minute), [32]byte{1}); !errors.Is(err, key.ErrAuth) {
		t.Errorf("without authorization: %v, want ErrAuth", err)
	}
	right, err := k.WithAuth(secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := right.SignCompact(within(t, time.Minute), [32]byte{1}); err != nil {
		t.Errorf("with authorization: %v", err)
	}
	for _, e := range proxy.Exchanges() {
		if strings.Contains(string(e.Command)+string(e.Response), string(secret)) {
			t.Errorf("the authorization crossed the wire in the clear: %x", e.Command)
		}
	}
	for _, bad := range [][]byte{make([]byte, 33), []byte("zero\x00"), []byte("ze\x00ro")} {
		if _, err := k.WithAuth(bad); !errors.Is(err, key.ErrAuth) {
			t.Errorf("WithAuth(%q): %v, want ErrAuth", bad, err)
		}
		if _, err := key.Create(within(t, time.Minute), dev, key.Options{Auth: bad}); !errors.Is(err, key.ErrAuth) {
			t.Errorf("Create with %q: %v, want ErrAuth", bad, err)
		}
	}
	run(t, "tpm2_dictionarylockout", "-T", "swtpm:path="+sw.Path(), "--setup-parameters", "--max-tries=1", "--recovery-time=1000", "--lockout-recovery-time=1000")
	wrong, err := k.WithAuth([]byte("guess"))
	if err != nil {
		t.Fatal(err)
	}
	wrong.SignCompact(within(t, time.Minute), [32]byte{1})
	if _, err := right.SignCompact(within(t, time.Minute), [32]byte{1}); !errors.Is(err, tpm.ErrLockout) {
		t.Errorf("after a guess too many: %v, want ErrLockout", err)
	}
}

func TestSignRefusesOtherDigests(t *testing.T) {
	k, _ := newKey(t, open(t, tpmtest.Start(t).Path()), key.Options{})
	for _, tt := range []struct {
		name   string
		digest []byte
		opts   crypto.SignerOpts
	}{
		{"short", make([]byte, 31), crypto.SHA256},
		{"long", make([]byte, 33), crypto.SHA256},
		{"empty", nil, crypto.SHA256},
		{"another hash of 32 bytes", make([]byte, 32), crypto.SHA3_256},
		{"no hash", make([]byte, 32), crypto.Hash(0)},
		{"no options", make([]byte, 32), nil},
	} {
		if _, err := k.Sign(nil, tt.digest, tt.opts); !errors.Is(err, key.ErrDigest) {
			t.Errorf("%s: %v, want ErrDigest", tt.name, err)
		}
	}
}

func TestAlteredSignatureNeverLeaves(t *testing.T) {
	proxy := tpmtest.NewProxy(t, tpmtest.Start(t).Path())
	k, _ := newKey(t, open(t, proxy.Path()), key.Options{})
	for _, offset := range []int{20, 40, 60, 80, -1} {
		proxy.Inject(tpmtest.Fault{Command: uint32(tpm2.TPMCCSign), N: 1, Action: tpmtest.Corrupt, Offset: offset})
		if sig, err := k.SignCompact(within(t, time.Minute), [32]byte{1}); err == nil || sig != [64]byte{} {
			t.Errorf("byte %d altered: signature %x, error %v", offset, sig, err)
		}
	}
	if _, err := k.SignCompact(within(t, time.Minute), [32]byte{1}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestDeadTPM(t *testing.T) {
	sw := tpmtest.Start(t)
	proxy := tpmtest.NewProxy(t, sw.Path())
	k, _ := newKey(t, open(t, proxy.Path()), key.Options{})
	proxy.Inject(tpmtest.Fault{Command: uint32(tpm2.TPMCCSign), N: 1, Action: tpmtest.Hold})
	start := time.Now()
	if _, err := k.SignCompact(within(t, 300*time.Millisecond), [32]byte{1}); !errors.Is(err, tpm.ErrTimeout) {
		t.Errorf("TPM silent at Sign: %v, want ErrTimeout", err)
	}
	sw.Kill()
	if _, err := k.SignCompact(within(t, 300*time.Millisecond), [32]byte{1}); !errors.Is(err, tpm.ErrDisconnected) && !errors.Is(err, tpm.ErrTimeout) {
		t.Errorf("TPM gone: %v", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestConcurrentSigning(t *testing.T) {
	k, _ := newKey(t, open(t, tpmtest.Start(t).Path()), key.Options{})
	pub := k.Public().(*ecdsa.PublicKey)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 3 {
				digest := sha256.Sum256(fmt.Append(nil, i, j))
				sig, err := k.Sign(nil, digest[:], crypto.SHA256)
				if err != nil || !ecdsa.VerifyASN1(pub, digest[:], sig) {
					t.Errorf("signer %d: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkSign(b *testing.B) {
	k, _ := newKey(b, open(b, tpmtest.Start(b).Path()), key.Options{})
	for b.Loop() {
		if _, err := k.SignCompact(b.Context(), [32]byte{1}); err != nil {
			b.Fatal(err)
		}
	}
}
