package node_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vouchbox/vouch/validator/node"
)

var quickly = node.DevnetOptions{RPC: "127.0.0.1:0", TimeoutCommit: 20 * time.Millisecond, GenesisTime: time.Unix(1_700_000_000, 0)}

func TestInitDevnet(t *testing.T) {
	parent := t.TempDir()
	home := filepath.Join(parent, "deep", "home")
	d, err := node.InitDevnet(home, quickly)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"treasury", "author", "requester"} {
		info, err := os.Stat(d.KeyFile(name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key of %s: %v, %v", name, info.Mode(), err)
		}
	}
	if !strings.HasPrefix(d.Treasury, "human1") || d.ChainID != node.DevnetChainID || d.Treasury == d.Author {
		t.Errorf("the devnet is %+v", d)
	}
	genesis := filepath.Join(home, "config", "genesis.json")
	before, err := os.ReadFile(genesis)
	if err != nil {
		t.Fatal(err)
	}

	later := quickly
	later.GenesisTime = later.GenesisTime.Add(time.Hour)
	again, err := node.InitDevnet(home, later)
	if err != nil || again != d {
		t.Errorf("the same options again: %+v, %v, want %+v", again, err, d)
	}
	if after, err := os.ReadFile(genesis); err != nil || string(after) != string(before) {
		t.Errorf("the genesis was written again: %v", err)
	}
	other := quickly
	other.TimeoutCommit = time.Second
	if _, err := node.InitDevnet(home, other); !errors.Is(err, node.ErrHome) {
		t.Errorf("other options: %v", err)
	}
	entries, err := os.ReadDir(filepath.Dir(home))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the home lies %v, %v", entries, err)
	}
}

func TestInitDevnetRefusals(t *testing.T) {
	taken := t.TempDir()
	if err := os.WriteFile(filepath.Join(taken, "letter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := node.InitDevnet(taken, quickly); !errors.Is(err, node.ErrHome) {
		t.Errorf("somebody's directory: %v", err)
	}
	if _, err := node.InitDevnet(filepath.Join(taken, "letter"), quickly); !errors.Is(err, node.ErrHome) {
		t.Errorf("a file: %v", err)
	}
	for _, address := range []string{"0.0.0.0:26657", "192.0.2.1:26657", "example.org:26657", "26657", "127.0.0.1"} {
		opts := quickly
		opts.RPC = address
		home := filepath.Join(t.TempDir(), "home")
		if _, err := node.InitDevnet(home, opts); !errors.Is(err, node.ErrAddress) {
			t.Errorf("RPC at %s: %v", address, err)
		}
		if _, err := os.Stat(home); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("RPC at %s: the home is there: %v", address, err)
		}
	}
	empty := t.TempDir()
	if _, err := node.InitDevnet(empty, quickly); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
}

// A home that lacks something, or has something wrong, is refused with its name; nothing ends the process.
func TestHomeRefusals(t *testing.T) {
	for _, test := range []struct {
		file, content string // empty content removes the file
	}{
		{"config/config.toml", ""},
		{"config/config.toml", "monicker = 'typo'\n"},
		{"config/config.toml", "[rpc]\nladdr = 'tcp://0.0.0.0:26657'\n"},
		{"config/config.toml", "[consensus]\ntimeout_commit = 'soon'\n"},
		{"config/genesis.json", ""},
		{"config/genesis.json", "{}"},
		{"config/node_key.json", ""},
		{"config/priv_validator_key.json", ""},
		{"config/priv_validator_key.json", "{"},
		{"data/priv_validator_state.json", ""},
		{"data/priv_validator_state.json", "x"},
	} {
		home := filepath.Join(t.TempDir(), "home")
		if _, err := node.InitDevnet(home, quickly); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(home, test.file)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if test.content != "" {
			if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		pv, err := node.LoadFilePV(home)
		if err == nil {
			_, err = node.New(t.Context(), node.Config{Home: home}, pv, slog.New(slog.DiscardHandler))
		}
		if !errors.Is(err, node.ErrHome) && !errors.Is(err, node.ErrAddress) {
			t.Errorf("%s with %q: %v", test.file, test.content, err)
		}
	}
}

// A chain that starts tomorrow is waited for no longer than the caller has time.
func TestStartBeforeGenesis(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	opts := quickly
	opts.GenesisTime = time.Now().Add(24 * time.Hour)
	if _, err := node.InitDevnet(home, opts); err != nil {
		t.Fatal(err)
	}
	pv, err := node.LoadFilePV(home)
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.New(t.Context(), node.Config{Home: home}, pv, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := n.Start(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Start: %v", err)
	}
	if n.RPC() != "" || n.Height() != 0 {
		t.Errorf("RPC at %q, height %d", n.RPC(), n.Height())
	}
	if err := n.Stop(); err != nil {
		t.Error(err)
	}
}
