package sensors

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// PersonID names one enrolled person on one box. It is random and says nothing about the person.
type PersonID [16]byte

// NewPersonID returns a random PersonID.
func NewPersonID() PersonID {
	var id PersonID
	rand.Read(id[:]) // never fails: crypto/rand aborts the program instead
	return id
}

// ParsePersonID reads the 32 hex digits that String writes. Upper case, spaces and the zero id are refused,
// so that each person has one spelling.
func ParsePersonID(s string) (PersonID, error) {
	var id PersonID
	if len(s) != hex.EncodedLen(len(id)) {
		return PersonID{}, fmt.Errorf("person id: %d characters, want %d hex digits", len(s), hex.EncodedLen(len(id)))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return PersonID{}, fmt.Errorf("person id: %w", err)
	}
	if id.String() != s {
		return PersonID{}, fmt.Errorf("person id: want lower-case hex digits")
	}
	if id.IsZero() {
		return PersonID{}, fmt.Errorf("person id: all zero")
	}
	return id, nil
}

// String returns 32 lower-case hex digits.
func (id PersonID) String() string { return hex.EncodeToString(id[:]) }

// IsZero reports whether id is unset.
func (id PersonID) IsZero() bool { return id == PersonID{} }

// MarshalText implements encoding.TextMarshaler.
func (id PersonID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *PersonID) UnmarshalText(text []byte) error {
	p, err := ParsePersonID(string(text))
	if err != nil {
		return err
	}
	*id = p
	return nil
}
