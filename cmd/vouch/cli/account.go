package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// included is how a transaction ended, for scripts.
type included struct {
	ID     uint64 `json:"id,omitempty"`
	Height int64  `json:"height"`
}

func (c *command) account() *cobra.Command {
	newKey := &cobra.Command{
		Use: "new FILE", Short: "Make a key and write it to a new file that only you can read", Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, a []string) error {
			k, err := tx.NewKeyFile(a[0])
			if err != nil {
				return err
			}
			v := map[string]string{"address": k.String(), "file": a[0]}
			return c.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "%s\nThe key is in %s. Whoever has that file has the account; keep a copy in a safe place.\n", k, a[0])
			})
		},
	}
	show := &cobra.Command{
		Use: "show ADDRESS", Short: "An account's balance, proved", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			address, err := tx.ParseAddress(a[0])
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			client, _, err := c.chain(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			amount, err := tx.Balance(cmd.Context(), client, address, poh.Denom)
			if err != nil {
				return err
			}
			text, err := poh.FormatHeart(amount.String())
			if err != nil {
				return err
			}
			return c.print(map[string]string{"address": a[0], "balance": text}, func(w io.Writer) { fmt.Fprintln(w, text) })
		},
	}
	var key string
	send := &cobra.Command{
		Use: "send ADDRESS AMOUNT --key FILE", Short: `Send HEART: vouch account send human1… "12.5 HEART"`, Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, a []string) error {
			to, err := tx.ParseAddress(a[0])
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			amount, err := account.ParseHeart(a[1])
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			from, err := c.signer(cmd.Context(), cmd, key)
			if err != nil {
				return err
			}
			c.progress("Sending %s to %s.", a[1], to)
			in, err := from.Transfer(cmd.Context(), to.String(), amount)
			if err != nil {
				return err
			}
			return c.print(included{Height: in.Height()}, func(w io.Writer) { fmt.Fprintf(w, "Sent; proved in block %d.\n", in.Height()) })
		},
	}
	keyFlag(send, &key)
	return group("account", "Keys and balances", newKey, show, send)
}
