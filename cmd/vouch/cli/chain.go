package cli

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// trustPeriod is two thirds of the chain's unbonding time of 21 days.
const trustPeriod = 14 * 24 * time.Hour

// chain is a light client, and the block that all it says is verified from.
type chain struct {
	*light.Client
	trusted poh.Block
}

// chain makes a light client from the block that the user trusts.
func (c *command) chain(cmd *cobra.Command) (chain, error) {
	s, err := c.settings(cmd)
	if err != nil {
		return chain{}, err
	}
	if s.Node == "" || s.ChainID == "" {
		return chain{}, usage("no chain is named: give --node and --chain-id, or node and chain_id in the file of --config")
	}
	trusted, err := s.Trust.block()
	if err != nil {
		return chain{}, err
	}
	// Verified blocks are kept for one command: the trusted block comes with every command, and two
	// that run at once must not share a folder.
	dir, err := os.MkdirTemp("", "vouch-light-")
	if err != nil {
		return chain{}, fmt.Errorf("make a folder for verified blocks: %w", err)
	}
	c.scratch = append(c.scratch, dir)
	client, err := light.New(cmd.Context(), light.Config{
		ChainID: s.ChainID, Trust: trusted, TrustPeriod: trustPeriod, Primary: s.Node, Witnesses: s.Witnesses,
		AllowNoWitness: s.AllowNoWitness, Dir: dir,
	}, c.now)
	if err != nil {
		return chain{}, fmt.Errorf("verify the chain: %w", err)
	}
	return chain{client, trusted}, nil
}

// view is the newest state that can be proved: that after block h is proved by block h+1.
func (n chain) view(ctx context.Context) (ledger.View, error) {
	h, err := n.Latest(ctx)
	if err != nil {
		return ledger.View{}, err
	}
	return ledger.At(n, h.Height-1), nil
}

// signer is the account of a key file on the chain. The file is read first: a mistake there needs no node.
func (c *command) signer(cmd *cobra.Command, path string) (*account.Account, chain, error) {
	key, err := tx.ReadKeyFile(path)
	if err != nil {
		return nil, chain{}, usage("%w", err)
	}
	n, err := c.chain(cmd)
	if err != nil {
		return nil, chain{}, err
	}
	return account.New(n, n.ChainID(), tx.Secp256k1, key, c.now), n, nil
}

// sent words the end of a command that was interrupted with a transaction on its way.
func sent(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w; if it was on its way, a block may still take it: look before you send it again", err)
}

// keyFlag adds --key, the file of the account that signs.
func keyFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "key", "", "file of the account's key (see vouch account new)")
	require(cmd, "key")
}

func parseID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil || id == 0 {
		return 0, usage("%q is not an id; ids are 1, 2, 3 …", s)
	}
	return id, nil
}

// about is a command about one thing on the chain, which its argument ID names.
func (c *command) about(use, short string, run func(ctx context.Context, n chain, id uint64) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			id, err := parseID(a[0])
			if err != nil {
				return err
			}
			n, err := c.chain(cmd)
			if err != nil {
				return err
			}
			return run(cmd.Context(), n, id)
		},
	}
}

// included is how a transaction ended, for scripts.
type included struct {
	ID     uint64 `json:"id,omitempty"`
	Height int64  `json:"height"`
}
