package appliance

import (
	"flag"
	"log"
	"os"
	"testing"
)

// worlds is how many boxes run at a time: their tests wait for blocks and time-outs, not for the processor.
const worlds = "6"

func TestMain(m *testing.M) {
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
