// Package cli is the command tree of vouch. Data goes to stdout, as text or with -o json, and nothing
// else does; progress and errors go to stderr. Amounts are in HEART. What others wrote is escaped before
// a terminal sees it. Only cmd/vouch and its tests import it; docs/cli.md is its manual.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 there is no such thing, 4 a human must act,
// 5 refused because it does not verify.
package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// Streams are where the command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run executes one command line and returns the exit code.
func Run(ctx context.Context, args []string, s Streams) int {
	return run(ctx, args, s, time.Now)
}

func run(ctx context.Context, args []string, s Streams, now func() time.Time) int {
	c := &command{Streams: s, now: now}
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	for _, dir := range c.scratch {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		fmt.Fprintln(s.Err, "vouch:", explain(ctx, err))
	}
	return code(err)
}

// command is what every sub-command shares.
type command struct {
	Streams
	now    func() time.Time
	output string
	quiet  bool
	file   string
	flags  settings

	scratch []string // folders to remove at the end
}

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "vouch",
		Short: "Ask AIs that humans answer for, run a box, and check receipts",
		Long: `vouch talks to a box over its local socket, and to the chain through a light client that
believes no node: every value it prints was proved from the block that you trust.

Data goes to stdout; progress and errors go to stderr.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 there is no such thing, 4 a human must act at the box,
5 refused because it does not verify.`,
		Example: `  vouch status
  vouch account new author.json
  vouch --config vouch.json nft show 1
  vouch --config vouch.json -o json request show 7`,
		Version:      version(),
		SilenceUsage: true, SilenceErrors: true,
		Args: subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(c.In)
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	root.SetFlagErrorFunc(flagError)
	p := root.PersistentFlags()
	p.StringVarP(&c.output, "output", "o", "text", "text or json")
	p.BoolVarP(&c.quiet, "quiet", "q", false, "no progress on stderr; errors are still said")
	p.StringVar(&c.file, "config", "", "file of settings (JSON); flags win over it")
	p.StringVar(&c.flags.Node, "node", "", "RPC address of a node; it is asked, never believed")
	p.StringVar(&c.flags.ChainID, "chain-id", "", "id of the chain")
	p.StringVar(&c.flags.Socket, "socket", "", "socket of the box (default "+defaultSocket+")")
	p.StringSliceVar(&c.flags.Witnesses, "witness", nil, "RPC address of another node to compare with; may be given again")
	p.BoolVar(&c.flags.AllowNoWitness, "allow-no-witness", false, "accept that one node stands alone (a devnet)")
	p.Int64Var(&c.flags.Trust.Height, "trusted-height", 0, "height of a block that you trust")
	p.StringVar(&c.flags.Trust.Hash, "trusted-hash", "", "hash of that block")
	if err := root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag was defined above
	}
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if c.output != "text" && c.output != "json" {
			return usage("--output is text or json, not %q", c.output)
		}
		// cobra would report these after this hook, and not as a mistake of usage.
		if err := cmd.ValidateRequiredFlags(); err != nil {
			return usage("%w; see %s --help", err, cmd.CommandPath())
		}
		return nil
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(help())
	root.AddCommand(c.status(), c.human(), c.payload(), c.account(), c.nft(), c.request(), c.receipt(), c.verify(), completion(root))
	return root
}

// version is that of the module, or the commit that the program was built from.
func version() string {
	b, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return b.Main.Version
}

// print writes v as JSON, or as the text that fn writes. Output that is lost is an error.
func (c *command) print(v any, text func(io.Writer)) error {
	var b bytes.Buffer
	if c.output == "json" {
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return fmt.Errorf("write the output: %w", err)
		}
	} else {
		text(&b)
	}
	if _, err := c.Out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// progress tells a human what goes on.
func (c *command) progress(format string, args ...any) {
	if !c.quiet {
		fmt.Fprintln(c.Err, line(fmt.Sprintf(format, args...)))
	}
}
