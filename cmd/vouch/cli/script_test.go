package cli_test

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/cmd/vouch/cli"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vouch": func() {
		os.Exit(cli.Run(context.Background(), os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}})
}

// The scripts run the command as its users do. Beside testscript's own commands they know:
//
//	code N vouch ARGS...   runs vouch and wants that exit code, within 30 seconds
//	oneline FILE           wants exactly one line in a file, or in stdout
//
// $CLOSED is the address of a port where nobody listens, $CONSENT the consent text's first line.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CLOSED", closedPort(t))
			env.Setenv("CONSENT", api.ConsentText[:20])
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": exitCode, "oneline": oneLine},
	})
}

// closedPort is the address of a port that was just given back.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N command...")
	}
	start := time.Now()
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = err.Error()
	}
	if want := args[0]; got != want && got != "exit status "+want {
		ts.Fatalf("%q ended with %s, want %s", args[1:], got, want)
	}
	if d := time.Since(start); d > 30*time.Second {
		ts.Fatalf("%q took %s", args[1:], d)
	}
}

func oneLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: oneline FILE")
	}
	text, lines := ts.ReadFile(args[0]), 0
	for _, r := range text {
		if r == '\n' {
			lines++
		}
	}
	if lines != 1 || text[len(text)-1] != '\n' {
		ts.Fatalf("%s has %d lines, want one:\n%s", args[0], lines, text)
	}
}
