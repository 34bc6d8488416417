package cli

import (
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/appliance/config/strict"
	"github.com/vouchbox/vouch/validator/chain/ainft"
	"github.com/vouchbox/vouch/validator/poh"
)

func manual(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// blocks are the fenced texts of the manual with that info string.
func blocks(t *testing.T, info string) []string {
	t.Helper()
	var out []string
	for _, m := range regexp.MustCompile("(?ms)^```"+info+"\n(.*?)^```").FindAllStringSubmatch(manual(t), -1) {
		out = append(out, m[1])
	}
	if len(out) == 0 {
		t.Fatalf("docs/cli.md has no block %q", info)
	}
	return out
}

func TestManualSettings(t *testing.T) {
	t.Parallel()
	for _, b := range blocks(t, "json settings") {
		s, err := strict.Parse([]byte(b), settings{})
		if err != nil {
			t.Error(err)
		}
		if _, err := s.Trust.block(); err != nil {
			t.Error(err)
		}
		if s.Socket != defaultSocket {
			t.Errorf("the socket is %q, the default %q", s.Socket, defaultSocket)
		}
	}
}

func TestManualRules(t *testing.T) {
	t.Parallel()
	for _, b := range blocks(t, "json rules") {
		if _, err := parseRules([]byte(b)); err != nil {
			t.Error(err)
		}
	}
	contains(t, manual(t), "1 to 16, of 1 to 500 bytes", "1 to 32, of 1 to 500 bytes", "1 to 101", "1 to 100000", "adds up to 10000", "at most 2000 bytes", "at most 14 days old",
		"at most 100 bytes, and does, at most 2000")
	if maxName != ainft.MaxName || maxDescription != ainft.MaxDescription {
		t.Error("the chain's bounds of an AI NFT's texts changed: change them here and in docs/cli.md")
	}
	if poh.MaxPurposes != 16 || poh.MaxRuleText != 500 || poh.MaxRules != 32 || poh.MaxQuorum != 101 || poh.MaxDeadline != 100_000 ||
		poh.BasisPoints != 10_000 || poh.MaxInstruction != 2000 || trustPeriod != 14*24*time.Hour {
		t.Error("a bound changed: change docs/cli.md with it")
	}
}

func TestManualVerdict(t *testing.T) {
	t.Parallel()
	for _, b := range blocks(t, "json verdict") {
		if _, err := strict.Parse([]byte(b), verdict{}); err != nil {
			t.Error(err)
		}
	}
}

func TestManualNamesEverything(t *testing.T) {
	t.Parallel()
	text := manual(t)
	quoted := func(name string) bool {
		return strings.Contains(text, "`"+name+"`") || strings.Contains(text, "`"+name+" ")
	}
	for cmd := range commands(newRoot()) {
		if cmd.Runnable() && !cmd.HasSubCommands() && !quoted(cmd.CommandPath()) && !quoted(cmd.Name()) {
			t.Errorf("docs/cli.md does not name %s", cmd.CommandPath())
		}
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(cmd.LocalFlags().FlagUsages(), -1) {
			if flag != "--help" && !quoted(flag) {
				t.Errorf("docs/cli.md does not name %s of %s", flag, cmd.CommandPath())
			}
		}
	}
	for _, m := range regexp.MustCompile("`(vouch[a-z ]*)( [A-Z]+)*`").FindAllStringSubmatch(text, -1) {
		words := strings.Fields(m[1])
		if cmd, rest, err := newRoot().Find(words[1:]); len(words) > 1 && (err != nil || len(rest) > 0) {
			t.Errorf("docs/cli.md names %q, which there is not (%s, %v)", m[1], cmd.CommandPath(), rest)
		}
	}
}

func newRoot() *cobra.Command {
	root := (&command{Streams: Streams{Out: io.Discard, Err: io.Discard}, now: time.Now}).root()
	root.InitDefaultHelpCmd()
	return root
}

func commands(root *cobra.Command) func(func(*cobra.Command) bool) {
	return func(yield func(*cobra.Command) bool) {
		if !yield(root) {
			return
		}
		for _, sub := range root.Commands() {
			for cmd := range commands(sub) {
				if !yield(cmd) {
					return
				}
			}
		}
	}
}

// Every example, in the manual and in the help, is a command line that the program takes.
func TestExamples(t *testing.T) {
	t.Parallel()
	examples := blocks(t, "sh")
	for cmd := range commands(newRoot()) {
		examples = append(examples, cmd.Example)
	}
	n := 0
	for _, example := range examples {
		for l := range strings.Lines(strings.ReplaceAll(example, "\\\n", " ")) {
			l, ok := strings.CutPrefix(strings.TrimSpace(l), "vouch ")
			if !ok {
				continue
			}
			n++
			l, _, _ = strings.Cut(l, " | ")
			l, _, _ = strings.Cut(l, " > ")
			if err := takes(shellWords(t, l)); err != nil {
				t.Errorf("vouch %s: %v", l, err)
			}
		}
	}
	if n < 15 {
		t.Errorf("%d examples were tried", n)
	}
}

// shellWords splits a line as a shell does.
func shellWords(t *testing.T, l string) []string {
	t.Helper()
	out, err := exec.Command("sh", "-c", `printf '%s\n' `+l).Output()
	if err != nil {
		t.Fatalf("%s: %v", l, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// takes reports what the program would say about a command line before it does anything.
func takes(words []string) error {
	root := newRoot()
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	return cmd.ValidateRequiredFlags()
}

func TestManualExitCodes(t *testing.T) {
	t.Parallel()
	contains(t, manual(t), "| 0 | done |", "| 1 | failed:", "| 2 | wrong usage:", "| 3 | there is no such thing", "| 4 | a human must act", "| 5 | refused because it does not verify")
	for i, code := range []int{exitDone, exitFailed, exitUsage, exitNotFound, exitNeedsHuman, exitRefused} {
		if i != code {
			t.Errorf("exit code %d became %d: scripts rely on it", i, code)
		}
	}
}
