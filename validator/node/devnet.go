package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// DevnetChainID names the chain of every devnet home.
const DevnetChainID = "vouch-devnet-1"

// devnetFile records what a devnet's home was made from. It is written with the rest, so that its
// presence means that the home is whole.
const devnetFile = "devnet.json"

// DevnetOptions say how a devnet runs.
type DevnetOptions struct {
	RPC           string        // loopback address of the JSON-RPC server; empty is 127.0.0.1:26657
	TimeoutCommit time.Duration // pause between blocks; 0 is 500 ms
	GenesisTime   time.Time     // when the chain starts; a node waits for it
}

// Devnet describes a ready home of a chain of one validator. Treasury, Author and Requester are the
// funded accounts; their keys lie in keys/NAME.json of the home, mode 0600.
type Devnet struct {
	Home          string        `json:"-"`
	ChainID       string        `json:"chain_id"`
	RPC           string        `json:"rpc"`
	TimeoutCommit time.Duration `json:"timeout_commit_ns"`
	Treasury      string        `json:"treasury"`
	Author        string        `json:"author"`
	Requester     string        `json:"requester"`
}

// KeyFile is the path of a funded account's key: "treasury", "author" or "requester".
func (d Devnet) KeyFile(name string) string { return filepath.Join(d.Home, keysDir, name+".json") }

// InitDevnet makes a home, or returns the one that is already there if it was made with the same
// options (the genesis time aside). Anything else that lies there is left alone, with [ErrHome].
// The home appears whole or not at all.
func InitDevnet(home string, opts DevnetOptions) (Devnet, error) {
	if opts.RPC == "" {
		opts.RPC = "127.0.0.1:26657"
	}
	if opts.TimeoutCommit == 0 {
		opts.TimeoutCommit = 500 * time.Millisecond
	}
	if err := checkLoopback(opts.RPC); err != nil {
		return Devnet{}, err
	}
	home, err := filepath.Abs(home)
	if err != nil {
		return Devnet{}, err
	}
	switch entries, err := os.ReadDir(home); {
	case err == nil && len(entries) > 0:
		return openDevnet(home, opts)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return Devnet{}, fmt.Errorf("%w: %w", ErrHome, err)
	}
	parent := filepath.Dir(home)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return Devnet{}, err
	}
	// The directory of a rename must be on the same file system.
	temp, err := os.MkdirTemp(parent, ".devnet-*")
	if err != nil {
		return Devnet{}, err
	}
	defer os.RemoveAll(temp)
	d, err := writeDevnet(temp, opts)
	if err != nil {
		return Devnet{}, fmt.Errorf("make a devnet home: %w", err)
	}
	// An empty directory makes room; one that filled up meanwhile stays, and the rename fails.
	if err := os.Remove(home); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Devnet{}, fmt.Errorf("%w: %w", ErrHome, err)
	}
	if err := os.Rename(temp, home); err != nil {
		return Devnet{}, fmt.Errorf("%w: %w", ErrHome, err)
	}
	d.Home = home
	return d, syncDir(parent)
}

// openDevnet reads a home that stands, and compares.
func openDevnet(home string, opts DevnetOptions) (Devnet, error) {
	raw, err := os.ReadFile(filepath.Join(home, devnetFile))
	if err != nil {
		return Devnet{}, fmt.Errorf("%w: %s is not empty and not a devnet: choose another directory", ErrHome, home)
	}
	d := Devnet{Home: home}
	if err := json.Unmarshal(raw, &d); err != nil {
		return Devnet{}, fmt.Errorf("%w: %s: %w", ErrHome, devnetFile, err)
	}
	if d.ChainID != DevnetChainID || d.RPC != opts.RPC || d.TimeoutCommit != opts.TimeoutCommit {
		return Devnet{}, fmt.Errorf("%w: %s is a devnet with other options (%s, RPC %s, %s between blocks): choose another directory",
			ErrHome, home, d.ChainID, d.RPC, d.TimeoutCommit)
	}
	return d, nil
}
