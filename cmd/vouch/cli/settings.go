package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/appliance/config/strict"
	"github.com/vouchbox/vouch/validator/poh"
)

const defaultSocket = "/run/vouch/vouchd.sock"

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
	Hash   string `json:"hash"` // hex, of either case: nodes print it in upper case
}

func (t trust) block() (poh.Block, error) {
	if t.Height == 0 && t.Hash == "" {
		return poh.Block{}, usage(`no trusted block is named, and all is verified from one: give --trusted-height and --trusted-hash, or "trust" in the file of --config.
  Take both from somebody you trust, not from the node: who chooses this block can make you believe anything`)
	}
	if t.Height <= 0 {
		return poh.Block{}, usage("the height of the trusted block is %d; give --trusted-height, or trust.height in the file of --config: heights start at 1", t.Height)
	}
	h, err := poh.ParseDigest(strings.ToLower(t.Hash))
	if err != nil {
		return poh.Block{}, usage("the hash of the trusted block (--trusted-hash, or trust.hash in the file of --config): want 64 hex digits, got %q", t.Hash)
	}
	return poh.Block{Height: t.Height, Hash: h}, nil
}

// settings merges the file and the flags that were given.
func (c *command) settings(cmd *cobra.Command) (settings, error) {
	var s settings
	if c.file != "" {
		b, err := readFile(c.file, maxText)
		if err != nil {
			return s, usage("read the settings: %w", err)
		}
		if s, err = strict.Parse(b, s); err != nil {
			return s, usage("the settings in %s: %w", c.file, err)
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
		s.Socket = defaultSocket
	}
	return s, nil
}
