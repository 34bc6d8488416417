package appliance

import (
	"context"
	"flag"
	"io"
	"log"
	"os"
	"testing"

	"github.com/vouchbox/vouch/validator/node/nodecmd"
)

// worlds is how many boxes run at a time: their tests wait for blocks and time-outs, not for the processor.
const worlds = "6"

// nodeEnv makes this program be vouchnode, on the home that it names.
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

func runNode(home string) {
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	cmd := nodecmd.Command(os.Stdout, os.Stderr)
	cmd.SetArgs([]string{"start", "--home", home})
	if err := cmd.ExecuteContext(ctx); err != nil {
		log.Fatal(err)
	}
}
