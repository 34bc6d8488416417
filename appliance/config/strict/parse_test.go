package strict_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vouchbox/vouch/appliance/config/strict"
)

type span time.Duration

func (span) Form() string { return `a duration such as "30s"` }

func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

func (s *span) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	*s = span(d)
	return err
}

type inner struct {
	Height int64  `json:"height"`
	Hash   string `json:"hash,omitempty"`
}

type file struct {
	Name  string   `json:"name"`
	On    bool     `json:"on"`
	Tries uint8    `json:"tries"`
	Most  uint64   `json:"most"`
	Wait  span     `json:"wait"`
	IDs   []uint32 `json:"ids"`
	Inner inner    `json:"inner"`
	List  []inner  `json:"list"`
	PIN   uint32   `json:"pin" strict:"secret"`
	Code  []span   `json:"code" strict:"secret"`
}

func TestParse(t *testing.T) {
	t.Parallel()
	defaults := file{Name: "box", IDs: []uint32{7, 8}, Inner: inner{Height: 3, Hash: "ab"}}
	for _, c := range []struct {
		text string
		want file
	}{
		{" {}\n", defaults},
		{`{"name": "a", "inner": {"height": -4}}`, file{Name: "a", IDs: []uint32{7, 8}, Inner: inner{Height: -4, Hash: "ab"}}},
		{`{"ids": [1], "\u006eame": "é"}`, file{Name: "é", IDs: []uint32{1}, Inner: defaults.Inner}},
		{`{"ids": [], "list": [{}, {"hash": "x"}], "on": true, "tries": 255, "wait": "2m", "pin": 9, "code": ["1s"], "most": 18446744073709551615}`,
			file{Name: "box", IDs: []uint32{}, List: []inner{{}, {Hash: "x"}}, On: true, Tries: 255, Wait: span(2 * time.Minute), PIN: 9,
				Code: []span{span(time.Second)}, Most: 1<<64 - 1, Inner: defaults.Inner}},
	} {
		got, err := strict.Parse([]byte(c.text), defaults)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.text, diff)
		}
	}
	if !cmp.Equal(defaults.IDs, []uint32{7, 8}) {
		t.Errorf("the default list became %v", defaults.IDs)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "line 1: the file ends too early"},
		{"only space", " \n ", "line 1: the file ends too early"},
		{"not an object", `[]`, "line 1: want an object, got a list"},
		{"unknown field", "{\n\"nmae\": \"/x\"}", `line 2: there is no field "nmae"; did you mean "name"? (fields: name, on, tries, most, wait, ids, inner, list, pin, code)`},
		{"unknown inside", "{\"inner\":\n\n{\"heigth\": 1}}", `line 3, inner: there is no field "heigth"; did you mean "height"? (fields: height, hash)`},
		{"unknown in a list", `{"list": [{}, {"haash": 1}]}`, `line 1, list[1]: there is no field "haash"; did you mean "hash"`},
		{"another case", `{"Name": "b"}`, `line 1: there is no field "Name"; did you mean "name"?`},
		{"twice", "{\"name\": \"a\",\n\"name\": \"b\"}", "line 2, name: it is set twice"},
		{"twice, once escaped", `{"name": "a", "\u006eame": "b"}`, "line 1, name: it is set twice"},
		{"twice inside", `{"inner": {"height": 1, "height": 2}}`, "line 1, inner.height: it is set twice"},
		{"after the end", "{}\n{}", "line 2: something follows the closing brace; one file holds one object"},
		{"garbage after", "{} x", "line 1: something follows the closing brace"},
		{"cut", "{\"name\": \"a\"", "line 1: the file ends too early"},
		{"cut in a text", "{\"name\": \"a", "line 1, name: the file ends too early"},
		{"no comma", "{\"name\": \"a\"\n\"on\": true}", "line 2: invalid character"},
		{"no value", "{\n\n\"inner\": {\"hash\":\n\n nowhere}}", "line 5, inner.hash: invalid character"},
		{"line break in a text", "{\n\"name\": \"a\nb\"}", "line 2, name: invalid character"},
		{"number as text", `{"name": 7}`, "line 1, name: want a text in quotes, got 7"},
		{"object as text", `{"name": {"a": 1}}`, "line 1, name: want a text in quotes, got an object"},
		{"text as number", `{"inner": {"height": "fast"}}`, `line 1, inner.height: want a whole number, got "fast"`},
		{"fraction", `{"inner": {"height": 1.5}}`, "line 1, inner.height: want a whole number, got 1.5"},
		{"negative", `{"ids": [0, -1]}`, "line 1, ids[1]: want a whole number of 0 to 4294967295, got -1"},
		{"too large", `{"tries": 256}`, "line 1, tries: want a whole number of 0 to 255, got 256"},
		{"far too large", `{"most": 18446744073709551616}`, "line 1, most: want a whole number of 0 to 18446744073709551615, got 18446744073709551616"},
		{"long", `{"on": "` + strings.Repeat("é", 80) + `"}`, `line 1, on: want true or false, got "` + strings.Repeat("é", 39) + "..."},
		{"bool", `{"on": "yes"}`, `line 1, on: want true or false, got "yes"`},
		{"own text without unit", `{"wait": "30"}`, `line 1, wait: want a duration such as "30s", got "30": time: missing unit`},
		{"own text as number", `{"wait": 30}`, `line 1, wait: want a duration such as "30s", got 30`},
		{"null", `{"name": null}`, "line 1, name: want a text in quotes, got null; leave the field out instead"},
		{"null object", `{"inner": null}`, "line 1, inner: want an object, got null"},
		{"not a list", `{"ids": "1"}`, "line 1, ids: want a list, got a text"},
		{"secret", `{"pin": "hunter2"}`, "line 1, pin: want a whole number of 0 to 4294967295, got something else"},
		{"secret list", `{"pin": ["hunter2"]}`, "line 1, pin: want a whole number of 0 to 4294967295, got a list"},
		{"secret own text", `{"code": ["hunter2"]}`, `line 1, code[0]: want a duration such as "30s", got something else`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := strict.Parse([]byte(c.text), file{Name: "box"})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the error tells the secret")
			}
			if !reflect.ValueOf(got).IsZero() {
				t.Errorf("with an error came %+v", got)
			}
		})
	}
}

// Whatever is taken means the same to encoding/json with its own strictness, and is taken again when it is
// written back.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"name": "a", "on": true, "wait": "1s", "inner": {"height": 1, "hash": "x"}, "list": [{}], "ids": [1, 2]}`))
	f.Add([]byte(`{"inner": {"height": 1e3}}`))
	f.Add([]byte(`{"inner": 1, "on": "yes"}`))
	f.Add([]byte(`{"list": [["a"], null]}`))
	f.Add([]byte(`{"name": "a", "name": "b"}`))
	f.Add([]byte("{\"name\": \"\xff\\ud800\"}"))
	f.Add([]byte("[[[[{"))
	f.Add([]byte(`{"ids":[1,]} {}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := strict.Parse(b, file{})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "line ") {
				t.Fatalf("a mistake without a line: %v", err)
			}
			return
		}
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.DisallowUnknownFields()
		var std file
		if err := d.Decode(&std); err != nil {
			t.Fatalf("%q is taken, encoding/json says %v", b, err)
		}
		if diff := cmp.Diff(std, got); diff != "" {
			t.Fatal(diff)
		}
		got.IDs, got.List, got.Code = append([]uint32{}, got.IDs...), append([]inner{}, got.List...), append([]span{}, got.Code...)
		raw, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := strict.Parse(raw, file{}); err != nil || !cmp.Equal(got, again) {
			t.Fatalf("%s reads back as %+v, %v", raw, again, err)
		}
	})
}
