package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/appliance/config/strict"
)

// args wraps cobra's check of arguments so that a mistake is a usage error.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if err := check(cmd, a); err != nil {
			return usage("%w: %s; see %s --help", err, cmd.UseLine(), cmd.CommandPath())
		}
		return nil
	}
}

// subcommand refuses a name that cmd does not have, and says the nearest that it has.
func subcommand(cmd *cobra.Command, a []string) error {
	if len(a) == 0 {
		return nil
	}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return usage("%s has no command %q; did you mean %q? See %s --help", cmd.CommandPath(), a[0], strict.Nearest(a[0], names), cmd.CommandPath())
}

// flagError makes a mistake in a flag a usage error.
func flagError(cmd *cobra.Command, err error) error {
	return usage("%w; see %s --help", err, cmd.CommandPath())
}

// group is a command that only holds others.
func group(use, short string, sub ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: subcommand, RunE: func(cmd *cobra.Command, _ []string) error {
		return usage("name a command; see %s --help", cmd.CommandPath())
	}}
	g.AddCommand(sub...)
	return g
}

// help replaces cobra's, which is content with a topic that it does not know.
func help() *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Help about a command",
		RunE: func(cmd *cobra.Command, a []string) error {
			topic, rest, err := cmd.Root().Find(a)
			if err != nil {
				return usage("%w", err)
			}
			if err := subcommand(topic, rest); err != nil {
				return err
			}
			topic.InitDefaultHelpFlag()
			return topic.Help()
		},
	}
}

// completion writes the script that completes commands and flags in a shell.
func completion(root *cobra.Command) *cobra.Command {
	shell := func(name, install string, write func(io.Writer) error) *cobra.Command {
		return &cobra.Command{
			Use: name, Short: "The script for " + name, Args: args(cobra.NoArgs), Example: "  " + install,
			RunE: func(cmd *cobra.Command, _ []string) error { return write(cmd.OutOrStdout()) },
		}
	}
	return group("completion", "Scripts that complete commands in your shell",
		shell("bash", "source <(vouch completion bash)", func(w io.Writer) error { return root.GenBashCompletionV2(w, true) }),
		shell("zsh", "vouch completion zsh > ~/.zfunc/_vouch", root.GenZshCompletion),
		shell("fish", "vouch completion fish | source", func(w io.Writer) error { return root.GenFishCompletion(w, true) }),
		shell("powershell", "vouch completion powershell | Out-String | Invoke-Expression", root.GenPowerShellCompletionWithDesc),
	)
}

// require marks flags that a command cannot do without.
func require(cmd *cobra.Command, names ...string) {
	for _, name := range names {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the caller defined the flag a few lines above
		}
	}
}
