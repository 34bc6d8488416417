package strict

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// form says in words what a field takes.
func form(f field) string {
	if own, ok := f.Addr().Interface().(interface{ Form() string }); ok {
		return own.Form()
	}
	switch {
	case f.Kind() == reflect.Bool:
		return "true or false"
	case f.CanUint():
		return fmt.Sprintf("a whole number of 0 to %d", uint64(1)<<f.Type().Bits()-1)
	case f.CanInt():
		return "a whole number"
	}
	return "a text in quotes"
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

// quote is what was written, at most 80 bytes of it.
func quote(raw []byte, secret bool) string {
	switch {
	case raw[0] == '{' || raw[0] == '[':
		return kindOf(json.Delim(raw[0]))
	case secret:
		return "something else"
	case len(raw) > 80:
		return strings.ToValidUTF8(string(raw[:80]), "") + "..."
	}
	return string(raw)
}
