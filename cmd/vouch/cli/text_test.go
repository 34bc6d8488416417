package cli

import (
	"encoding/json"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain, with spaces":  "plain, with spaces",
		"größer 日本 …":         "größer 日本 …",
		"a\nb\tc\r":           `a\nb\tc\r`,
		"\x1b[2Jgone":         `\x1b[2Jgone`,
		"\u009b2J":            `\u009b2J`, // the C1 form of ESC [
		"safe\u202egnp.exe":   `safe\u202egnp.exe`,
		"zero\u200bwidth":     `zero\u200bwidth`,
		"line\u2028separator": `line\u2028separator`,
		"nb\u00a0space":       `nb\u00a0space`,
		"bad\xffbyte":         `bad\xffbyte`,
		"\uFFFD":              "\uFFFD",
	} {
		if got := line(in); got != want {
			t.Errorf("line(%q) = %q, want %q", in, got, want)
		}
	}
	if got := printable("two\nlines\x1b", true); got != "two\nlines\\x1b" {
		t.Errorf("printable = %q", got)
	}
}

func TestLineIsHarmless(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")) + rapid.String().Draw(t, "text")
		got := line(in)
		if !utf8.ValidString(got) {
			t.Fatalf("line(%q) = %q, which is not UTF-8", in, got)
		}
		for _, r := range got {
			if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r != ' ' && unicode.IsSpace(r) {
				t.Fatalf("line(%q) = %q, which holds %U", in, got, r)
			}
		}
		if line(got) != got {
			t.Fatalf("line(%q) = %q changes when it is done again", in, got)
		}
	})
}

// Rules that are taken are the ones that were written, whichever way round.
func FuzzRules(f *testing.F) {
	f.Add([]byte(goodRules))
	f.Add([]byte(`{"rules": [{"id": 3}]}`))
	f.Add([]byte(`{"purposes": "one", "split": []}`))
	f.Add([]byte(`{"price": "2HEART", "price": "3HEART"}`))
	f.Add([]byte(`{"quorum": 4294967296, "purposes": [null]}`))
	f.Add([]byte("[[[[{"))
	f.Add([]byte(`{"rules":[{"kind":"machine"}]} {}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRules(b)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("a mistake without a name")
			}
			return
		}
		if err := r.PoH().Validate(); err != nil {
			t.Fatalf("taken, but the chain says %v", err)
		}
		written, err := writtenRules(r.PoH())
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(written)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseRules(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if diff := cmp.Diff(r.PoH(), again.PoH()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestPercent(t *testing.T) {
	t.Parallel()
	for in, want := range map[uint32]string{0: "0 %", 5: "0.05 %", 50: "0.5 %", 500: "5 %", 1000: "10 %", 4050: "40.5 %", 10_000: "100 %"} {
		if got := percent(in); got != want {
			t.Errorf("percent(%d) = %q, want %q", in, got, want)
		}
	}
}

// A kind that is none must not hide the mistakes beside it.
func TestRulesNameAllMistakes(t *testing.T) {
	t.Parallel()
	_, err := parseRules([]byte(`{"purposes": ["p"], "rules": [{"id": "a", "text": "t", "kind": ""}], "quorum": 1, "deadline_blocks": 0}`))
	if err == nil {
		t.Fatal("taken")
	}
	contains(t, err.Error(), `rules[0].kind: "" is no kind`, "price: ", "want a deadline of 1 to 100000 blocks, got 0")
}
