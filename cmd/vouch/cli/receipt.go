package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/receipt"
)

func (c *command) receipt() *cobra.Command {
	var file string
	var payload bool
	get := c.about("get ID", "Write a request's receipt, with all proofs, to a file", func(ctx context.Context, n chain, id uint64) error {
		c.progress("Collecting the proofs of request %d.", id)
		b, err := receipt.Build(ctx, n.Client, id, n.trusted, receipt.Options{Payload: payload})
		if err != nil {
			return err
		}
		if file == "" {
			file = fmt.Sprintf("receipt-%d.json", id)
		}
		if err := write(file, b); err != nil {
			return err
		}
		v := struct {
			File  string `json:"file"`
			Bytes int    `json:"bytes"`
		}{file, len(b)}
		return c.print(v, func(w io.Writer) {
			fmt.Fprintf(w, "%s, %d bytes. Anybody can check it offline:\n  vouch verify %s --trusted-height %d --trusted-hash %s\n", line(file), len(b), line(file), n.trusted.Height, n.trusted.Hash)
		})
	})
	get.Flags().StringVarP(&file, "file", "f", "", "where to write it (default receipt-ID.json)")
	get.Flags().BoolVar(&payload, "payload", false, "put the artefact into the file")
	return group("receipt", "Receipts", get)
}

// write replaces a file whole or not at all. Everybody may read it: a receipt holds nothing secret.
func write(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	_, err = tmp.Write(b)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the receipt: %w", errors.Join(err, os.Remove(tmp.Name())))
	}
	return nil
}
