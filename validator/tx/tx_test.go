package tx_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/cosmos/cosmos-sdk/codec"
	codecaddress "github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	sdksecp256k1 "github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdksigning "github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/tx/signing"
	"github.com/cosmos/gogoproto/proto"

	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/light/lighttest"
	"github.com/vouchbox/vouch/validator/tx"
)

// p256 is a vote key outside a TPM.
type p256 struct {
	key  *ecdsa.PrivateKey
	high bool // a signer that forgets to lower s
}

func newP256(t testing.TB) *p256 {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &p256{key: k}
}

func (k *p256) Compressed() [33]byte {
	raw, err := k.key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	var out [33]byte
	out[0] = 2 + raw[64]&1
	copy(out[1:], raw[1:33])
	return out
}

func (k *p256) SignCompact(_ context.Context, digest [32]byte) ([64]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, k.key, digest[:])
	if err != nil {
		return [64]byte{}, err
	}
	n := elliptic.P256().Params().N
	if low := s.Cmp(new(big.Int).Rsh(n, 1)) <= 0; low == k.high {
		s.Sub(n, s)
	}
	var out [64]byte
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}

func public(k tx.Signer, curve tx.Curve) tx.PublicKey {
	return tx.PublicKey{Curve: curve, Point: k.Compressed()}
}

var timeout = time.Date(2026, 11, 1, 12, 9, 0, 123456789, time.UTC)

func vote(key tx.PublicKey) *requestv1.MsgVote {
	return &requestv1.MsgVote{Human: key.Address().String(), RequestID: 7, Decision: requestv1.DECISION_APPROVE, Shown: bytes.Repeat([]byte{1}, 32), AnchorHeight: 5, AnchorHash: bytes.Repeat([]byte{2}, 32)}
}

func build(t testing.TB, key tx.PublicKey) *tx.Unsigned {
	t.Helper()
	u, err := tx.Build(lighttest.ID, 42, key, []tx.Message{vote(key)}, tx.Options{
		Gas: 200_000, Fee: sdk.NewCoins(sdk.NewInt64Coin("aheart", 5)), Granter: bytes.Repeat([]byte{9}, 20), Timeout: timeout, Memo: "m",
	})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestSDKAcceptsWhatIsBuilt asks cosmos-sdk's own decoder, sign bytes and keys.
func TestSDKAcceptsWhatIsBuilt(t *testing.T) {
	t.Parallel()
	registry, err := codectypes.NewInterfaceRegistryWithOptions(codectypes.InterfaceRegistryOptions{
		ProtoFiles:     proto.HybridResolver,
		SigningOptions: signing.Options{AddressCodec: codecaddress.NewBech32Codec("human"), ValidatorAddressCodec: codecaddress.NewBech32Codec("humanvaloper")},
	})
	if err != nil {
		t.Fatal(err)
	}
	cryptocodec.RegisterInterfaces(registry)
	registry.RegisterImplementations((*sdk.Msg)(nil), &requestv1.MsgVote{})
	config := authtx.NewTxConfig(codec.NewProtoCodec(registry), []sdksigning.SignMode{sdksigning.SignMode_SIGN_MODE_DIRECT})
	file, err := tx.NewKeyFile(filepath.Join(t.TempDir(), "key.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		signer tx.Signer
		curve  tx.Curve
	}{{newP256(t), tx.P256}, {file, tx.Secp256k1}} {
		key := public(tt.signer, tt.curve)
		u := build(t, key)
		signed, err := u.Sign(t.Context(), tt.signer)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := config.TxDecoder()(signed.Raw)
		if err != nil {
			t.Fatalf("curve %d: the SDK refuses it: %v", tt.curve, err)
		}
		sigTx, ok := decoded.(authsigning.SigVerifiableTx)
		if !ok {
			t.Fatalf("got a %T", decoded)
		}
		keys, err := sigTx.GetPubKeys()
		if err != nil || len(keys) != 1 || !bytes.Equal(keys[0].Address(), key.Address()) {
			t.Fatalf("keys %v, %v; want address %X", keys, err, key.Address())
		}
		signers, err := sigTx.GetSigners()
		if err != nil || len(signers) != 1 || !bytes.Equal(signers[0], key.Address()) {
			t.Errorf("signers %X, %v; want %X", signers, err, key.Address())
		}
		sigs, err := sigTx.GetSignaturesV2()
		if err != nil || sigs[0].Sequence != 0 {
			t.Errorf("signatures %v, %v", sigs, err)
		}
		signBytes, err := authsigning.GetSignBytesAdapter(t.Context(), config.SignModeHandler(), sdksigning.SignMode_SIGN_MODE_DIRECT,
			authsigning.SignerData{ChainID: lighttest.ID, AccountNumber: 42, PubKey: keys[0], Address: key.Address().String()}, decoded)
		if err != nil || !bytes.Equal(signBytes, u.SignBytes()) {
			t.Errorf("the SDK signs other bytes: %v", err)
		}
		if !keys[0].VerifySignature(signBytes, sigs[0].Data.(*sdksigning.SingleSignatureData).Signature) {
			t.Error("the SDK does not verify the signature")
		}
		unordered, ok := decoded.(sdk.TxWithUnordered)
		if !ok || !unordered.GetUnordered() || !unordered.GetTimeoutTimeStamp().Equal(timeout) {
			t.Errorf("unordered: %v", unordered)
		}
		p, err := tx.ParseSigned(signed.Raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Verify(lighttest.ID, 42); err != nil {
			t.Error(err)
		}
		if p.Verify(lighttest.ID, 43) == nil || p.Verify("vouch-test-2", 42) == nil {
			t.Error("the signature holds for another account or chain")
		}
		var msg requestv1.MsgVote
		if err := p.Only(&msg); err != nil || !proto.Equal(&msg, vote(key)) {
			t.Errorf("message %v, %v", msg, err)
		}
		if err := p.Only(&requestv1.MsgSubmit{}); !errors.Is(err, tx.ErrMalformed) {
			t.Errorf("as another message: %v", err)
		}
		if p.Signer != key || !p.Timeout.Equal(timeout) || signed.Hash != sha256.Sum256(signed.Raw) || !slices.Equal(p.Types(), []string{"/vouch.request.v1.MsgVote"}) {
			t.Errorf("parsed %+v", p)
		}
	}
}

func TestSignerIsNotBelieved(t *testing.T) {
	t.Parallel()
	k := newP256(t)
	key := public(k, tx.P256)
	for name, s := range map[string]tx.Signer{
		"another key":    newP256(t),
		"a high s":       &p256{key: k.key, high: true},
		"a wrong digest": wrong{k},
	} {
		if _, err := build(t, key).Sign(t.Context(), s); !errors.Is(err, tx.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := build(t, public(k, tx.Secp256k1)).Sign(t.Context(), k); !errors.Is(err, tx.ErrSignature) {
		t.Errorf("another curve: %v", err)
	}
}

type wrong struct{ *p256 }

func (w wrong) SignCompact(ctx context.Context, d [32]byte) ([64]byte, error) {
	d[0] ^= 1
	return w.p256.SignCompact(ctx, d)
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	key := public(newP256(t), tx.P256)
	good := tx.Options{Gas: 1, Timeout: timeout}
	for name, f := range map[string]func() (*tx.Unsigned, error){
		"no chain":   func() (*tx.Unsigned, error) { return tx.Build("", 1, key, []tx.Message{vote(key)}, good) },
		"no message": func() (*tx.Unsigned, error) { return tx.Build("c", 1, key, nil, good) },
		"no curve":   func() (*tx.Unsigned, error) { return tx.Build("c", 1, tx.PublicKey{}, []tx.Message{vote(key)}, good) },
		"no gas": func() (*tx.Unsigned, error) {
			return tx.Build("c", 1, key, []tx.Message{vote(key)}, tx.Options{Timeout: timeout})
		},
		"no timeout": func() (*tx.Unsigned, error) {
			return tx.Build("c", 1, key, []tx.Message{vote(key)}, tx.Options{Gas: 1})
		},
		"a long memo": func() (*tx.Unsigned, error) {
			return tx.Build("c", 1, key, []tx.Message{vote(key)}, tx.Options{Gas: 1, Timeout: timeout, Memo: strings.Repeat("x", 257)})
		},
	} {
		if _, err := f(); !errors.Is(err, tx.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAddress(t *testing.T) {
	t.Parallel()
	for _, n := range []int{20, 32} {
		a := tx.Address(bytes.Repeat([]byte{7}, n))
		got, err := tx.ParseAddress(a.String())
		if err != nil || !bytes.Equal(got, a) || !strings.HasPrefix(a.String(), "human1") {
			t.Errorf("%s: %X, %v", a, got, err)
		}
	}
	for _, s := range []string{"", "human1", "cosmos1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnrujsuw", strings.ToUpper(tx.Address(make([]byte, 20)).String()), tx.Address(make([]byte, 21)).String()} {
		if a, err := tx.ParseAddress(s); !errors.Is(err, tx.ErrAddress) {
			t.Errorf("%q: %X, %v", s, a, err)
		}
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key.json")
	k, err := tx.NewKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, err := tx.ReadKeyFile(path)
	if err != nil || again.PublicKey() != k.PublicKey() {
		t.Errorf("read back: %v, %v", again, err)
	}
	point := k.Compressed()
	oracle := sdksecp256k1.PubKey{Key: point[:]}
	if !bytes.Equal(oracle.Address(), k.Address()) {
		t.Errorf("address %X, the SDK says %X", k.Address(), oracle.Address())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(string(raw), `"`)[11]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(verb, k); strings.Contains(s, secret) || !strings.Contains(s, k.Address().String()) {
			t.Errorf("%s prints %s", verb, s)
		}
	}
	if _, err := tx.NewKeyFile(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("a key would be overwritten: %v", err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ReadKeyFile(path); !errors.Is(err, tx.ErrKeyFile) || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a readable key file: %v", err)
	}
	for name, content := range map[string]string{
		"empty":         "",
		"another type":  strings.Replace(string(raw), "secp256k1", "ed25519", 1),
		"another owner": strings.Replace(string(raw), k.Address().String(), tx.Address(make([]byte, 20)).String(), 1),
		"a zero key":    `{"type":"secp256k1","address":"","private_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`,
		"more fields":   `{"type":"secp256k1","address":"","private_key":"","x":1}`,
		"two values":    string(raw) + string(raw),
	} {
		p := filepath.Join(t.TempDir(), "key.json")
		if err := os.WriteFile(p, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ReadKeyFile(p); !errors.Is(err, tx.ErrKeyFile) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := tx.ReadKeyFile(t.TempDir()); !errors.Is(err, tx.ErrKeyFile) {
		t.Errorf("a folder: %v", err)
	}
}

func TestAccountAndBalance(t *testing.T) {
	t.Parallel()
	c := lighttest.New(t, 1)
	addr, module := public(newP256(t), tx.P256).Address(), tx.Address(bytes.Repeat([]byte{3}, 20))
	pack := func(a proto.Message) []byte {
		packed, err := codectypes.NewAnyWithValue(a)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := packed.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	c.Set("acc", append(authtypes.AddressStoreKeyPrefix.Bytes(), addr...), pack(&authtypes.BaseAccount{Address: addr.String(), AccountNumber: 42, Sequence: 9}))
	c.Set("acc", append(authtypes.AddressStoreKeyPrefix.Bytes(), module...), pack(&authtypes.ModuleAccount{BaseAccount: &authtypes.BaseAccount{Address: module.String()}, Name: "gov"}))
	amount, ok := math.NewIntFromString("7800000000000000000000000000")
	if !ok {
		t.Fatal("bad amount")
	}
	raw, err := banktypes.BalanceValueCodec.Encode(amount)
	if err != nil {
		t.Fatal(err)
	}
	c.Set("bank", append(append(append(banktypes.BalancesPrefix.Bytes(), byte(len(addr))), addr...), "aheart"...), raw)
	c.Commit(2)
	lc := c.Client(t, nil)
	if n, err := tx.AccountNumber(t.Context(), lc, addr); err != nil || n != 42 {
		t.Errorf("account number %d, %v", n, err)
	}
	if _, err := tx.AccountNumber(t.Context(), lc, make(tx.Address, 20)); !errors.Is(err, tx.ErrNoAccount) {
		t.Errorf("no account: %v", err)
	}
	if _, err := tx.AccountNumber(t.Context(), lc, module); !errors.Is(err, tx.ErrMalformed) {
		t.Errorf("a module's account: %v", err)
	}
	if b, err := tx.Balance(t.Context(), lc, addr, "aheart"); err != nil || !b.Equal(amount) {
		t.Errorf("balance %s, %v", b, err)
	}
	if b, err := tx.Balance(t.Context(), lc, addr, "other"); err != nil || !b.IsZero() {
		t.Errorf("balance of another coin %s, %v", b, err)
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	k := newP256(t)
	signed, err := build(t, public(k, tx.P256)).Sign(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("included", func(t *testing.T) {
		t.Parallel()
		c := lighttest.New(t, 1)
		c.App = func(lighttest.State, []byte) uint32 { return 4 }
		c.Auto = true
		lc := c.Client(t, nil)
		for range 2 {
			inc, err := tx.Send(t.Context(), lc, signed, time.Millisecond)
			if err != nil || inc.Code() != 4 {
				t.Fatalf("%v, %v", inc, err)
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		c := lighttest.New(t, 1)
		c.Check = func([]byte) uint32 { return 13 }
		if _, err := tx.Send(t.Context(), c.Client(t, nil), signed, time.Millisecond); !errors.Is(err, light.ErrRefused) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("refused because it is in", func(t *testing.T) {
		t.Parallel()
		c := lighttest.New(t, 1)
		c.Check = func([]byte) uint32 { return 13 }
		c.Deliver(signed.Raw)
		c.Commit(1)
		lc := c.Client(t, nil)
		time.AfterFunc(5*time.Millisecond, func() { c.Commit(1) })
		if _, err := tx.Send(t.Context(), lc, signed, time.Millisecond); err != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("timed out", func(t *testing.T) {
		t.Parallel()
		c := lighttest.New(t, 1)
		c.Sleep(10 * time.Minute)
		c.Commit(1)
		if _, err := tx.Send(t.Context(), c.Client(t, nil), signed, time.Millisecond); !errors.Is(err, tx.ErrTimedOut) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		if _, err := tx.Send(ctx, lighttest.New(t, 1).Client(t, nil), signed, time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// FuzzParseSigned demands that what parses is the only way to write what it means.
func FuzzParseSigned(f *testing.F) {
	k := newP256(f)
	signed, err := build(f, public(k, tx.P256)).Sign(f.Context(), k)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed.Raw)
	f.Add(append(bytes.Clone(signed.Raw), 0x22, 0))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := tx.ParseSigned(raw)
		if err != nil {
			if !errors.Is(err, tx.ErrMalformed) {
				t.Errorf("an error without a name: %v", err)
			}
			return
		}
		var msg requestv1.MsgVote
		if p.Verify(lighttest.ID, 42) == nil && p.Signer == public(k, tx.P256) && (p.Only(&msg) != nil || !proto.Equal(&msg, vote(p.Signer))) {
			t.Error("a signature holds for another message")
		}
	})
}
