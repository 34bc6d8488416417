package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
)

// Bounds of the files that a command reads, in bytes.
const (
	maxText    = 1 << 20  // settings, rules
	maxReceipt = 16 << 20 // receipts
)

// readFile reads a file of at most limit bytes, so that a device or a wrong file cannot fill the memory.
func readFile(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > limit {
		return nil, fmt.Errorf("%s is larger than %d MiB", path, limit>>20)
	}
	return b, nil
}

// parse reads one JSON value into a struct. encoding/json alone would match names in any case, take the
// last of two values of one name, and name no line: rules that somebody is judged by must not be guessed.
func parse(b []byte, into any) error {
	p := parser{text: b, dec: json.NewDecoder(bytes.NewReader(b))}
	if err := p.value("", reflect.TypeOf(into).Elem()); err != nil {
		return err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return p.fail("", "something follows the closing brace; one file holds one object")
	}
	err := json.Unmarshal(b, into)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return p.at(e.Offset, e.Field, fmt.Sprintf("want %s, got %s", form(e.Type), e.Value))
	}
	return err
}

// parser walks a text beside the type that it is to become, and checks the names.
type parser struct {
	text []byte
	dec  *json.Decoder
}

func (p *parser) value(path string, t reflect.Type) error {
	token, err := p.dec.Token()
	if err != nil {
		return p.broken(path, err)
	}
	switch {
	case token == json.Delim('{') && t.Kind() == reflect.Struct:
		return p.object(path, t)
	case token == json.Delim('[') && t.Kind() == reflect.Slice:
		for i := 0; p.dec.More(); i++ {
			if err := p.value(fmt.Sprintf("%s[%d]", path, i), t.Elem()); err != nil {
				return err
			}
		}
		return p.end(path)
	case token == json.Delim('{') || token == json.Delim('[') || t.Kind() == reflect.Struct || t.Kind() == reflect.Slice:
		return p.fail(path, "want %s", form(t))
	case token == nil:
		return p.fail(path, "want %s, got null; leave the field out instead", form(t))
	}
	return nil // json.Unmarshal judges the rest
}

func (p *parser) object(path string, t reflect.Type) error {
	var names, seen []string
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names, fields[name] = append(names, name), f.Type
	}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return p.broken(path, err)
		}
		name, ok := token.(string)
		field, known := fields[name]
		switch {
		case !ok || !known:
			return p.fail(path, "there is no field %q; did you mean %q? (fields: %s)", name, nearest(name, names), strings.Join(names, ", "))
		case slices.Contains(seen, name):
			return p.fail(path, "the field %q is there twice", name)
		}
		seen = append(seen, name)
		if err := p.value(strings.TrimPrefix(path+"."+name, "."), field); err != nil {
			return err
		}
	}
	return p.end(path)
}

// end takes the closing delimiter, or says what is in its place.
func (p *parser) end(path string) error {
	if _, err := p.dec.Token(); err != nil {
		return p.broken(path, err)
	}
	return nil
}

func (p *parser) broken(path string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return p.fail(path, "the file ends too early")
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return p.at(e.Offset, path, e.Error())
	}
	return p.fail(path, "%v", err)
}

func (p *parser) fail(path, format string, args ...any) error {
	return p.at(p.dec.InputOffset(), path, fmt.Sprintf(format, args...))
}

func (p *parser) at(offset int64, path, text string) error {
	where := fmt.Sprintf("line %d", 1+bytes.Count(p.text[:min(offset, int64(len(p.text)))], []byte("\n")))
	if path != "" {
		where += ", " + path
	}
	return fmt.Errorf("%s: %s", where, text)
}

// form says in words what a field takes.
func form(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Struct:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a text in quotes"
	}
	return "a whole number"
}
