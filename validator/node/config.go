package node

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/spf13/viper"
)

// MinGasPrices is what a transaction must offer for each unit of gas to enter the node's mempool.
const MinGasPrices = "1000000000aheart"

// Config says where a node lives. What is empty comes from the home's config.toml.
type Config struct {
	Home         string
	RPC          string // "127.0.0.1:26657"; port 0 takes a free one
	MinGasPrices string // an SDK coin per gas; empty is [MinGasPrices]
}

// load reads config.toml. A key that CometBFT does not know is an error, not a surprise later.
func (c Config) load() (*cmtcfg.Config, error) {
	file := filepath.Join(c.Home, cmtcfg.DefaultConfigDir, cmtcfg.DefaultConfigFileName)
	v := viper.New()
	v.SetConfigFile(file)
	if err := v.ReadInConfig(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w (vouchnode init-devnet makes a home)", ErrHome, c.Home, err)
	}
	config := cmtcfg.DefaultConfig()
	if err := v.UnmarshalExact(config); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrHome, file, err)
	}
	config.SetRoot(c.Home)
	if c.RPC != "" {
		config.RPC.ListenAddress = "tcp://" + c.RPC
	}
	if err := config.ValidateBasic(); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrHome, file, err)
	}
	if err := checkLoopback(strings.TrimPrefix(config.RPC.ListenAddress, "tcp://")); err != nil {
		return nil, err
	}
	return config, nil
}

// RPCAddress is where the home's node serves JSON-RPC: "127.0.0.1:26657".
func (c Config) RPCAddress() (string, error) {
	config, err := c.load()
	if err != nil {
		return "", err
	}
	return strings.TrimPrefix(config.RPC.ListenAddress, "tcp://"), nil
}

// checkLoopback refuses an address that another machine could reach: the RPC has no access control.
func checkLoopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q: %w", ErrAddress, address, err)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%w: %q is not loopback; use 127.0.0.1", ErrAddress, address)
	}
	return nil
}
