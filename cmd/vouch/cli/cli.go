// Package cli is the command tree of vouch. Data goes to stdout, as text or with -o json; progress
// and errors go to stderr. Only cmd/vouch and its tests import it.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 there is no such thing, 4 a human must act,
// 5 refused because it does not verify.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/tx"
)

// Streams are where the command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Exit codes.
const (
	exitFailed     = 1
	exitUsage      = 2
	exitNotFound   = 3
	exitNeedsHuman = 4
	exitRefused    = 5
)

var (
	errUsage      = errors.New("usage")
	errNeedsHuman = errors.New("a human must act at the box")
	errUnverified = errors.New("it does not verify")
)

// Run executes one command line and returns the exit code.
func Run(ctx context.Context, args []string, s Streams) int {
	c := &command{Streams: s}
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	for _, dir := range c.scratch {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(s.Err, "vouch:", strings.TrimPrefix(err.Error(), errUsage.Error()+": "))
	return code(err)
}

func code(err error) int {
	var e *api.Error
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, ledger.ErrAbsent), errors.Is(err, tx.ErrNoAccount), errors.As(err, &e) && e.Status == http.StatusNotFound:
		return exitNotFound
	case errors.Is(err, errNeedsHuman):
		return exitNeedsHuman
	case errors.Is(err, errUnverified), errors.Is(err, light.ErrLying), errors.Is(err, light.ErrAttack):
		return exitRefused
	}
	return exitFailed
}

// command is what every sub-command shares.
type command struct {
	Streams
	output string
	file   string
	flags  settings

	scratch []string // folders to remove at the end
}

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "vouch",
		Short: "Ask AIs that humans answer for, run a box, and check receipts",
		Long: `vouch talks to a box over its local socket, and to the chain through a light client that
believes no node: every value it prints was proved from the block that you trust.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetIn(c.In)
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w; see %s --help", errUsage, err, cmd.CommandPath())
	})
	p := root.PersistentFlags()
	p.StringVarP(&c.output, "output", "o", "text", "text or json")
	p.StringVar(&c.file, "config", "", "file of settings (JSON); flags win over it")
	p.StringVar(&c.flags.Node, "node", "", "RPC address of a node; it is asked, never believed")
	p.StringVar(&c.flags.ChainID, "chain-id", "", "id of the chain")
	p.StringVar(&c.flags.Socket, "socket", "", "socket of the box")
	p.StringSliceVar(&c.flags.Witnesses, "witness", nil, "RPC address of another node to compare with")
	p.BoolVar(&c.flags.AllowNoWitness, "allow-no-witness", false, "accept that one node stands alone (a devnet)")
	p.Int64Var(&c.flags.Trust.Height, "trusted-height", 0, "height of a block that you trust")
	p.StringVar(&c.flags.Trust.Hash, "trusted-hash", "", "hash of that block")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if c.output != "text" && c.output != "json" {
			return fmt.Errorf("%w: --output is text or json, not %q", errUsage, c.output)
		}
		return nil
	}
	root.AddCommand(c.status(), c.human(), c.nft(), c.request(), c.receipt(), c.verify(), c.account())
	return root
}

// print writes v as JSON, or as the text that fn writes.
func (c *command) print(v any, text func(io.Writer)) error {
	if c.output == "json" {
		return json.NewEncoder(c.Out).Encode(v)
	}
	text(c.Out)
	return nil
}

// progress tells a human what goes on.
func (c *command) progress(format string, args ...any) { fmt.Fprintf(c.Err, format+"\n", args...) }

// args wraps cobra's check of arguments so that a mistake is a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if err := check(cmd, a); err != nil {
			return fmt.Errorf("%w: %w; see %s --help", errUsage, err, cmd.CommandPath())
		}
		return nil
	}
}

// group is a command that only holds others.
func group(use, short string, sub ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: args(cobra.NoArgs), RunE: func(cmd *cobra.Command, _ []string) error {
		return fmt.Errorf("%w: name a command; see %s --help", errUsage, cmd.CommandPath())
	}}
	g.AddCommand(sub...)
	return g
}
