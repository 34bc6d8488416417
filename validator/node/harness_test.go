package node_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/gogoproto/proto"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256r1"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/vouchbox/vouch/validator/chain"
	"github.com/vouchbox/vouch/validator/chain/chaintest"
	"github.com/vouchbox/vouch/validator/node"
	"github.com/vouchbox/vouch/validator/poh"
)

// gasLimit is enough for any transaction of these tests but a large payload's.
const gasLimit = 400_000

// fee is what a transaction of gasLimit must offer: 10^9 aheart for each unit.
var fee = sdk.NewCoins(sdk.NewCoin(poh.Denom, math.NewInt(gasLimit).MulRaw(1_000_000_000)))

// net is a devnet that tests talk to over its RPC.
type net struct {
	t      *testing.T
	home   string
	devnet node.Devnet
	node   *node.Node
	rpc    *rpchttp.HTTP
	app    *chain.App // for its codec
}

// newNet makes a home; nothing runs yet.
func newNet(t *testing.T) *net {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	devnet, err := node.InitDevnet(home, node.DevnetOptions{RPC: "127.0.0.1:0", TimeoutCommit: 20 * time.Millisecond, GenesisTime: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	app, err := chain.New(log.NewNopLogger(), dbm.NewMemDB(), node.DevnetChainID)
	if err != nil {
		t.Fatal(err)
	}
	return &net{t: t, home: home, devnet: devnet, app: app}
}

// start runs the node in this process, to the end of the test or until stop.
func (n *net) start() {
	n.t.Helper()
	pv, err := node.LoadFilePV(n.home)
	if err != nil {
		n.t.Fatal(err)
	}
	ctx := n.ctx()
	// A node logs a line or more for each block: only what goes wrong is worth reading.
	logger := slog.New(slog.NewTextHandler(n.t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	if n.node, err = node.New(ctx, node.Config{Home: n.home}, pv, logger); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(n.stop)
	if err := n.node.Start(ctx); err != nil {
		n.t.Fatal(err)
	}
	n.dial(n.node.RPC())
}

func (n *net) dial(url string) {
	n.t.Helper()
	var err error
	if n.rpc, err = rpchttp.New(url, "/websocket"); err != nil {
		n.t.Fatal(err)
	}
}

func (n *net) stop() {
	if err := n.node.Stop(); err != nil {
		n.t.Errorf("stop: %v", err)
	}
}

func (n *net) ctx() context.Context {
	ctx, cancel := context.WithTimeout(n.t.Context(), 60*time.Second)
	n.t.Cleanup(cancel)
	return ctx
}

// signer is a software key and the number of its account.
type signer struct {
	key     cryptotypes.PubKey
	sign    func(signBytes []byte) []byte
	granter sdk.AccAddress // pays the fees, if set
}

func (s signer) address() sdk.AccAddress { return sdk.AccAddress(s.key.Address()) }

func accountSigner(t *testing.T, key *secp256k1.PrivKey) signer {
	return signer{key: key.PubKey(), sign: func(b []byte) []byte {
		sig, err := key.Sign(b)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}}
}

func voteSigner(t *testing.T, key chaintest.VoteKey, granter sdk.AccAddress) signer {
	t.Helper()
	pub, err := secp256r1.NewPubKeyFromBytes(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return signer{key: pub, granter: granter, sign: func(b []byte) []byte { return key.SignDigest(t, sha256.Sum256(b)) }}
}

// funded reads one of the devnet's keys.
func (n *net) funded(name string) signer {
	n.t.Helper()
	raw, err := os.ReadFile(n.devnet.KeyFile(name))
	if err != nil {
		n.t.Fatal(err)
	}
	var file struct {
		Type       string `json:"type"`
		Address    string `json:"address"`
		PrivateKey []byte `json:"private_key"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		n.t.Fatal(err)
	}
	s := accountSigner(n.t, &secp256k1.PrivKey{Key: file.PrivateKey})
	if file.Type != "secp256k1" || file.Address != s.address().String() {
		n.t.Fatalf("%s is %q, %q; its key has the address %s", name, file.Type, file.Address, s.address())
	}
	return s
}

// account reads an account where a light client proves it: store "acc", key 0x01 and the address.
func (n *net) account(addr sdk.AccAddress) sdk.AccountI {
	n.t.Helper()
	var account sdk.AccountI
	raw := n.read(authtypes.StoreKey, append([]byte{1}, addr...))
	if err := n.app.Codec().UnmarshalInterface(raw, &account); err != nil {
		n.t.Fatalf("account %s: %v", addr, err)
	}
	return account
}

// balance reads an amount where a light client proves it: store "bank", key 0x02, the length of the
// address, the address and the denomination; the value is the decimal text.
func (n *net) balance(addr sdk.AccAddress) math.Int {
	n.t.Helper()
	key := append([]byte{2, byte(len(addr))}, addr...)
	raw := n.read("bank", append(key, poh.Denom...))
	if raw == nil {
		return math.ZeroInt()
	}
	amount, ok := math.NewIntFromString(string(raw))
	if !ok {
		n.t.Fatalf("balance of %s: %q", addr, raw)
	}
	return amount
}

func (n *net) read(store string, key []byte) []byte {
	n.t.Helper()
	res, err := n.rpc.ABCIQuery(n.ctx(), "/store/"+store+"/key", key)
	if err != nil || res.Response.Code != 0 {
		n.t.Fatalf("read %s/%x: %v %+v", store, key, err, res)
	}
	return res.Response.Value
}

func (n *net) record(store string, key []byte, into proto.Message) {
	n.t.Helper()
	raw := n.read(store, key)
	if raw == nil {
		n.t.Fatalf("no record %s/%x", store, key)
	}
	if err := proto.Unmarshal(raw, into); err != nil {
		n.t.Fatal(err)
	}
}

// tx builds and signs a transaction with the usual gas and fee.
func (n *net) tx(s signer, unordered bool, msgs ...sdk.Msg) []byte {
	n.t.Helper()
	return n.txWith(s, unordered, gasLimit, fee, msgs...)
}

// txWith builds and signs a transaction. An unordered one needs no sequence; its timeout is its nonce.
func (n *net) txWith(s signer, unordered bool, gas uint64, fee sdk.Coins, msgs ...sdk.Msg) []byte {
	n.t.Helper()
	account, txs := n.account(s.address()), n.app.TxConfig()
	b := txs.NewTxBuilder()
	if err := b.SetMsgs(msgs...); err != nil {
		n.t.Fatal(err)
	}
	b.SetGasLimit(gas)
	b.SetFeeAmount(fee)
	b.SetFeeGranter(s.granter)
	sequence := account.GetSequence()
	if unordered {
		b.SetUnordered(true)
		b.SetTimeoutTimestamp(time.Now().Add(time.Minute))
		sequence = 0
	}
	set := func(signature []byte) {
		if err := b.SetSignatures(signing.SignatureV2{
			PubKey: s.key, Sequence: sequence,
			Data: &signing.SingleSignatureData{SignMode: signing.SignMode_SIGN_MODE_DIRECT, Signature: signature},
		}); err != nil {
			n.t.Fatal(err)
		}
	}
	set(nil)
	raw, err := authsigning.GetSignBytesAdapter(n.ctx(), txs.SignModeHandler(), signing.SignMode_SIGN_MODE_DIRECT, authsigning.SignerData{
		Address: s.address().String(), ChainID: node.DevnetChainID, AccountNumber: account.GetAccountNumber(), Sequence: sequence, PubKey: s.key,
	}, b.GetTx())
	if err != nil {
		n.t.Fatal(err)
	}
	set(s.sign(raw))
	encoded, err := txs.TxEncoder()(b.GetTx())
	if err != nil {
		n.t.Fatal(err)
	}
	return encoded
}

// broadcast waits for the block that carries the transaction.
func (n *net) broadcast(tx []byte) *coretypes.ResultBroadcastTxCommit {
	n.t.Helper()
	res, err := n.rpc.BroadcastTxCommit(n.ctx(), tx)
	if err != nil {
		n.t.Fatal(err)
	}
	return res
}

// deliver wants success and answers with the first message's response.
func (n *net) deliver(what string, tx []byte, response proto.Message) {
	n.t.Helper()
	res := n.broadcast(tx)
	if res.CheckTx.Code != 0 || res.TxResult.Code != 0 {
		n.t.Fatalf("%s: %s %s", what, res.CheckTx.Log, res.TxResult.Log)
	}
	n.t.Logf("%s: %d bytes, %d gas", what, len(tx), res.TxResult.GasUsed)
	if response == nil {
		return
	}
	var data sdk.TxMsgData
	if err := proto.Unmarshal(res.TxResult.Data, &data); err != nil || len(data.MsgResponses) == 0 {
		n.t.Fatalf("%s: no response: %v", what, err)
	}
	if err := proto.Unmarshal(data.MsgResponses[0].Value, response); err != nil {
		n.t.Fatal(err)
	}
}

// refuse wants a code, from the mempool or the block, and gives the text that came with it.
func (n *net) refuse(what string, tx []byte, codespace string, code uint32) string {
	n.t.Helper()
	res := n.broadcast(tx)
	got, space, text := res.CheckTx.Code, res.CheckTx.Codespace, res.CheckTx.Log
	if got == 0 {
		got, space, text = res.TxResult.Code, res.TxResult.Codespace, res.TxResult.Log
	}
	if got != code || space != codespace {
		n.t.Errorf("%s: %s/%d %q, want %s/%d", what, space, got, text, codespace, code)
	}
	return text
}

// head is the last block as a vote's anchor.
func (n *net) head() (int64, []byte) {
	n.t.Helper()
	s, err := n.rpc.Status(n.ctx())
	if err != nil {
		n.t.Fatal(err)
	}
	return s.SyncInfo.LatestBlockHeight, s.SyncInfo.LatestBlockHash
}

// waitHeight waits for a block without asking again and again.
func (n *net) waitHeight(height int64) {
	n.t.Helper()
	ctx := n.ctx()
	blocks, err := n.node.Local().Subscribe(ctx, n.t.Name(), "tm.event='NewBlock'", 100)
	if err != nil {
		n.t.Fatal(err)
	}
	defer n.node.Local().UnsubscribeAll(ctx, n.t.Name())
	for n.node.Height() < height {
		select {
		case <-blocks:
		case <-ctx.Done():
			n.t.Fatalf("height %d, want %d: %v", n.node.Height(), height, ctx.Err())
		}
	}
}

func packed(t *testing.T, v proto.Message) *codectypes.Any {
	t.Helper()
	a, err := codectypes.NewAnyWithValue(v)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
