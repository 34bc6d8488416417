package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// settings say whom to talk to and from which block to believe.
type settings struct {
	Node           string   `json:"node"`
	ChainID        string   `json:"chain_id"`
	Witnesses      []string `json:"witnesses"`
	AllowNoWitness bool     `json:"allow_no_witness"`
	Trust          trust    `json:"trust"`
	Socket         string   `json:"socket"`
}

// trust is a block that the user got from somebody they trust.
type trust struct {
	Height int64  `json:"height"`
	Hash   string `json:"hash"`
}

func (t trust) block() (poh.Block, error) {
	if t.Height <= 0 || t.Hash == "" {
		return poh.Block{}, fmt.Errorf("%w: name a block that you trust with --trusted-height and --trusted-hash, from a place other than the node", errUsage)
	}
	h, err := poh.ParseDigest(t.Hash)
	if err != nil {
		return poh.Block{}, fmt.Errorf("%w: --trusted-hash: %w", errUsage, err)
	}
	return poh.Block{Height: t.Height, Hash: h}, nil
}

// settings merges the file and the flags that were given.
func (c *command) settings(cmd *cobra.Command) (settings, error) {
	var s settings
	if c.file != "" {
		b, err := os.ReadFile(c.file)
		if err != nil {
			return s, fmt.Errorf("read the settings: %w", err)
		}
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		if err := d.Decode(&s); err != nil {
			return s, fmt.Errorf("read the settings in %s: %w", c.file, err)
		}
	}
	for name, set := range map[string]func(){
		"node":             func() { s.Node = c.flags.Node },
		"chain-id":         func() { s.ChainID = c.flags.ChainID },
		"witness":          func() { s.Witnesses = c.flags.Witnesses },
		"allow-no-witness": func() { s.AllowNoWitness = c.flags.AllowNoWitness },
		"trusted-height":   func() { s.Trust.Height = c.flags.Trust.Height },
		"trusted-hash":     func() { s.Trust.Hash = c.flags.Trust.Hash },
		"socket":           func() { s.Socket = c.flags.Socket },
	} {
		if f := cmd.Flag(name); f != nil && f.Changed {
			set()
		}
	}
	if s.Socket == "" {
		s.Socket = "/run/vouch/vouchd.sock"
	}
	return s, nil
}

// box connects to the box's socket.
func (c *command) box(cmd *cobra.Command) (*api.Client, error) {
	s, err := c.settings(cmd)
	if err != nil {
		return nil, err
	}
	return api.Dial(s.Socket), nil
}

// trustPeriod is two thirds of the chain's unbonding time of 21 days.
const trustPeriod = 14 * 24 * time.Hour

// chain makes a light client from the block that the user trusts.
func (c *command) chain(ctx context.Context, cmd *cobra.Command) (*light.Client, settings, error) {
	s, err := c.settings(cmd)
	if err != nil {
		return nil, s, err
	}
	if s.Node == "" || s.ChainID == "" {
		return nil, s, fmt.Errorf("%w: name the chain with --node and --chain-id, or in the file of --config", errUsage)
	}
	block, err := s.Trust.block()
	if err != nil {
		return nil, s, err
	}
	// Verified blocks are kept for one command: the trusted block comes with every command, and two
	// that run at once must not share a folder.
	dir, err := os.MkdirTemp("", "vouch-light-")
	if err != nil {
		return nil, s, fmt.Errorf("make a folder for verified blocks: %w", err)
	}
	c.scratch = append(c.scratch, dir)
	client, err := light.New(ctx, light.Config{
		ChainID: s.ChainID, Trust: block, TrustPeriod: trustPeriod, Primary: s.Node, Witnesses: s.Witnesses,
		AllowNoWitness: s.AllowNoWitness, Dir: dir,
	}, time.Now)
	if err != nil {
		return nil, s, fmt.Errorf("verify the chain: %w", err)
	}
	return client, s, nil
}

// keyFlag adds --key, the file of the account that signs.
func keyFlag(cmd *cobra.Command, path *string) {
	cmd.Flags().StringVar(path, "key", "", "file of the account's key (see vouch account new)")
	if err := cmd.MarkFlagRequired("key"); err != nil {
		panic(err) // the flag was defined a line above
	}
}

// signer opens the account of a key file on the chain.
func (c *command) signer(ctx context.Context, cmd *cobra.Command, path string) (*account.Account, error) {
	key, err := tx.ReadKeyFile(path)
	if err != nil {
		return nil, err
	}
	client, s, err := c.chain(ctx, cmd)
	if err != nil {
		return nil, err
	}
	return account.New(client, s.ChainID, tx.Secp256k1, key, time.Now), nil
}
