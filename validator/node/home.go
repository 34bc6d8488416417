package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	cmtcfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/chain"
)

const keysDir = "keys"

// configTOML names what differs from CometBFT's defaults. A transaction is at most half of a block.
const configTOML = `# CometBFT's configuration. Keys that are not named keep CometBFT's defaults.
moniker = "vouch-devnet"
db_backend = "goleveldb"

[rpc]
laddr = "tcp://%s"

[p2p]
laddr = "tcp://127.0.0.1:0"
pex = false

[mempool]
max_tx_bytes = 524288

[consensus]
timeout_commit = "%s"
create_empty_blocks = true

[tx_index]
indexer = "kv"
`

// LoadFilePV reads the consensus key and the last signed state of a home, as CometBFT keeps them. A
// missing state is an error: it would let the validator sign twice.
func LoadFilePV(home string) (*privval.FilePV, error) {
	config := cmtcfg.DefaultConfig().SetRoot(home)
	// CometBFT's loader ends the process on a bad file; read both first.
	for _, f := range []struct {
		path string
		into any
	}{
		{config.PrivValidatorKeyFile(), &privval.FilePVKey{}},
		{config.PrivValidatorStateFile(), &privval.FilePVLastSignState{}},
	} {
		raw, err := os.ReadFile(f.path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrHome, err)
		}
		if err := cmtjson.Unmarshal(raw, f.into); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrHome, f.path, err)
		}
	}
	return privval.LoadFilePV(config.PrivValidatorKeyFile(), config.PrivValidatorStateFile()), nil
}

// writeDevnet fills an empty directory and syncs it.
func writeDevnet(dir string, opts DevnetOptions) (Devnet, error) {
	chain.ConfigureSDK()
	config := cmtcfg.DefaultConfig().SetRoot(dir)
	for _, sub := range []string{cmtcfg.DefaultConfigDir, cmtcfg.DefaultDataDir, keysDir} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			return Devnet{}, err
		}
	}
	accounts := devnetAccounts{treasury: secp256k1.GenPrivKey(), author: secp256k1.GenPrivKey(), requester: secp256k1.GenPrivKey()}
	consensus := ed25519.GenPrivKey()
	genesis, err := devnetGenesis(accounts, consensus.PubKey(), opts.GenesisTime)
	if err != nil {
		return Devnet{}, err
	}
	d := Devnet{
		ChainID: DevnetChainID, RPC: opts.RPC, TimeoutCommit: opts.TimeoutCommit,
		Treasury: address(accounts.treasury), Author: address(accounts.author), Requester: address(accounts.requester),
	}
	in := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	w := &homeWriter{}
	w.comet(config.GenesisFile(), genesis)
	w.comet(config.PrivValidatorKeyFile(), privval.FilePVKey{Address: consensus.PubKey().Address(), PubKey: consensus.PubKey(), PrivKey: consensus})
	w.comet(config.PrivValidatorStateFile(), privval.FilePVLastSignState{})
	w.comet(config.NodeKeyFile(), p2p.NodeKey{PrivKey: ed25519.GenPrivKey()})
	w.file(in(cmtcfg.DefaultConfigDir, cmtcfg.DefaultConfigFileName), fmt.Appendf(nil, configTOML, opts.RPC, opts.TimeoutCommit))
	w.json(in(keysDir, "treasury.json"), keyFileOf(accounts.treasury))
	w.json(in(keysDir, "author.json"), keyFileOf(accounts.author))
	w.json(in(keysDir, "requester.json"), keyFileOf(accounts.requester))
	w.json(in(devnetFile), d)
	for _, sub := range []string{cmtcfg.DefaultConfigDir, cmtcfg.DefaultDataDir, keysDir, ""} {
		w.sync(in(sub))
	}
	return d, w.err
}

// keyFile is an account's key on disk.
type keyFile struct {
	Type       string `json:"type"` // "secp256k1"
	Address    string `json:"address"`
	PrivateKey []byte `json:"private_key"` // 32 bytes, base64 in JSON
}

func keyFileOf(key *secp256k1.PrivKey) keyFile {
	return keyFile{Type: key.Type(), Address: address(key), PrivateKey: key.Key}
}

func address(key *secp256k1.PrivKey) string { return sdk.AccAddress(key.PubKey().Address()).String() }

// homeWriter writes and syncs files readable by their owner only, until the first error.
type homeWriter struct{ err error }

// comet writes CometBFT's dialect of JSON.
func (w *homeWriter) comet(path string, v any) {
	raw, err := cmtjson.MarshalIndent(v, "", "  ")
	w.keep(err)
	w.file(path, raw)
}

func (w *homeWriter) json(path string, v any) {
	raw, err := json.MarshalIndent(v, "", "  ")
	w.keep(err)
	w.file(path, raw)
}

func (w *homeWriter) file(path string, raw []byte) {
	if w.err != nil {
		return
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		w.keep(err)
		return
	}
	_, err = f.Write(raw)
	w.keep(errors.Join(err, f.Sync(), f.Close()))
}

func (w *homeWriter) sync(dir string) {
	if w.err == nil {
		w.keep(syncDir(dir))
	}
}

func (w *homeWriter) keep(err error) {
	if w.err == nil {
		w.err = err
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
