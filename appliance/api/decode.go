package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what a caller may send.
const (
	MaxBody    = 64 << 10 // bytes of a JSON body
	MaxPayload = 16 << 20 // bytes of an artefact
	MaxReason  = 2000     // bytes
	MaxName    = 80       // bytes
	MaxLimit   = 500      // rows of a list
	maxAnswers = 64       // rules answered in one review
	maxRuleID  = 200      // bytes
)

// decode reads exactly one JSON value of at most MaxBody bytes. A field that T does not have is an
// error: a caller of another version must not have half of what it said ignored.
func decode[T any](r io.Reader) (T, error) {
	var v T
	limited := &io.LimitedReader{R: r, N: MaxBody + 1}
	d := json.NewDecoder(limited)
	d.DisallowUnknownFields()
	err := d.Decode(&v)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the value")
		}
	}
	switch {
	case limited.N <= 0:
		return v, Errorf(CodeTooLarge, "the body has more than %d bytes", MaxBody)
	case err != nil:
		return v, Errorf(CodeInvalid, "the body is not the JSON that this call takes: %v", err)
	}
	return v, nil
}

// Validate reports what no review could accept, as an [*Error]; whether every judged rule was
// answered only the review itself can say.
func (a Answer) Validate() error {
	switch a.Decision {
	case "approve", "reject", "abstain":
	default:
		return Errorf(CodeInvalid, "the decision is %q; it must be approve, reject or abstain", clip(a.Decision))
	}
	if len(a.Digest) != 64 || strings.Trim(a.Digest, "0123456789abcdef") != "" {
		return Errorf(CodeInvalid, "the digest of the review must be 64 lower-case hex digits; open the review again")
	}
	if len(a.Rules) > maxAnswers {
		return Errorf(CodeInvalid, "%d rules are answered, at most %d can be", len(a.Rules), maxAnswers)
	}
	for id, v := range a.Rules {
		switch {
		case id == "" || len(id) > maxRuleID:
			return Errorf(CodeInvalid, "a rule id has %d bytes, it must have 1 to %d", len(id), maxRuleID)
		case v != "yes" && v != "no" && v != "unsure":
			return Errorf(CodeInvalid, "rule %q is answered %q; it must be yes, no or unsure", id, clip(v))
		}
	}
	if len(a.Reason) > MaxReason || !utf8.ValidString(a.Reason) {
		return Errorf(CodeInvalid, "the reason must be text of at most %d bytes", MaxReason)
	}
	if len(a.Person) > MaxName {
		return Errorf(CodeInvalid, "the person id has more than %d bytes", MaxName)
	}
	return nil
}

// Validate reports a name that cannot be shown or a missing consent, as an [*Error].
func (r EnrolRequest) Validate() error {
	name := strings.TrimSpace(r.Name)
	if name == "" || len(r.Name) > MaxName || !utf8.ValidString(r.Name) || strings.ContainsFunc(r.Name, unicode.IsControl) {
		return Errorf(CodeInvalid, "the name must be one line of 1 to %d bytes", MaxName)
	}
	if !r.Consent {
		return Errorf(CodeInvalid, "nobody is enrolled without agreeing to the consent text")
	}
	return nil
}

func parseID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, Errorf(CodeInvalid, "%q is not a request number", clip(s))
	}
	return id, nil
}

// parseCount reads a query parameter; an absent one is def.
func parseCount(name, s string, def, most uint64) (uint64, error) {
	if s == "" {
		return def, nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > most {
		return 0, Errorf(CodeInvalid, "%s is %q; it must be a number of at most %d", name, clip(s), most)
	}
	return n, nil
}

// clip keeps foreign text in an error short.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(s[:most], ""), len(s))
}
