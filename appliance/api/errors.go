package api

import (
	"errors"
	"fmt"
	"net/http"
)

// ErrUnreachable means that vouchd did not answer on its socket: it is not running yet, it is
// restarting, or it broke off. The call may or may not have been acted on.
var ErrUnreachable = errors.New("vouchd does not answer")

// Codes of [Error] that callers act on.
const (
	CodeNotFound  = "not-found"
	CodeInvalid   = "invalid"
	CodeForbidden = "forbidden" // this unix user may not talk to vouchd
	CodeConflict  = "conflict"  // another ceremony, a changed digest, too early
	CodeBlocked   = "blocked"   // this request cannot be answered; the detail says why
	CodeUnready   = "unready"   // sensor, TPM or chain is not there
	CodeTooLarge  = "too-large"
	CodeInternal  = "internal"
)

// Error is a problem+json body (RFC 9457): Code is the last part of the problem type.
type Error struct {
	Status int    `json:"status"` // HTTP
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"` // what happened and what to do
}

// Errorf makes the error of a code with its HTTP status and title.
func Errorf(code, format string, args ...any) *Error {
	status, title := http.StatusInternalServerError, "Something broke in the box"
	switch code {
	case CodeNotFound:
		status, title = http.StatusNotFound, "Not found"
	case CodeInvalid:
		status, title = http.StatusUnprocessableEntity, "Not valid"
	case CodeForbidden:
		status, title = http.StatusForbidden, "Not allowed"
	case CodeConflict:
		status, title = http.StatusConflict, "Not now"
	case CodeBlocked:
		status, title = http.StatusConflict, "Cannot be answered"
	case CodeUnready:
		status, title = http.StatusServiceUnavailable, "The box is not ready"
	case CodeTooLarge:
		status, title = http.StatusRequestEntityTooLarge, "Too large"
	}
	return &Error{Status: status, Code: code, Title: title, Detail: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Title + ": " + e.Detail }
