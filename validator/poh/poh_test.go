package poh_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/validator/poh"
	"pgregory.net/rapid"
)

func TestDigestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := poh.Sum(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		if back, err := poh.ParseDigest(d.String()); err != nil || back != d {
			t.Fatalf("%s reads back as %s, %v", d, back, err)
		}
		if back, err := poh.DigestFromBytes(d[:]); err != nil || back != d {
			t.Fatalf("%s copies as %s, %v", d, back, err)
		}
	})
	good := poh.Sum(nil).String()
	for _, s := range []string{"", good[1:], good + "0", strings.ToUpper(good), "g" + good[1:], " " + good[1:], strings.Repeat("é", 32)} {
		if _, err := poh.ParseDigest(s); !errors.Is(err, poh.ErrDigest) {
			t.Errorf("ParseDigest(%q): %v, want ErrDigest", s, err)
		}
		var d poh.Digest
		if err := d.UnmarshalText([]byte(s)); !errors.Is(err, poh.ErrDigest) || !d.IsZero() {
			t.Errorf("UnmarshalText(%q): %v and %s, want ErrDigest and nothing", s, err, d)
		}
	}
	for _, n := range []int{0, 31, 33} {
		if _, err := poh.DigestFromBytes(make([]byte, n)); !errors.Is(err, poh.ErrDigest) {
			t.Errorf("%d bytes: %v, want ErrDigest", n, err)
		}
	}
}

// BIP-39 words of a 128-bit entropy start with the same 11-bit groups: its published vectors are the oracle.
func TestWordsAgreeWithBIP39(t *testing.T) {
	for first, want := range map[byte][4]string{
		0x00: {"abandon", "abandon", "abandon", "abandon"},
		0x7f: {"legal", "winner", "thank", "year"},
		0x80: {"letter", "advice", "cage", "absurd"},
		0xff: {"zoo", "zoo", "zoo", "zoo"},
	} {
		var d poh.Digest
		for i := range d {
			d[i] = first
		}
		if got := d.Words(); got != want {
			t.Errorf("%#x...: %q, want %q", first, got, want)
		}
	}
}

func TestDecisionText(t *testing.T) {
	for d, text := range map[poh.Decision]string{poh.Approve: "approve", poh.Reject: "reject", poh.Abstain: "abstain"} {
		b, err := json.Marshal(d)
		if err != nil || string(b) != `"`+text+`"` {
			t.Errorf("%d is written %s, %v", d, b, err)
		}
		var back poh.Decision
		if err := json.Unmarshal(b, &back); err != nil || back != d {
			t.Errorf("%s reads back as %v, %v", b, back, err)
		}
	}
	for _, s := range []string{"", "Approve", "yes", "decision(1)"} {
		if _, err := poh.ParseDecision(s); !errors.Is(err, poh.ErrDecision) {
			t.Errorf("ParseDecision(%q): %v, want ErrDecision", s, err)
		}
	}
}

func rules() poh.Rules {
	return poh.Rules{
		Version: 1, Purposes: []string{"transcription"}, Quorum: 2, Price: "5aheart", Deadline: 10,
		Rules: []poh.Rule{{ID: "a", Text: "Do no harm.", Kind: poh.Judgement}, {ID: "b", Text: "At most 30 s.", Kind: poh.MachineChecked}},
		Split: poh.Split{Owner: 4000, Voters: 3000, Worker: 2500, Network: 500},
	}
}

func TestRulesThatCannotGovern(t *testing.T) {
	if err := rules().Validate(); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", poh.MaxRuleText+1)
	for name, change := range map[string]func(*poh.Rules){
		"version 0":        func(r *poh.Rules) { r.Version = 0 },
		"no purpose":       func(r *poh.Rules) { r.Purposes = nil },
		"empty purpose":    func(r *poh.Rules) { r.Purposes = []string{""} },
		"long purpose":     func(r *poh.Rules) { r.Purposes = []string{long} },
		"many purposes":    func(r *poh.Rules) { r.Purposes = make([]string, poh.MaxPurposes+1) },
		"no rule":          func(r *poh.Rules) { r.Rules = nil },
		"many rules":       func(r *poh.Rules) { r.Rules = make([]poh.Rule, poh.MaxRules+1) },
		"rule without id":  func(r *poh.Rules) { r.Rules[0].ID = "" },
		"id taken":         func(r *poh.Rules) { r.Rules[1].ID = "a" },
		"no text":          func(r *poh.Rules) { r.Rules[0].Text = "" },
		"long text":        func(r *poh.Rules) { r.Rules[0].Text = long },
		"no kind":          func(r *poh.Rules) { r.Rules[0].Kind = 0 },
		"unknown kind":     func(r *poh.Rules) { r.Rules[0].Kind = 3 },
		"quorum 0":         func(r *poh.Rules) { r.Quorum = 0 },
		"quorum too large": func(r *poh.Rules) { r.Quorum = poh.MaxQuorum + 1 },
		"deadline 0":       func(r *poh.Rules) { r.Deadline = 0 },
		"deadline too far": func(r *poh.Rules) { r.Deadline = poh.MaxDeadline + 1 },
		"split too small":  func(r *poh.Rules) { r.Split.Owner-- },
		"split too large":  func(r *poh.Rules) { r.Split.Network++ },
		"split wraps":      func(r *poh.Rules) { r.Split = poh.Split{Owner: 1<<32 - 1, Voters: poh.BasisPoints + 1} },
	} {
		r := rules()
		change(&r)
		if err := r.Validate(); !errors.Is(err, poh.ErrRules) {
			t.Errorf("%s: %v, want ErrRules", name, err)
		}
	}
}

func shown() poh.Shown {
	return poh.Shown{
		ChainID: "c", RequestID: 1, NFT: 2, Model: poh.Sum([]byte("m")), RulesVersion: 3, Rules: poh.Sum([]byte("r")), Requester: "q",
		Purpose: "p", Instruction: "i", Payload: poh.Sum([]byte("l")), PayloadSize: 4, MediaType: "t", Escrow: "5aheart",
	}
}

// A field that the digest forgot could be shown one way and signed another.
func TestEveryShownFieldIsSigned(t *testing.T) {
	base := shown()
	v := reflect.ValueOf(&base).Elem()
	for i := range v.NumField() {
		other := shown()
		f := reflect.ValueOf(&other).Elem().Field(i)
		change(t, f)
		if other.Digest() == base.Digest() {
			t.Errorf("another %s has the same digest", v.Type().Field(i).Name)
		}
	}
}

func TestEveryRuleFieldIsSigned(t *testing.T) {
	base := rules().Digest()
	seen := map[poh.Digest]string{base: "the unchanged rules"}
	note := func(name string, r poh.Rules) {
		if was, ok := seen[r.Digest()]; ok {
			t.Errorf("%s has the digest of %s", name, was)
		}
		seen[r.Digest()] = name
	}
	for i := range reflect.TypeFor[poh.Rules]().NumField() {
		r := rules()
		f := reflect.ValueOf(&r).Elem().Field(i)
		name := reflect.TypeFor[poh.Rules]().Field(i).Name
		switch f.Kind() {
		case reflect.Slice:
			f.Set(f.Slice(0, f.Len()-1))
			note(name+", one less", r)
		case reflect.Struct:
			for j := range f.NumField() {
				r := rules()
				change(t, reflect.ValueOf(&r).Elem().Field(i).Field(j))
				note(fmt.Sprintf("%s field %d", name, j), r)
			}
		default:
			change(t, f)
			note(name, r)
		}
	}
	for j := range reflect.TypeFor[poh.Rule]().NumField() {
		r := rules()
		r.Rules = slices.Clone(r.Rules)
		change(t, reflect.ValueOf(&r.Rules[0]).Elem().Field(j))
		note(fmt.Sprintf("rule field %d", j), r)
	}
}

func change(t *testing.T, f reflect.Value) {
	t.Helper()
	switch {
	case f.Kind() == reflect.String:
		f.SetString(f.String() + "x")
	case f.CanUint():
		f.SetUint(f.Uint() + 1)
	case f.Kind() == reflect.Array:
		f.Index(f.Len() - 1).SetUint(f.Index(f.Len()-1).Uint() ^ 1)
	default:
		t.Fatalf("this test does not know how to change a %s", f.Kind())
	}
}

// Lengths go before texts, so that moving a character across a border changes the digest.
func TestBordersAreSigned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(1, 40, 80).Draw(t, "text")
		i := rapid.IntRange(0, len(text)).Draw(t, "i")
		j := rapid.IntRange(0, len(text)).Draw(t, "j")
		a, b := shown(), shown()
		a.Purpose, a.Instruction = text[:i], text[i:]
		b.Purpose, b.Instruction = text[:j], text[j:]
		if (a.Digest() == b.Digest()) != (i == j) {
			t.Fatalf("split of %q at %d and %d", text, i, j)
		}
	})
}

func TestChallengeAndPossessionBindTheirInputs(t *testing.T) {
	s, b := poh.Sum([]byte("s")), poh.Block{Height: 9, Hash: poh.Sum([]byte("b"))}
	key := [33]byte{2, 1}
	all := []poh.Digest{
		poh.Challenge(s, poh.Approve, b, []byte("h")),
		poh.Challenge(poh.Sum(nil), poh.Approve, b, []byte("h")),
		poh.Challenge(s, poh.Reject, b, []byte("h")),
		poh.Challenge(s, poh.Approve, poh.Block{Height: 10, Hash: b.Hash}, []byte("h")),
		poh.Challenge(s, poh.Approve, poh.Block{Height: 9}, []byte("h")),
		poh.Challenge(s, poh.Approve, b, []byte("i")),
		poh.Challenge(s, poh.Approve, b, nil),
		poh.Possession("c", "o", key),
		poh.Possession("co", "", key),
		poh.Possession("c", "p", key),
		poh.Possession("c", "o", [33]byte{3, 1}),
	}
	seen := map[poh.Digest]int{}
	for i, d := range all {
		if j, ok := seen[d]; ok {
			t.Errorf("cases %d and %d have the same digest", i, j)
		}
		seen[d] = i
	}
}

func TestTally(t *testing.T) {
	for _, c := range []struct {
		count  poh.Count
		quorum uint32
		want   poh.Outcome
	}{
		{poh.Count{}, 1, poh.Undecided},
		{poh.Count{}, 0, poh.Undecided},
		{poh.Count{Approvals: 5, Rejections: 5}, 0, poh.Undecided},
		{poh.Count{Approvals: 1}, 1, poh.Approved},
		{poh.Count{Approvals: 1}, 2, poh.Undecided},
		{poh.Count{Rejections: 2, Approvals: 1}, 2, poh.Rejected},
		{poh.Count{Abstentions: 100}, 2, poh.Undecided},
		{poh.Count{Approvals: 1, Rejections: 1, Abstentions: 1}, 2, poh.Undecided},
	} {
		if got := poh.Tally(c.count, c.quorum); got != c.want {
			t.Errorf("Tally(%+v, %d) = %d, want %d", c.count, c.quorum, got, c.want)
		}
	}
	if _, err := (poh.Count{}).Add(0); !errors.Is(err, poh.ErrDecision) {
		t.Errorf("Add(0): %v, want ErrDecision", err)
	}
}

// Voting stops at the first decision, which then is the side that reached the quorum first.
func TestTallyIsDecidedByTheFirstQuorum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		quorum := rapid.Uint32Range(1, 7).Draw(t, "quorum")
		votes := rapid.SliceOf(rapid.SampledFrom([]poh.Decision{poh.Approve, poh.Reject, poh.Abstain})).Draw(t, "votes")
		var count poh.Count
		of := map[poh.Decision]uint32{}
		for _, v := range votes {
			var err error
			if count, err = count.Add(v); err != nil {
				t.Fatal(err)
			}
			of[v]++
			want := poh.Undecided
			switch {
			case of[poh.Approve] == quorum:
				want = poh.Approved
			case of[poh.Reject] == quorum:
				want = poh.Rejected
			}
			if got := poh.Tally(count, quorum); got != want {
				t.Fatalf("after %v: %d, want %d", of, got, want)
			}
			if want != poh.Undecided {
				return
			}
		}
	})
}

func FuzzParseDigest(f *testing.F) {
	f.Add("")
	f.Add(poh.Sum(nil).String())
	f.Add(strings.ToUpper(poh.Sum(nil).String()))
	f.Fuzz(func(t *testing.T, s string) {
		d, err := poh.ParseDigest(s)
		if err == nil && d.String() != s || err != nil && !errors.Is(err, poh.ErrDigest) {
			t.Errorf("%q: %s, %v", s, d, err)
		}
	})
}
