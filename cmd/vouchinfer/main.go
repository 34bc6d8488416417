// Command vouchinfer runs one network in the sandbox that vouchd starts it in.
//
//	vouchinfer      the worker: talks on descriptor 3, only vouchd starts it
//	vouchinfer gpu  print what this machine's GPU reports, as JSON
//
// The Go runtime must not keep cgroup files open inside the sandbox:
//
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/vouchbox/vouch/inference/process"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "vouchinfer:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 0:
		return process.Serve(ctx)
	case slices.Equal(args, []string{"gpu"}):
		return process.PrintGPU(ctx, os.Stdout)
	}
	return errors.New("usage: vouchinfer gpu (without arguments vouchd starts it as a worker)")
}
