package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/receipt"
)

// maxReceipt bounds a receipt file.
const maxReceipt = 16 << 20

func (c *command) receipt() *cobra.Command {
	var file string
	var payload bool
	get := &cobra.Command{
		Use: "get ID", Short: "Write a request's receipt, with all proofs, to a file", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			id, err := parseID(a[0])
			if err != nil {
				return err
			}
			client, s, err := c.chain(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			block, err := s.Trust.block()
			if err != nil {
				return err
			}
			b, err := receipt.Build(cmd.Context(), client, id, block, receipt.Options{Payload: payload})
			if err != nil {
				return err
			}
			if file == "" {
				file = fmt.Sprintf("receipt-%d.json", id)
			}
			if err := write(file, b); err != nil {
				return err
			}
			v := map[string]any{"file": file, "bytes": len(b)}
			return c.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "%s, %d bytes. Anybody can check it offline:\n  vouch verify %s --trusted-height %d --trusted-hash %s\n", file, len(b), file, block.Height, block.Hash)
			})
		},
	}
	get.Flags().StringVarP(&file, "file", "f", "", "where to write it (default receipt-ID.json)")
	get.Flags().BoolVar(&payload, "payload", false, "put the artefact into the file")
	return group("receipt", "Receipts", get)
}

// write replaces a file whole or not at all.
func write(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(b); err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	return nil
}

// verdict is what a check of a receipt found.
type verdict struct {
	OK     bool           `json:"ok"`
	Failed string         `json:"failed,omitempty"`
	Links  []receipt.Link `json:"links"`
}

func (c *command) verify() *cobra.Command {
	return &cobra.Command{
		Use: "verify FILE --trusted-height H --trusted-hash HASH", Short: "Check a receipt offline, from a block that you trust", Args: args(cobra.ExactArgs(1)),
		Long: `Check a receipt. Nothing is asked of the network: the file and the trusted block are enough. Each
link of the chain of proof is printed; the first that fails is named, and the exit code is 5.`,
		RunE: func(cmd *cobra.Command, a []string) error {
			s, err := c.settings(cmd)
			if err != nil {
				return err
			}
			block, err := s.Trust.block()
			if err != nil {
				return err
			}
			b, err := readBounded(a[0])
			if err != nil {
				return err
			}
			_, links, failure := receipt.Verify(b, block, "")
			v := verdict{OK: failure == nil, Links: links}
			for _, l := range links {
				if !l.OK {
					v.Failed = l.Name
				}
			}
			if err := c.print(v, func(w io.Writer) { writeVerdict(w, v) }); err != nil {
				return err
			}
			if failure != nil {
				return fmt.Errorf("%w: %w", errUnverified, failure)
			}
			return nil
		},
	}
}

func writeVerdict(w io.Writer, v verdict) {
	for _, l := range v.Links {
		mark := "ok  "
		if !l.OK {
			mark = "FAIL"
		}
		fmt.Fprintf(w, "%s  %-16s %s\n", mark, l.Name, l.Detail)
	}
	if v.OK {
		fmt.Fprintln(w, "The receipt holds.")
	}
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the receipt: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxReceipt+1))
	if err != nil {
		return nil, fmt.Errorf("read the receipt: %w", err)
	}
	if len(b) > maxReceipt {
		return nil, fmt.Errorf("%s is larger than %d MiB, which no receipt is", path, maxReceipt>>20)
	}
	return b, nil
}
