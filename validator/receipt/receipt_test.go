package receipt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/light/lighttest"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

var linkNames = []string{"format", "trusted-block", "header-path", "request", "nft", "rules", "shown", "votes", "vote-signatures", "humans", "receipt", "output"}

func TestReceiptHoldsFromEveryTrustedBlock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, height := range []int64{1, 7, 9, w.chain.Height()} {
		raw, err := Build(t.Context(), w.light, 7, w.chain.Block(height), Options{Payload: true})
		if err != nil {
			t.Fatalf("from block %d: %v", height, err)
		}
		v, links, err := Verify(raw, w.chain.Block(height), "")
		if err != nil {
			t.Fatalf("from block %d: %v", height, err)
		}
		var names []string
		for _, l := range links {
			if !l.OK || l.Detail == "" {
				t.Errorf("link %+v", l)
			}
			names = append(names, l.Name)
		}
		if !slices.Equal(names, linkNames) {
			t.Errorf("links %v, want %v", names, linkNames)
		}
		if !bytes.Equal(v.Output, w.output) || !bytes.Equal(v.Payload, w.payload) || len(v.Votes) != 3 || v.Count != (poh.Count{Approvals: 2, Rejections: 1}) ||
			v.Shown.Digest() != poh.Digest(w.request.Shown) || v.NFT.Name != "Speech" || v.Worker != worker.String() || v.Duration != 140*time.Millisecond {
			t.Errorf("from block %d: %+v", height, v)
		}
		for _, vote := range v.Votes {
			if vote.Block.Hash != w.chain.Block(vote.Block.Height).Hash || vote.Anchor != w.chain.Block(vote.Anchor.Height) || vote.Owner != worker.String() {
				t.Errorf("vote %+v", vote)
			}
		}
		other := w.chain.Block(2)
		if _, links, err := Verify(raw, other, ""); !errors.Is(err, ErrInvalid) || links[len(links)-1].Name != "trusted-block" {
			t.Errorf("trusting another block: %v", err)
		}
		if _, _, err := Verify(raw, w.chain.Block(height), "vouch-test-2"); !errors.Is(err, ErrInvalid) {
			t.Errorf("as another chain: %v", err)
		}
	}
}

func TestReceiptOverChangedValidatorsAndYears(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.chain.Validators("others", 4)
	w.chain.Commit(20)
	raw, err := Build(t.Context(), w.light, 7, w.chain.Block(1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := Verify(raw, w.chain.Block(1), lighttest.ID); err != nil {
		t.Error(err)
	}
	w.chain.Sleep(30 * 24 * time.Hour)
	w.chain.Commit(2)
	late, err := light.New(t.Context(), func() light.Config {
		c := w.chain.Config(t, w.chain.Serve(t, nil))
		c.Trust = w.chain.Block(w.chain.Height())
		return c
	}(), w.chain.Now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), late, 7, w.chain.Block(1), Options{}); !errors.Is(err, light.ErrExpired) {
		t.Errorf("over a month without a block: %v", err)
	}
	newest := w.chain.Block(w.chain.Height())
	if raw, err = Build(t.Context(), late, 7, newest, Options{}); err != nil {
		t.Fatalf("backwards over it: %v", err)
	}
	if _, _, err := Verify(raw, newest, ""); err != nil {
		t.Error(err)
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := Build(t.Context(), w.light, 8, w.chain.Block(1), Options{}); !errors.Is(err, ErrNotFinal) {
		t.Errorf("no such request: %v", err)
	}
	if _, err := Build(t.Context(), hiding{w.light}, 7, w.chain.Block(1), Options{}); !errors.Is(err, ErrVoters) {
		t.Errorf("a node that hides a voter: %v", err)
	}
	few := newWorldOf(t, 3)
	_, err := Build(t.Context(), few.light, 7, few.chain.Block(1), Options{})
	if failed, ok := errors.AsType[*LinkError](err); !ok || failed.Link != "votes" {
		t.Errorf("two approvals where three are needed: %v", err)
	}
	swapped := newWorld(t)
	swapped.swap(t)
	swapped.write(t)
	if _, err := Build(t.Context(), swapped.light, 7, swapped.chain.Block(1), Options{}); err == nil {
		t.Error("a vote in the state that nobody signed")
	}
	w.request.State = requestv1.STATE_APPROVED
	w.write(t)
	if _, err := Build(t.Context(), w.light, 7, w.chain.Block(1), Options{}); !errors.Is(err, ErrNotFinal) {
		t.Errorf("an approved request: %v", err)
	}
}

type hiding struct{ *light.Client }

func (h hiding) Keys(ctx context.Context, store string, prefix []byte) ([][]byte, error) {
	keys, err := h.Client.Keys(ctx, store, prefix)
	return keys[1:], err
}

// TestTamperedFile changes one thing that the file says; the link that guards it must fail.
func TestTamperedFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trust := w.chain.Block(1)
	raw, err := Build(t.Context(), w.light, 7, trust, Options{Payload: true})
	if err != nil {
		t.Fatal(err)
	}
	foreign := func(m tx.Message, i int) light.TxProof {
		k := w.keys[i]
		u, err := tx.Build(lighttest.ID, uint64(40+i), tx.PublicKey{Curve: tx.P256, Point: k.Compressed()}, []tx.Message{m}, tx.Options{Gas: 1, Timeout: w.chain.Now()})
		if err != nil {
			t.Fatal(err)
		}
		signed, err := u.Sign(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		return light.TxProof{Tx: signed.Raw}
	}
	for name, tt := range map[string]struct {
		link   string
		change func(f *file)
	}{
		"format name":               {"format", func(f *file) { f.Format = "vouch/receipt/2" }},
		"chain":                     {"trusted-block", func(f *file) { f.ChainID = "vouch-test-2" }},
		"no chain":                  {"format", func(f *file) { f.ChainID = "" }},
		"request id":                {"request", func(f *file) { f.RequestID = 8 }},
		"trusted height":            {"trusted-block", func(f *file) { f.Trusted.Height++ }},
		"trusted hash":              {"trusted-block", func(f *file) { f.Trusted.Hash[0] ^= 1 }},
		"first block":               {"trusted-block", func(f *file) { f.Blocks[0] = f.Blocks[1] }},
		"no blocks":                 {"format", func(f *file) { f.Blocks = nil }},
		"a block left out":          {"vote-signatures", func(f *file) { f.Blocks = slices.Delete(f.Blocks, 1, 2) }},
		"the last block left out":   {"header-path", func(f *file) { f.Blocks = f.Blocks[:len(f.Blocks)-1] }},
		"a block twice":             {"header-path", func(f *file) { f.Blocks[2] = f.Blocks[1] }},
		"a link from nowhere":       {"header-path", func(f *file) { f.Links = [][]byte{{1}} }},
		"another height":            {"header-path", func(f *file) { f.At++ }},
		"no height":                 {"format", func(f *file) { f.At = 0 }},
		"the request's value":       {"request", func(f *file) { f.Request.Value[len(f.Request.Value)-1] ^= 1 }},
		"the request's key":         {"request", func(f *file) { f.Request.Key[8] ^= 1 }},
		"the request's store":       {"request", func(f *file) { f.Request.Store = "human" }},
		"the request's height":      {"request", func(f *file) { f.Request.Height-- }},
		"the request's tree":        {"request", func(f *file) { f.Request.Tree[20] ^= 1 }},
		"the request's root":        {"request", func(f *file) { f.Request.Root[20] ^= 1 }},
		"the request called absent": {"request", func(f *file) { f.Request.Value, f.Request.Absent = nil, true }},
		"payload":                   {"request", func(f *file) { f.Payload[0] ^= 1 }},
		"payload cut":               {"request", func(f *file) { f.Payload = f.Payload[:3] }},
		"another record as NFT":     {"nft", func(f *file) { f.NFT = f.Rules }},
		"the NFT's name":            {"nft", func(f *file) { f.NFT.Value = bytes.Replace(f.NFT.Value, []byte("Speech"), []byte("Speach"), 1) }},
		"a rule's text": {"rules", func(f *file) {
			f.Rules.Value = bytes.Replace(f.Rules.Value, []byte("Everybody"), []byte("Somebody!"), 1)
		}},
		"a vote left out":             {"votes", func(f *file) { f.Votes = f.Votes[1:] }},
		"no votes":                    {"format", func(f *file) { f.Votes = nil }},
		"a vote twice":                {"votes", func(f *file) { f.Votes[1] = f.Votes[0] }},
		"votes in another order":      {"votes", func(f *file) { slices.Reverse(f.Votes) }},
		"a vote's value":              {"votes", func(f *file) { f.Votes[0].Vote.Value[2] ^= 1 }},
		"a decision":                  {"votes", func(f *file) { flipDecision(t, &f.Votes[0].Vote) }},
		"a vote's height":             {"vote-signatures", func(f *file) { f.Votes[0].Tx.Height++ }},
		"a vote's Merkle path":        {"vote-signatures", func(f *file) { f.Votes[0].Tx.Path[len(f.Votes[0].Tx.Path)-1] ^= 1 }},
		"a vote's transaction":        {"vote-signatures", func(f *file) { f.Votes[0].Tx.Tx[40] ^= 1 }},
		"another human's transaction": {"vote-signatures", func(f *file) { f.Votes[0].Tx = f.Votes[1].Tx }},
		"an account number":           {"vote-signatures", func(f *file) { f.Votes[0].AccountNumber++ }},
		"a registration":              {"vote-signatures", func(f *file) { f.Votes[0].Human = f.Votes[1].Human }},
		"a vote key": {"vote-signatures", func(f *file) {
			i := bytes.Index(f.Votes[0].Human.Value, []byte{0x1a, 33})
			f.Votes[0].Human.Value[i+10] ^= 1
		}},
		"a transaction signed later": {"vote-signatures", func(f *file) {
			p := foreign(&requestv1.MsgVote{Human: w.keys[0].address().String(), RequestID: 7, Decision: requestv1.DECISION_APPROVE, Shown: w.request.Shown}, 0)
			p.Height, p.Path = f.Votes[0].Tx.Height, f.Votes[0].Tx.Path
			f.Votes[0].Tx = p
		}},
		"the least bond": {"humans", func(f *file) { f.Params.Value[len(f.Params.Value)-1] ^= 1 }},
		"the execution's engine": {"receipt", func(f *file) {
			f.Receipt.Value = bytes.Replace(f.Receipt.Value, []byte("onnxruntime"), []byte("onnxRuntime"), 1)
		}},
		"the output":   {"receipt", func(f *file) { f.Receipt.Value = bytes.Replace(f.Receipt.Value, []byte("hello"), []byte("jello"), 1) }},
		"no execution": {"receipt", func(f *file) { f.Receipt = f.Request }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := decodeFile(raw)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(&f)
			changed, err := encodeFile(f)
			if err != nil {
				t.Fatal(err)
			}
			v, links, err := Verify(changed, trust, "")
			failed, ok := errors.AsType[*LinkError](err)
			if !ok || v != nil || !errors.Is(err, ErrInvalid) {
				t.Fatalf("it holds: %v, %v", v, err)
			}
			last := links[len(links)-1]
			if failed.Link != tt.link || last.Name != tt.link || last.OK {
				t.Errorf("the failed link is %q, want %q: %v", failed.Link, tt.link, err)
			}
		})
	}
}

func flipDecision(t *testing.T, p *light.Proof) {
	t.Helper()
	var v requestv1.Vote
	if err := v.Unmarshal(p.Value); err != nil {
		t.Fatal(err)
	}
	v.Decision = requestv1.DECISION_APPROVE + requestv1.DECISION_REJECT - v.Decision
	raw, err := v.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	p.Value = raw
}

// TestStateThatDoesNotAddUp lets the chain itself hold records that contradict each other: a
// verifier does not rely on the chain's code.
func TestStateThatDoesNotAddUp(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		link   string
		change func(t *testing.T, w *world)
	}{
		"output and digest":       {"output", func(_ *testing.T, w *world) { w.receipt.Execution.Output = []byte("something else") }},
		"model of the execution":  {"receipt", func(_ *testing.T, w *world) { w.receipt.Execution.Model = bytes.Repeat([]byte{1}, 32) }},
		"input of the execution":  {"receipt", func(_ *testing.T, w *world) { w.receipt.Execution.Input = bytes.Repeat([]byte{1}, 32) }},
		"execution before a vote": {"receipt", func(_ *testing.T, w *world) { w.receipt.Height = 7 }},
		"execution of another":    {"receipt", func(_ *testing.T, w *world) { w.receipt.RequestID = 8 }},
		"runtime is no digest":    {"receipt", func(_ *testing.T, w *world) { w.receipt.Execution.Runtime = nil }},
		"instruction":             {"shown", func(_ *testing.T, w *world) { w.request.Instruction = "Write something else." }},
		"quorum of the request":   {"rules", func(_ *testing.T, w *world) { w.request.Quorum = 1 }},
		"least bond": {"humans", func(t *testing.T, w *world) {
			w.put(t, humanv1.StoreKey, []byte{humanv1.ParamsPrefix}, &humanv1.Params{MinBond: sdk.NewInt64Coin("aheart", 1001)})
		}},
		"registered after the vote": {"humans", func(t *testing.T, w *world) { w.register(t, func(h *humanv1.Human) { h.RegisteredHeight = 50 }) }},
		"another vote key": {"vote-signatures", func(t *testing.T, w *world) {
			w.register(t, func(h *humanv1.Human) { p := w.keys[2].Compressed(); h.VoteKey = p[:] })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tt.change(t, w)
			w.write(t)
			_, err := Build(t.Context(), w.light, 7, w.chain.Block(1), Options{})
			failed, ok := errors.AsType[*LinkError](err)
			if !ok || failed.Link != tt.link {
				t.Errorf("got %v, want link %q to fail", err, tt.link)
			}
		})
	}
}

func (w *world) register(t *testing.T, change func(*humanv1.Human)) {
	t.Helper()
	k := w.keys[0]
	point := k.Compressed()
	h := &humanv1.Human{Address: k.address().String(), Owner: worker.String(), VoteKey: point[:], Bond: sdk.NewInt64Coin("aheart", 1000), RegisteredHeight: 2}
	change(h)
	w.put(t, humanv1.StoreKey, humanv1.HumanKey(k.address()), h)
}

// swap turns the rejecting vote into an approval in the state alone.
func (w *world) swap(t *testing.T) {
	t.Helper()
	v, err := w.light.Read(t.Context(), requestv1.StoreKey, requestv1.VoteKey(7, w.keys[1].address()))
	if err != nil {
		t.Fatal(err)
	}
	var vote requestv1.Vote
	if err := vote.Unmarshal(v.Bytes()); err != nil {
		t.Fatal(err)
	}
	vote.Decision = requestv1.DECISION_APPROVE
	w.put(t, requestv1.StoreKey, requestv1.VoteKey(7, w.keys[1].address()), &vote)
	w.request.Approvals, w.request.Rejections = 3, 0
}

// TestRandomFlips changes bytes anywhere; what still holds must say the same as before.
func TestRandomFlips(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	trust := w.chain.Block(1)
	raw, err := Build(t.Context(), w.light, 7, trust, Options{Payload: true})
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := Verify(raw, trust, "")
	if err != nil {
		t.Fatal(err)
	}
	f, err := decodeFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]*[]byte{
		"request": &f.Request.Tree, "request root": &f.Request.Root, "request value": &f.Request.Value, "nft": &f.NFT.Value, "rules": &f.Rules.Value, "receipt": &f.Receipt.Value,
		"vote": &f.Votes[0].Vote.Value, "vote tree": &f.Votes[0].Vote.Tree, "human": &f.Votes[1].Human.Value, "tx": &f.Votes[2].Tx.Tx, "tx path": &f.Votes[2].Tx.Path,
	}
	for i := range f.Blocks {
		parts[fmt.Sprintf("block %d", i)] = &f.Blocks[i]
	}
	var names []string
	for name := range parts {
		names = append(names, name)
	}
	slices.Sort(names)
	same := func(t *rapid.T, changed []byte, where string) {
		got, _, err := Verify(changed, trust, "")
		if err == nil && !cmp.Equal(got, want) {
			t.Errorf("changed in %s it holds and says something else: %s", where, cmp.Diff(want, got))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := bytes.Clone(raw)
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		text[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "mask"))
		same(t, text, fmt.Sprintf("byte %d", at))

		name := rapid.SampledFrom(names).Draw(t, "part")
		part := parts[name]
		keep := *part
		*part = bytes.Clone(keep)
		(*part)[rapid.IntRange(0, len(keep)-1).Draw(t, "byte")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		changed, err := encodeFile(f)
		*part = keep
		if err != nil {
			t.Fatal(err)
		}
		same(t, changed, name)
	})
}

// FuzzVerify demands a name for each refusal and no panic.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	trust := w.chain.Block(1)
	raw, err := Build(f.Context(), w.light, 7, trust, Options{Payload: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte("{}\n"))
	sum := sha256.Sum256(raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		v, links, err := Verify(b, trust, "")
		if err == nil {
			if sha256.Sum256(b) != sum && (v.Shown.RequestID != 7 || !bytes.Equal(v.Output, w.output)) {
				t.Error("another receipt holds")
			}
			return
		}
		if _, ok := errors.AsType[*LinkError](err); !ok || v != nil || len(links) == 0 {
			t.Errorf("a refusal without a name: %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	w := newWorld(b)
	trust := w.chain.Block(1)
	raw, err := Build(b.Context(), w.light, 7, trust, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := Verify(raw, trust, ""); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(raw)), "file-bytes")
}
