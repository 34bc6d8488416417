// Package strict reads JSON that a person wrote, and guesses nothing: an unknown or repeated field, a name in
// another case, null, a value of the wrong form, or anything after the object is a mistake, and its error
// names line and field. appliance/config and cmd/vouch/cli read their files with it; it imports no other
// project package.
//
// A file's type is a struct whose fields all have JSON names. Fields are texts, booleans, whole numbers, types
// that read their own text ([encoding.TextUnmarshaler]), structs, and lists of these. A type with a method
// Form() string says with it what it takes; of a field with the tag `strict:"secret"` no error quotes the value.
// Errors are for the person who wrote the file and have no sentinel; the caller adds what was read.
package strict

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Parse lays one object over defaults: what the text does not say stays, a list is replaced. After an error it
// returns a zero T.
func Parse[T any](text []byte, defaults T) (T, error) {
	p := parser{text: text, dec: json.NewDecoder(bytes.NewReader(text))}
	out := defaults
	err := p.value("", field{Value: reflect.ValueOf(&out).Elem()})
	if err == nil {
		err = p.nothing()
	}
	if err != nil {
		return *new(T), err
	}
	return out, nil
}

// parser walks the text beside the value that it becomes. encoding/json alone would match names in any
// case, take the last of two values, and name no line.
type parser struct {
	text []byte
	dec  *json.Decoder
}

// field is where a value goes.
type field struct {
	reflect.Value
	secret bool
}

func (p *parser) value(path string, f field) error {
	_, isText := f.Addr().Interface().(encoding.TextUnmarshaler)
	switch {
	case isText:
		return p.leaf(path, f)
	case f.Kind() == reflect.Struct:
		return p.object(path, f)
	case f.Kind() == reflect.Slice:
		return p.list(path, f)
	}
	return p.leaf(path, f)
}

func (p *parser) object(path string, f field) error {
	if err := p.delimiter(path, '{'); err != nil {
		return err
	}
	fields, names := fieldsOf(f)
	seen := map[string]bool{}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return p.broken(path, err)
		}
		name, _ := token.(string)
		inner, known := fields[name]
		at := strings.TrimPrefix(path+"."+name, ".")
		switch {
		case !known:
			return p.fail(path, "there is no field %q; did you mean %q? (fields: %s)", name, Nearest(name, names), strings.Join(names, ", "))
		case seen[name]:
			return p.fail(at, "it is set twice")
		}
		seen[name] = true
		if err := p.value(at, inner); err != nil {
			return err
		}
	}
	return p.delimiter(path, '}')
}

func fieldsOf(f field) (fields map[string]field, names []string) {
	fields = map[string]field{}
	for typ, v := range f.Fields() {
		name, _, _ := strings.Cut(typ.Tag.Get("json"), ",")
		fields[name] = field{v, typ.Tag.Get("strict") == "secret"}
		names = append(names, name)
	}
	return fields, names
}

func (p *parser) list(path string, f field) error {
	if err := p.delimiter(path, '['); err != nil {
		return err
	}
	// A new list: appending to the default one could write into the caller's.
	list := reflect.MakeSlice(f.Type(), 0, 0)
	for p.dec.More() {
		element := field{reflect.New(f.Type().Elem()).Elem(), f.secret}
		if err := p.value(fmt.Sprintf("%s[%d]", path, list.Len()), element); err != nil {
			return err
		}
		list = reflect.Append(list, element.Value)
	}
	f.Set(list)
	return p.delimiter(path, ']')
}

func (p *parser) delimiter(path string, want json.Delim) error {
	token, err := p.dec.Token()
	if err != nil {
		return p.broken(path, err)
	}
	if token != want {
		return p.fail(path, "want %s, got %s", kindOf(want), kindOf(token))
	}
	return nil
}

func (p *parser) leaf(path string, f field) error {
	var raw json.RawMessage
	if err := p.dec.Decode(&raw); err != nil {
		return p.broken(path, err)
	}
	if string(raw) == "null" {
		return p.fail(path, "want %s, got null; leave the field out instead", form(f))
	}
	if err := json.Unmarshal(raw, f.Addr().Interface()); err != nil {
		text := fmt.Sprintf("want %s, got %s", form(f), quote(raw, f.secret))
		// The texts of encoding/json speak of Go's types; those of a type that reads its own text help.
		if _, ok := errors.AsType[*json.UnmarshalTypeError](err); !ok && !f.secret {
			text += ": " + err.Error()
		}
		return p.fail(path, "%s", text)
	}
	return nil
}

// nothing reports what follows the object.
func (p *parser) nothing() error {
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return p.fail("", "something follows the closing brace; one file holds one object")
	}
	return nil
}

func (p *parser) broken(path string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return p.fail(path, "the file ends too early")
	}
	// The decoder's offsets leave out the tokens between values: its first mistake is found again from the start.
	if e, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(p.text, new(json.RawMessage))); ok {
		return p.at(e.Offset-1, path, e.Error())
	}
	return p.fail(path, "%v", err)
}

func (p *parser) fail(path, format string, args ...any) error {
	return p.at(p.dec.InputOffset(), path, fmt.Sprintf(format, args...))
}

func (p *parser) at(offset int64, path, text string) error {
	where := fmt.Sprintf("line %d", 1+bytes.Count(p.text[:offset], []byte("\n")))
	if path != "" {
		where += ", " + path
	}
	return fmt.Errorf("%s: %s", where, text)
}
