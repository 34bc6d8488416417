package appliance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"testing"

	"github.com/vouchbox/vouch/validator/node"
)

// worlds is how many boxes run at a time: their tests wait for blocks and time-outs, not for the processor.
const worlds = "6"

// nodeEnv makes this program be a node, on the home that it names.
const nodeEnv = "VOUCH_TEST_NODE"

func TestMain(m *testing.M) {
	if home, ok := os.LookupEnv(nodeEnv); ok {
		runNode(home)
		return
	}
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		if err := flag.Set("test.parallel", worlds); err != nil {
			log.Fatal(err)
		}
	}
	os.Exit(m.Run())
}

// runNode serves until its standard input ends, which it does with the test.
func runNode(home string) {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	pv, err := node.LoadFilePV(home)
	if err != nil {
		log.Fatal(err)
	}
	// CometBFT's information holds whole services, which it changes while they are written out.
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	n, err := node.New(ctx, node.Config{Home: home}, pv, logger)
	if err != nil {
		log.Fatal(err)
	}
	err = n.Start(ctx)
	if err == nil {
		fmt.Printf("{\"rpc\":%q}\n", n.RPC())
		err = n.Wait(ctx)
	}
	if err = errors.Join(err, n.Stop()); err != nil {
		log.Fatal(err)
	}
}
