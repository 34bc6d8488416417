// Command vouch is the command line of box owners, AI authors, requesters and auditors.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/vouchbox/vouch/cmd/vouch/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first Ctrl-C ends the command in order; the second ends it at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
