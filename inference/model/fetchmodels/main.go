// Command fetchmodels fills a model store with the built-in models: the networks
// and the engine builds that run them. The second run does nothing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"

	"github.com/vouchbox/vouch/inference/model"
	"github.com/vouchbox/vouch/inference/model/fetch"
)

func main() {
	dir := flag.String("dir", ".cache/models", "directory of the model store")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "fetchmodels:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string) error {
	entries := model.Catalogue()
	fetched, err := fetch.Into(ctx, dir, entries)
	if err != nil {
		return err
	}
	for _, s := range fetched {
		fmt.Println("fetched", s)
	}
	for _, e := range entries {
		d, err := e.Manifest.Digest()
		if err != nil {
			return err
		}
		fmt.Println(d, e.Manifest.Name)
	}
	return nil
}
