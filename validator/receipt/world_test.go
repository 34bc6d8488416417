package receipt

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/light/lighttest"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// voteKey is a P-256 key outside a TPM.
type voteKey struct{ *ecdsa.PrivateKey }

func (k voteKey) Compressed() [33]byte {
	raw, err := k.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	var out [33]byte
	out[0] = 2 + raw[64]&1
	copy(out[1:], raw[1:33])
	return out
}

func (k voteKey) SignCompact(_ context.Context, digest [32]byte) ([64]byte, error) {
	var out [64]byte
	// Without randomness the signature is RFC 6979's: a fuzzer's processes must make the same file.
	der, err := k.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return out, err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return out, err
	}
	if n := elliptic.P256().Params().N; sig.S.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
		sig.S.Sub(n, sig.S)
	}
	sig.R.FillBytes(out[:32])
	sig.S.FillBytes(out[32:])
	return out, nil
}

// world is a chain on which a request was approved by two humans of three, executed and paid.
type world struct {
	chain   *lighttest.Chain
	light   *light.Client
	payload []byte
	output  []byte
	nft     ainftv1.NFT
	rules   ainftv1.Rules
	request requestv1.Request
	receipt requestv1.Receipt
	keys    []voteKey
}

type marshaler interface{ Marshal() ([]byte, error) }

func (w *world) put(t testing.TB, store string, key []byte, m marshaler) {
	t.Helper()
	raw, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	w.chain.Set(store, key, raw)
}

var owner, requester, worker = tx.Address(bytes.Repeat([]byte{1}, 20)), tx.Address(bytes.Repeat([]byte{2}, 20)), tx.Address(bytes.Repeat([]byte{3}, 20))

func newWorld(t testing.TB) *world { return newWorldOf(t, 2) }

func newWorldOf(t testing.TB, quorum uint32) *world {
	t.Helper()
	w := &world{chain: lighttest.New(t, 3), payload: []byte("RIFF a spoken sentence"), output: []byte(`{"text":"hello"}`)}
	heart := sdk.NewInt64Coin("aheart", 1000)
	model, runtime := poh.Sum([]byte("model")), poh.Sum([]byte("runtime"))
	w.nft = ainftv1.NFT{Id: 3, Owner: owner.String(), Name: "Speech", Description: "writes down what it hears", Model: model[:], RulesVersion: 2}
	w.rules = ainftv1.Rules{
		Version: 2, Purposes: []string{"transcription"}, Rules: []ainftv1.Rule{{Id: "consent", Text: "Everybody heard agreed to it.", Kind: ainftv1.RULE_KIND_JUDGEMENT}},
		Quorum: quorum, Price: heart, DeadlineBlocks: 100, Split: ainftv1.Split{Owner: 4000, Voters: 3000, Worker: 2000, Network: 1000},
	}
	input := poh.Sum(w.payload)
	w.request = requestv1.Request{
		Id: 7, NFTID: 3, RulesVersion: 2, Requester: requester.String(), Purpose: "transcription", Instruction: "Write it down.", PayloadDigest: input[:],
		PayloadSize: uint64(len(w.payload)), MediaType: "audio/wav", Inline: true, Escrow: heart, State: requestv1.STATE_OPEN, Quorum: quorum, DeadlineHeight: 1000,
	}
	shown, err := w.request.ShownAs(lighttest.ID, w.nft, w.rules.PoH())
	if err != nil {
		t.Fatal(err)
	}
	digest := shown.Digest()
	w.request.Shown = digest[:]
	w.put(t, ainftv1.StoreKey, ainftv1.NFTKey(3), &w.nft)
	w.put(t, ainftv1.StoreKey, ainftv1.RulesKey(3, 2), &w.rules)
	w.put(t, humanv1.StoreKey, []byte{humanv1.ParamsPrefix}, &humanv1.Params{MinBond: heart})
	w.chain.Set(requestv1.StoreKey, requestv1.PayloadKey(7), w.payload)
	for i := range 3 {
		seed := poh.Sum([]byte{byte(i)})
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
		if err != nil {
			t.Fatal(err)
		}
		k := voteKey{key}
		w.keys = append(w.keys, k)
		point, addr := k.Compressed(), k.address()
		w.put(t, humanv1.StoreKey, humanv1.HumanKey(addr), &humanv1.Human{Address: addr.String(), Owner: worker.String(), VoteKey: point[:], Bond: heart, RegisteredHeight: 2})
		account, err := codectypes.NewAnyWithValue(&authtypes.BaseAccount{Address: addr.String(), AccountNumber: uint64(40 + i)})
		if err != nil {
			t.Fatal(err)
		}
		w.put(t, "acc", tx.AccountKey(addr), account)
	}
	w.chain.App = w.deliver
	w.chain.Commit(2)
	for i, d := range []requestv1.Decision{requestv1.DECISION_APPROVE, requestv1.DECISION_REJECT, requestv1.DECISION_APPROVE} {
		w.chain.Deliver([]byte("another transaction"), w.vote(t, i, d))
		w.chain.Commit(2)
	}
	out := poh.Sum(w.output)
	w.receipt = requestv1.Receipt{RequestID: 7, Worker: worker.String(), Height: w.chain.Height(), Execution: requestv1.Execution{
		Model: model[:], Input: input[:], OutputDigest: out[:], Output: w.output, Runtime: runtime[:], Engine: "onnxruntime 1.25.0", DeviceClass: "amd64-cpu", DurationMs: 140,
	}}
	w.request.State, w.request.Approvals, w.request.Rejections = requestv1.STATE_FINAL, 2, 1
	w.write(t)
	w.light = w.chain.Client(t, nil)
	return w
}

// write puts request and receipt as they are now into the state.
func (w *world) write(t testing.TB) {
	t.Helper()
	w.put(t, requestv1.StoreKey, requestv1.RequestKey(7), &w.request)
	w.put(t, requestv1.StoreKey, requestv1.ReceiptKey(7), &w.receipt)
	w.chain.Commit(3)
}

func (k voteKey) address() tx.Address {
	return tx.PublicKey{Curve: tx.P256, Point: k.Compressed()}.Address()
}

func (w *world) vote(t testing.TB, i int, d requestv1.Decision) []byte {
	t.Helper()
	anchor := w.chain.Block(w.chain.Height())
	k := w.keys[i]
	u, err := tx.Build(lighttest.ID, uint64(40+i), tx.PublicKey{Curve: tx.P256, Point: k.Compressed()}, []tx.Message{&requestv1.MsgVote{
		Human: k.address().String(), RequestID: 7, Decision: d, Shown: w.request.Shown, AnchorHeight: anchor.Height, AnchorHash: anchor.Hash[:],
	}}, tx.Options{Gas: 1, Timeout: w.chain.Now().Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := u.Sign(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return signed.Raw
}

func (w *world) deliver(s lighttest.State, raw []byte) uint32 {
	p, err := tx.ParseSigned(raw)
	if err != nil {
		return 1
	}
	var m requestv1.MsgVote
	if err := p.Only(&m); err != nil {
		return 2
	}
	v, err := (&requestv1.Vote{RequestID: m.RequestID, Human: m.Human, Decision: m.Decision, Shown: m.Shown, AnchorHeight: m.AnchorHeight, AnchorHash: m.AnchorHash, Height: s.Height()}).Marshal()
	if err != nil {
		return 3
	}
	s.Set(requestv1.StoreKey, requestv1.VoteKey(m.RequestID, p.Signer.Address()), v)
	return 0
}
