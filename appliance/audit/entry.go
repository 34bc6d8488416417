package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
	"unicode/utf8"
)

// Bounds of an entry, in bytes where nothing else is said.
const (
	MaxEvent  = 64
	MaxFields = 32 // fields
	MaxName   = 64
	MaxValue  = 4096

	// Each byte of a text becomes at most six of JSON ("\u0000").
	maxLine = 6*(MaxEvent+MaxFields*(MaxName+MaxValue)) + 1024
)

// Hash is a SHA-256 hash, 64 lower-case hex digits as text.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText writes the hex digits.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads the hex digits.
func (h *Hash) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("want %d hex digits, got %d", hex.EncodedLen(len(h)), len(b))
	}
	_, err := hex.Decode(h[:], b)
	return err
}

// Entry is one line of the log.
type Entry struct {
	Seq    uint64            `json:"seq"` // from 1, without a gap
	At     time.Time         `json:"at"`  // UTC; a clock set back shows as a step back
	Event  string            `json:"event"`
	Fields map[string]string `json:"fields"`
	Prev   Hash              `json:"prev"`
	Hash   Hash              `json:"hash"`
}

// Head is the newest entry of a verified log. The zero Head is that of an empty log.
type Head struct {
	Seq  uint64
	Hash Hash
	At   time.Time
}

// RepairedEvent is appended when Open found an unfinished last line: "bytes" is its length.
const RepairedEvent = "audit.repaired"

func (e Entry) digest() Hash {
	var b []byte
	number := func(v uint64) { b = binary.BigEndian.AppendUint64(b, v) }
	text := func(s string) { number(uint64(len(s))); b = append(b, s...) }
	text("vouch/audit/1")
	number(e.Seq)
	number(uint64(e.At.UnixNano()))
	text(e.Event)
	number(uint64(len(e.Fields)))
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		text(name)
		text(e.Fields[name])
	}
	b = append(b, e.Prev[:]...)
	return sha256.Sum256(b)
}

// next makes the entry that follows head, within bounds, or says what is out of them.
func next(head Head, at time.Time, event string, fields map[string]string) (Entry, error) {
	if fields == nil {
		fields = map[string]string{}
	}
	e := Entry{Seq: head.Seq + 1, At: at.UTC().Round(0), Event: event, Fields: fields, Prev: head.Hash}
	if err := e.check(); err != nil {
		return Entry{}, err
	}
	e.Hash = e.digest()
	return e, nil
}

func (e Entry) check() error {
	if y := e.At.Year(); y < 1970 || y > 2200 {
		return fmt.Errorf("%w: the clock says %s", ErrEntry, e.At.Format(time.RFC3339))
	}
	if !name(e.Event, MaxEvent) {
		return fmt.Errorf("%w: event %q; want 1 to %d of a-z 0-9 . _ -", ErrEntry, shorten(e.Event), MaxEvent)
	}
	if len(e.Fields) > MaxFields {
		return fmt.Errorf("%w: %s has %d fields, at most %d", ErrEntry, e.Event, len(e.Fields), MaxFields)
	}
	for k, v := range e.Fields {
		switch {
		case !name(k, MaxName):
			return fmt.Errorf("%w: %s has a field named %q; want 1 to %d of a-z 0-9 . _ -", ErrEntry, e.Event, shorten(k), MaxName)
		case len(v) > MaxValue:
			return fmt.Errorf("%w: field %s of %s has %d bytes, at most %d", ErrEntry, k, e.Event, len(v), MaxValue)
		case !utf8.ValidString(v):
			return fmt.Errorf("%w: field %s of %s is not UTF-8", ErrEntry, k, e.Event)
		}
	}
	return nil
}

func name(s string, limit int) bool {
	for _, c := range []byte(s) {
		if ('a' > c || c > 'z') && ('0' > c || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= limit
}

func shorten(s string) string {
	if len(s) > MaxName {
		return s[:MaxName] + "..."
	}
	return s
}

func (e Entry) line() ([]byte, error) {
	b, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode audit entry %d: %w", e.Seq, err)
	}
	return append(b, '\n'), nil
}

// parse reads one line, newline included. A line that is not byte for byte what line writes is refused, so
// that an entry has one form and a hash covers all of it.
func parse(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, err
	}
	e.At = e.At.UTC()
	if e.Fields == nil {
		e.Fields = map[string]string{}
	}
	if err := e.check(); err != nil {
		return Entry{}, err
	}
	again, err := e.line()
	if err != nil {
		return Entry{}, err
	}
	if !bytes.Equal(again, line) {
		return Entry{}, fmt.Errorf("the line is not in its canonical form")
	}
	if e.digest() != e.Hash {
		return Entry{}, fmt.Errorf("its hash does not match its contents")
	}
	return e, nil
}
