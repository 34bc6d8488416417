package config

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
)

// maxFile is the most bytes of a file.
const maxFile = 1 << 20

// Load reads and validates the file at path.
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	c, err := Parse(b)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse lays a file over Default. It checks the form; Validate checks the values.
func Parse(b []byte) (Config, error) {
	if len(b) > maxFile {
		return Config{}, fmt.Errorf("%w: more than %d bytes", ErrSyntax, maxFile)
	}
	c := Default()
	p := parser{text: b, dec: json.NewDecoder(bytes.NewReader(b))}
	if err := p.value("", reflect.ValueOf(&c).Elem()); err != nil {
		return Config{}, err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return Config{}, p.fail("", "there is something after the closing brace")
	}
	return c, nil
}

// parser walks the file beside the Config, so that each mistake has a field and a line. encoding/json
// alone would match names in any case, take the last of two values, and name no line.
type parser struct {
	text []byte
	dec  *json.Decoder
}

func (p *parser) value(path string, v reflect.Value) error {
	_, isText := v.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case isText:
		return p.leaf(path, v)
	case v.Kind() == reflect.Struct:
		return p.object(path, v)
	case v.Kind() == reflect.Slice:
		return p.list(path, v)
	}
	return p.leaf(path, v)
}

func (p *parser) object(path string, v reflect.Value) error {
	if err := p.delimiter(path, '{', "an object"); err != nil {
		return err
	}
	seen := map[string]bool{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return p.broken(path, err)
		}
		name, _ := token.(string)
		field, names := fieldNamed(v, name)
		switch {
		case !field.IsValid():
			return p.fail(path, "there is no field %q%s; did you mean %q?", name, inside(path), nearest(name, names))
		case seen[name]:
			return p.fail(join(path, name), "it is set twice")
		}
		seen[name] = true
		if err := p.value(join(path, name), field); err != nil {
			return err
		}
	}
	return p.delimiter(path, '}', "the end of an object")
}

func (p *parser) list(path string, v reflect.Value) error {
	if err := p.delimiter(path, '[', "a list"); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for p.dec.More() {
		element := reflect.New(v.Type().Elem()).Elem()
		if err := p.value(fmt.Sprintf("%s[%d]", path, v.Len()), element); err != nil {
			return err
		}
		v.Set(reflect.Append(v, element))
	}
	return p.delimiter(path, ']', "the end of a list")
}

func (p *parser) delimiter(path string, want json.Delim, what string) error {
	token, err := p.dec.Token()
	if err != nil {
		return p.broken(path, err)
	}
	if token != want {
		return p.fail(path, "want %s, got %s", what, kindOf(token))
	}
	return nil
}

func (p *parser) leaf(path string, v reflect.Value) error {
	var raw json.RawMessage
	if err := p.dec.Decode(&raw); err != nil {
		return p.broken(path, err)
	}
	if string(raw) == "null" {
		return p.fail(path, "want %s, got null; leave the field out for its default", form(v))
	}
	got := shorten(raw)
	if path == "sensor.password" {
		got = "something else"
	}
	err := json.Unmarshal(raw, v.Addr().Interface())
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return p.fail(path, "want %s, got %s", form(v), got)
	}
	if err != nil {
		return p.fail(path, "want %s, got %s: %v", form(v), got, err)
	}
	return nil
}

// form says in words what a field takes.
func form(v reflect.Value) string {
	switch v.Addr().Interface().(type) {
	case *Duration:
		return `a duration such as "30s"`
	case *Hash:
		return "64 hex digits in quotes"
	}
	switch {
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.Kind() == reflect.String:
		return "a text in quotes"
	case v.CanUint():
		return fmt.Sprintf("a whole number of 0 to %d", uint64(1)<<v.Type().Bits()-1)
	}
	return "a whole number"
}

func kindOf(token json.Token) string {
	switch t := token.(type) {
	case json.Delim:
		return map[json.Delim]string{'{': "an object", '[': "a list", '}': "the end of an object", ']': "the end of a list"}[t]
	case string:
		return "a text"
	case bool:
		return "true or false"
	case nil:
		return "null"
	}
	return "a number"
}

func (p *parser) broken(path string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return p.fail(path, "the file ends too early")
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("%w: line %d: %w", ErrSyntax, p.line(syntax.Offset), err)
	}
	return p.fail(path, "%v", err)
}

func (p *parser) fail(path, format string, args ...any) error {
	where := fmt.Sprintf("line %d", p.line(p.dec.InputOffset()))
	if path != "" {
		where += ", " + path
	}
	return fmt.Errorf("%w: %s: %s", ErrSyntax, where, fmt.Sprintf(format, args...))
}

// line is the line, from 1, of the last character read before offset.
func (p *parser) line(offset int64) int {
	offset = min(offset, int64(len(p.text)))
	return 1 + bytes.Count(p.text[:offset], []byte("\n"))
}

func fieldNamed(v reflect.Value, name string) (field reflect.Value, names []string) {
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag.Get("json")
		if tag == name {
			field = v.Field(i)
		}
		names = append(names, tag)
	}
	return field, names
}

func join(path, name string) string { return strings.TrimPrefix(path+"."+name, ".") }

func inside(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}

func shorten(raw []byte) string {
	if len(raw) > 80 {
		return string(raw[:80]) + "..."
	}
	return string(raw)
}
