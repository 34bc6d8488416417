package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/tx"
)

// Exit codes. They are a contract with scripts: docs/cli.md lists them.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitNotFound   = 3
	exitNeedsHuman = 4
	exitRefused    = 5
)

var (
	errNeedsHuman = errors.New("a human must act at the box")
	errUnverified = errors.New("it does not verify")
)

// usageError is a mistake in the command line, or in a file that it names: nothing was done.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func code(err error) int {
	refusal := new(api.Error)
	isBox := errors.As(err, &refusal)
	_, isUsage := errors.AsType[usageError](err)
	switch {
	case err == nil:
		return exitDone
	// A node that lies is the worst news in a chain of errors.
	case errors.Is(err, errUnverified), errors.Is(err, light.ErrLying), errors.Is(err, light.ErrAttack):
		return exitRefused
	case isUsage, errors.Is(err, light.ErrConfig), isBox && refusal.Status == http.StatusUnprocessableEntity,
		isBox && refusal.Status == http.StatusRequestEntityTooLarge:
		return exitUsage
	case errors.Is(err, ledger.ErrAbsent), errors.Is(err, tx.ErrNoAccount), isBox && refusal.Status == http.StatusNotFound:
		return exitNotFound
	// A conflict is a finger that is awaited, or an answer that somebody has to finish first.
	case errors.Is(err, errNeedsHuman), isBox && refusal.Status == http.StatusConflict:
		return exitNeedsHuman
	}
	return exitFailed
}

// advice says what to do about err, where its own text does not.
func advice(err error) string {
	for _, a := range []struct {
		is   error
		text string
	}{
		{light.ErrAttack, "believe neither node; ask people whom you trust for the hash of a recent block"},
		{light.ErrLying, "name another node with --node, and keep this message: it is the evidence"},
		{light.ErrNoWitness, "name another independent node with --witness; on a devnet of one node, add --allow-no-witness"},
		{light.ErrConfig, "see --node, --witness and --allow-no-witness in vouch --help"},
		{light.ErrUnreachable, "check the address in --node and that the node runs, or name another node"},
		{light.ErrExpired, "take height and hash of a newer block from somebody you trust: --trusted-height, --trusted-hash"},
		{light.ErrStale, "wait, or name another node with --node"},
		{account.ErrRefused, "only the fee was spent; compare your balance, and the AI's rules, with what you asked (vouch account show, vouch nft show)"},
		{tx.ErrNoAccount, "an account begins with its first HEART; send it some, with a little over for fees"},
	} {
		if errors.Is(err, a.is) {
			return a.text
		}
	}
	return ""
}

// explain is the text of an error for the person at the terminal.
func explain(ctx context.Context, err error) string {
	text := err.Error()
	if ctx.Err() != nil {
		text = "interrupted: " + text
	} else if a := advice(err); a != "" {
		text += "\n  to do: " + a
	}
	return printable(text, true)
}
