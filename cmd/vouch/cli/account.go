package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

func (c *command) account() *cobra.Command {
	return group("account", "Keys and balances", c.newAccount(), c.showAccount(), c.send())
}

func (c *command) newAccount() *cobra.Command {
	return &cobra.Command{
		Use: "new FILE", Short: "Make a key and write it to a new file that only you can read", Args: args(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, a []string) error {
			k, err := tx.NewKeyFile(a[0])
			if errors.Is(err, fs.ErrExist) {
				return usage("%s is there already, and a key is never overwritten; name a new file", a[0])
			}
			if err != nil {
				return err
			}
			v := map[string]string{"address": k.String(), "file": a[0]}
			return c.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "%s\nThe key is in %s. Whoever has that file has the account; keep a copy in a safe place.\n", k, line(a[0]))
			})
		},
	}
}

func (c *command) showAccount() *cobra.Command {
	return &cobra.Command{
		Use: "show ADDRESS", Short: "An account's balance, proved", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			address, err := tx.ParseAddress(a[0])
			if err != nil {
				return usage("%w", err)
			}
			n, err := c.chain(cmd)
			if err != nil {
				return err
			}
			amount, err := account.BalanceOf(cmd.Context(), n, address)
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
}

func (c *command) send() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use: "send ADDRESS AMOUNT --key FILE", Short: "Send HEART", Args: args(cobra.ExactArgs(2)),
		Example: `  vouch --config vouch.json account send human1… "12.5 HEART" --key author.json`,
		RunE: func(cmd *cobra.Command, a []string) error {
			to, err := tx.ParseAddress(a[0])
			if err != nil {
				return usage("%w", err)
			}
			amount, err := account.ParseHeart(a[1])
			if err != nil {
				return usage("%w", err)
			}
			if !amount.IsPositive() {
				return usage("the amount is %q; send more than nothing", a[1])
			}
			from, _, err := c.signer(cmd, key)
			if err != nil {
				return err
			}
			c.progress("Sending %s to %s.", a[1], to)
			in, err := from.Transfer(cmd.Context(), to.String(), amount)
			if err != nil {
				return sent(cmd.Context(), err)
			}
			return c.print(included{Height: in.Height()}, func(w io.Writer) { fmt.Fprintf(w, "Sent; proved in block %d.\n", in.Height()) })
		},
	}
	keyFlag(cmd, &key)
	return cmd
}
