package config_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vouchbox/vouch/appliance/config"
)

const hash = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"

// least is the shortest file that works.
const least = `{
	"chain": {
		"id": "vouch-1",
		"primary": "http://127.0.0.1:26657",
		"witnesses": ["https://node.example:443"],
		"trust": {"height": 12, "hash": "` + hash + `"}
	}
}`

func TestLeastFileKeepsDefaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vouchd.json")
	if err := os.WriteFile(path, []byte(least), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Chain.ID, want.Chain.Primary, want.Chain.Witnesses = "vouch-1", "http://127.0.0.1:26657", []string{"https://node.example:443"}
	want.Chain.Trust.Height = 12
	if err := want.Chain.Trust.Hash.UnmarshalText([]byte(strings.ToLower(hash))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The page that owners read has an example that works, and a line for each field.
func TestOperatorGuide(t *testing.T) {
	page, err := os.ReadFile("../../docs/operator-guide.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```json\n")
	example, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the guide has no example")
	}
	c, err := config.Parse([]byte(example))
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		t.Errorf("the guide's example: %v", err)
	}
	for _, field := range fields("", reflect.TypeFor[config.Config]()) {
		if !strings.Contains(rest, "\n| `"+field+"` | ") {
			t.Errorf("the guide has no line for %s", field)
		}
	}
}

func fields(path string, typ reflect.Type) (names []string) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name := strings.TrimPrefix(path+"."+f.Tag.Get("json"), ".")
		if f.Type.Kind() == reflect.Struct {
			names = append(names, fields(name, f.Type)...)
		} else {
			names = append(names, name)
		}
	}
	return names
}

func TestEveryFieldIsRead(t *testing.T) {
	want := config.Config{
		Box: "Kitchen", StateDir: "/s", Socket: "/run/x.sock", AllowUIDs: []uint32{1001, 4294967295}, TPM: "/t",
		Sensor: config.Sensor{Path: "/dev/ttyUSB0", Baud: 115200, Password: 7, TouchLine: "GPIO07"},
		Chain: config.Chain{ID: "c", Primary: "http://a:1", Witnesses: []string{"http://b:1", "http://c:1"}, AllowNoWitness: true,
			Trust: config.Trust{Height: 9, Hash: config.Hash{1, 2}}, TrustPeriod: config.Duration(time.Hour)},
		Inference: config.Inference{Binary: "/b", ModelsDir: "/m", Require: "available"},
		Ceremony:  config.Ceremony{TouchTimeout: config.Duration(10 * time.Second), Tries: 2, CoolDown: config.Duration(time.Second)},
		Enrolment: config.Enrolment{Views: 4, Timeout: config.Duration(time.Minute)},
	}
	noZeroes(t, "", reflect.ValueOf(want))
	if err := want.Validate(); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if want.Redacted().Sensor.Password != 0 || want.Sensor.Password != 7 {
		t.Error("Redacted must hide the password in a copy")
	}
}

// noZeroes keeps the test above complete when a field is added.
func noZeroes(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			noZeroes(t, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
		return
	}
	if v.IsZero() {
		t.Errorf("%s is not set in this test", path)
	}
}

func TestMistakesOfForm(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"empty", "", "line 1: the file ends too early"},
		{"unknown field", "{\n\"sate_dir\": \"/x\"}", `line 2: there is no field "sate_dir"; did you mean "state_dir"?`},
		{"twice inside", `{"chain": {"trust": {"height": 1, "height": 2}}}`, "chain.trust.height: it is set twice"},
		{"negative", `{"allow_uids": [0, -1]}`, "allow_uids[1]: want a whole number of 0 to 4294967295, got -1"},
		{"secret", `{"sensor": {"password": "hunter2"}}`, "sensor.password: want a whole number of 0 to 4294967295, got something else"},
		{"duration without unit", `{"ceremony": {"cool_down": "30"}}`, `ceremony.cool_down: want a duration such as "30s", got "30"`},
		{"duration as number", `{"ceremony": {"cool_down": 30}}`, `ceremony.cool_down: want a duration such as "30s", got 30`},
		{"short hash", `{"chain": {"trust": {"hash": "00"}}}`, `chain.trust.hash: want 64 hex digits in quotes, got "00"`},
		{"large", strings.Repeat(" ", 1<<20) + "{}", "more than 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := config.Parse([]byte(c.file))
			if !errors.Is(err, config.ErrSyntax) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Error("the error tells the password")
			}
		})
	}
}

func TestValuesThatCannotWork(t *testing.T) {
	valid := func() config.Config {
		c, err := config.Parse([]byte(least))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, c := range []struct {
		field string
		set   func(*config.Config)
	}{
		{"box", func(c *config.Config) { c.Box = "" }},
		{"box", func(c *config.Config) { c.Box = "a\nb" }},
		{"box", func(c *config.Config) { c.Box = strings.Repeat("ä", 65) }},
		{"state_dir", func(c *config.Config) { c.StateDir = "perm" }},
		{"socket", func(c *config.Config) { c.Socket = "" }},
		{"socket", func(c *config.Config) { c.Socket = "/" + strings.Repeat("s", 107) }},
		{"tpm", func(c *config.Config) { c.TPM = "" }},
		{"sensor.path", func(c *config.Config) { c.Sensor.Path = "ttyS0" }},
		{"sensor.baud", func(c *config.Config) { c.Sensor.Baud = 57601 }},
		{"sensor.baud", func(c *config.Config) { c.Sensor.Baud = 9600 * 13 }},
		{"sensor.touch_line", func(c *config.Config) { c.Sensor.TouchLine = "\x00" }},
		{"chain.id", func(c *config.Config) { c.Chain.ID = "" }},
		{"chain.primary", func(c *config.Config) { c.Chain.Primary = "tcp://a:1" }},
		{"chain.primary", func(c *config.Config) { c.Chain.Primary = "http://user:hunter2@a:1" }},
		{"chain.witnesses", func(c *config.Config) { c.Chain.Witnesses = nil }},
		{"chain.witnesses[0]", func(c *config.Config) { c.Chain.Witnesses = []string{"nowhere"} }},
		{"chain.witnesses[0]", func(c *config.Config) { c.Chain.Witnesses[0] = c.Chain.Primary }},
		{"chain.witnesses[1]", func(c *config.Config) { c.Chain.Witnesses = append(c.Chain.Witnesses, c.Chain.Witnesses[0]) }},
		{"chain.trust.height", func(c *config.Config) { c.Chain.Trust.Height = 0 }},
		{"chain.trust.hash", func(c *config.Config) { c.Chain.Trust.Hash = config.Hash{} }},
		{"chain.trust_period", func(c *config.Config) { c.Chain.TrustPeriod = 0 }},
		{"inference.binary", func(c *config.Config) { c.Inference.Binary = "" }},
		{"inference.models_dir", func(c *config.Config) { c.Inference.ModelsDir = "" }},
		{"inference.require", func(c *config.Config) { c.Inference.Require = "none" }},
		{"ceremony.touch_timeout", func(c *config.Config) { c.Ceremony.TouchTimeout = config.Duration(time.Hour) }},
		{"ceremony.tries", func(c *config.Config) { c.Ceremony.Tries = 0 }},
		{"ceremony.cool_down", func(c *config.Config) { c.Ceremony.CoolDown = -1 }},
		{"enrolment.views", func(c *config.Config) { c.Enrolment.Views = 2 }},
		{"enrolment.timeout", func(c *config.Config) { c.Enrolment.Timeout = config.Duration(time.Hour) }},
	} {
		changed := valid()
		c.set(&changed)
		err := changed.Validate()
		if !errors.Is(err, config.ErrValue) || !strings.HasPrefix(err.Error(), config.ErrValue.Error()+": "+c.field+": ") {
			t.Errorf("%s: got %v", c.field, err)
		}
		if err != nil && (strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: more than the one problem, or a password: %v", c.field, err)
		}
	}
	none := valid()
	none.Chain.Witnesses, none.Chain.AllowNoWitness = nil, true
	if err := none.Validate(); err != nil {
		t.Error(err)
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	err := config.Default().Validate()
	for _, field := range []string{"chain.id", "chain.primary", "chain.witnesses", "chain.trust.height", "chain.trust.hash"} {
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%s is missing from %v", field, err)
		}
	}
	path := filepath.Join(t.TempDir(), "vouchd.json")
	if err := os.WriteFile(path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); !errors.Is(err, config.ErrValue) || !strings.Contains(err.Error(), path) {
		t.Errorf("Load: %v, want ErrValue with the path", err)
	}
	if _, err := config.Load(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load of nothing: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(least))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"box":"a","box":"b"}`))
	f.Add([]byte(`{"chain":{"witnesses":["a",1]}}`))
	f.Add([]byte(`{"sensor":{"baud":1e3}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := config.Parse(b)
		if err != nil {
			if !errors.Is(err, config.ErrSyntax) {
				t.Errorf("unnamed error %v", err)
			}
			return
		}
		_ = c.Validate()
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := config.Parse(again); err != nil || !reflect.DeepEqual(back, c) {
			t.Errorf("%s reads back as %+v, %v", again, back, err)
		}
	})
}
