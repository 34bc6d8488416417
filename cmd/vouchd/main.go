// Command vouchd is the box: it holds the sensor, the TPM, the vault and the light client, and serves
// the local API on a unix socket.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/vouchbox/vouch/appliance"
	"github.com/vouchbox/vouch/appliance/config"
)

func main() {
	path := flag.String("config", "/perm/vouch/vouchd.json", "file of the configuration")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *path); err != nil {
		log.Fatalln("vouchd:", err)
	}
}

func run(ctx context.Context, path string) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	box, err := appliance.New(ctx, cfg, slog.New(slog.NewJSONHandler(os.Stderr, nil)), time.Now)
	if err != nil {
		return err
	}
	return errors.Join(box.Run(ctx, func() { fmt.Printf("{\"ready\":true,\"socket\":%q}\n", cfg.Socket) }), box.Close())
}
