package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/receipt"
)

// formatLink is the first link of a proof: that the file can be read as a receipt.
const formatLink = "format"

// verdict is what a check of a receipt found.
type verdict struct {
	OK     bool           `json:"ok"`
	Failed string         `json:"failed"` // the first link that does not hold, or ""
	Links  []receipt.Link `json:"links"`
}

func (c *command) verify() *cobra.Command {
	return &cobra.Command{
		Use: "verify FILE --trusted-height H --trusted-hash HASH", Short: "Check a receipt offline, from a block that you trust", Args: args(cobra.ExactArgs(1)),
		Long: `Check a receipt. Nothing is asked of the network: the file and the trusted block are enough. Each
link of the chain of proof is printed; the first that fails is named, and the exit code is 5.`,
		Example: `  vouch verify receipt-7.json --trusted-height 120000 \
    --trusted-hash 5F1C0E7D3B2A49586776859403122130F0E1D2C3B4A5968778695A4B3C2D1E0F`,
		RunE: func(cmd *cobra.Command, a []string) error {
			s, err := c.settings(cmd)
			if err != nil {
				return err
			}
			trusted, err := s.Trust.block()
			if err != nil {
				return err
			}
			v, failure := judge(a[0], trusted, s.ChainID)
			if err := c.print(v, func(w io.Writer) { writeVerdict(w, v) }); err != nil {
				return err
			}
			if failure != nil {
				return fmt.Errorf("%s: %w: %w", a[0], errUnverified, failure)
			}
			return nil
		},
	}
}

// judge checks a file, of the chain of that id if one is given. The verdict has its shape whatever the file is, also none.
func judge(path string, trusted poh.Block, chainID string) (verdict, error) {
	b, err := readFile(path, maxReceipt)
	if err != nil {
		return verdict{Failed: formatLink, Links: []receipt.Link{{Name: formatLink, Detail: err.Error()}}}, err
	}
	verified, links, err := receipt.Verify(b, trusted, chainID)
	v := verdict{OK: err == nil, Links: links}
	if err == nil && verified == nil {
		// A yes without content is a no.
		v.OK, err = false, fmt.Errorf("nothing was verified")
	}
	for _, l := range links {
		if !l.OK {
			v.Failed = l.Name
			if err == nil {
				v.OK, err = false, fmt.Errorf("%s: %s", l.Name, l.Detail)
			}
			break
		}
	}
	if err != nil && v.Failed == "" {
		v.Failed = formatLink
		v.Links = append(v.Links, receipt.Link{Name: formatLink, Detail: err.Error()})
	}
	return v, err
}

func writeVerdict(w io.Writer, v verdict) {
	for _, l := range v.Links {
		mark := "ok  "
		if !l.OK {
			mark = "FAIL"
		}
		fmt.Fprintf(w, "%s  %-16s %s\n", mark, line(l.Name), line(l.Detail))
	}
	if v.OK {
		fmt.Fprintln(w, "The receipt holds.")
		return
	}
	fmt.Fprintf(w, "The receipt does not hold: %s failed.\n", line(v.Failed))
}
