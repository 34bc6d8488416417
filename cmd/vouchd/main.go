// Command vouchd is the box: it holds the sensor, the TPM, the vault and the light client, and serves
// the local API on a unix socket.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/vouchbox/vouch/appliance"
	"github.com/vouchbox/vouch/appliance/config"
)

func main() {
	path := flag.String("config", "/perm/vouch/vouchd.json", "file of the configuration")
	flag.Parse()
	if err := run(*path); err != nil {
		fmt.Fprintln(os.Stderr, "vouchd:", err)
		os.Exit(1)
	}
}

func run(path string) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return appliance.Main(ctx, cfg, slog.New(slog.NewJSONHandler(os.Stderr, nil)), os.Stdout)
}
