// Command demo is `make demo`: it starts a whole box on this machine, on loopback, and tells its
// story. It is the one program that holds simulators: a virtual R503 with synthetic fingers, and
// swtpm as the TPM. Everything else that it starts is the product's own binaries.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var cfg config
	flag.StringVar(&cfg.bin, "bin", "bin", "folder of the built programs")
	flag.StringVar(&cfg.dir, "dir", ".demo", "folder for this run's state")
	flag.StringVar(&cfg.models, "models", ".cache/models", "folder of the fetched models")
	flag.StringVar(&cfg.panel, "panel", "127.0.0.1:8480", "address of the panel")
	flag.StringVar(&cfg.sensor, "sensor", "127.0.0.1:8481", "address of the demo's sensor page")
	auto := flag.Bool("auto", false, "play the whole story unattended, print one JSON object and exit; pages get free ports unless given")
	flag.Parse()
	given := make(map[string]bool)
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, address := range map[string]*string{"panel": &cfg.panel, "sensor": &cfg.sensor} {
		if *auto && !given[name] {
			*address = "127.0.0.1:0"
		}
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	result, err := play(ctx, cfg, *auto, narrator{os.Stderr})
	if err != nil && ctx.Err() != nil && !*auto {
		return // Ctrl-C while it started: what it had started has ended
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	if *auto {
		if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
			fmt.Fprintln(os.Stderr, "demo:", err)
			os.Exit(1)
		}
	}
}
