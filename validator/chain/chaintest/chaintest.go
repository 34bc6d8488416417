// Package chaintest gives tests the chain's own modules on a store in memory, with real accounts and
// a real bank, and people whose vote keys are in software. Only tests import it.
package chaintest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/big"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/std"
	"github.com/cosmos/cosmos-sdk/store/v2"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/vouchbox/vouch/validator/chain"
	"github.com/vouchbox/vouch/validator/chain/ainft"
	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/human"
	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// ChainID names the chain under test.
const ChainID = "vouch-test-1"

// TB is what the package needs of testing.TB and rapid.T.
type TB interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Chain is a chain at one height. Its blocks have no consensus: [Chain.NextBlock] makes the next.
type Chain struct {
	Ctx     sdk.Context
	Codec   codec.Codec
	Bank    bankkeeper.BaseKeeper
	Auth    authkeeper.AccountKeeper
	Human   human.Keeper
	AINFT   ainft.Keeper
	Request request.Keeper

	keys map[string]*storetypes.KVStoreKey
}

// faucet is a module account that may mint: tests need money from nowhere.
const faucet = "faucet"

// New starts at height 1 with empty modules.
func New(t TB) *Chain {
	t.Helper()
	c := empty(t)
	must(t, c.Human.InitGenesis(c.Ctx, human.DefaultGenesis()))
	must(t, c.AINFT.InitGenesis(c.Ctx, ainft.DefaultGenesis()))
	must(t, c.Request.InitGenesis(c.Ctx, request.DefaultGenesis()))
	must(t, c.Request.BeginBlock(c.Ctx))
	return c
}

func empty(t TB) *Chain {
	t.Helper()
	chain.ConfigureSDK()
	registry := codectypes.NewInterfaceRegistry()
	std.RegisterInterfaces(registry)
	authtypes.RegisterInterfaces(registry)
	banktypes.RegisterInterfaces(registry)
	c := &Chain{
		Codec: codec.NewProtoCodec(registry),
		keys:  storetypes.NewKVStoreKeys(authtypes.StoreKey, banktypes.StoreKey, human.ModuleName, ainft.ModuleName, request.ModuleName),
	}
	db := dbm.NewMemDB()
	stores := store.NewCommitMultiStore(db, log.NewNopLogger())
	for _, key := range c.keys {
		stores.MountStoreWithDB(key, storetypes.StoreTypeIAVL, db)
	}
	must(t, stores.LoadLatestVersion())
	c.Ctx = sdk.NewContext(stores, cmtproto.Header{ChainID: ChainID, Height: 1}, false, log.NewNopLogger()).WithHeaderHash(hashOf(1))

	authority, addresses := authtypes.NewModuleAddress("gov").String(), address.NewBech32Codec(poh.Bech32Prefix)
	permissions := map[string][]string{
		faucet: {authtypes.Minter}, authtypes.FeeCollectorName: nil, human.ModuleName: nil, request.ModuleName: nil,
	}
	c.Auth = authkeeper.NewAccountKeeper(c.Codec, runtime.NewKVStoreService(c.keys[authtypes.StoreKey]), authtypes.ProtoBaseAccount,
		permissions, addresses, poh.Bech32Prefix, authority)
	c.Bank = bankkeeper.NewBaseKeeper(c.Codec, runtime.NewKVStoreService(c.keys[banktypes.StoreKey]), c.Auth, nil, authority, log.NewNopLogger())
	var err error
	c.Human, err = human.NewKeeper(c.Codec, runtime.NewKVStoreService(c.keys[human.ModuleName]), addresses, c.Auth, c.Bank)
	must(t, err)
	c.AINFT, err = ainft.NewKeeper(c.Codec, runtime.NewKVStoreService(c.keys[ainft.ModuleName]), addresses)
	must(t, err)
	c.Request, err = request.NewKeeper(c.Codec, runtime.NewKVStoreService(c.keys[request.ModuleName]), addresses, c.Human, c.AINFT, c.Bank)
	must(t, err)
	return c
}

// State is an exported chain.
type State struct {
	Auth    *authtypes.GenesisState
	Bank    *banktypes.GenesisState
	Human   *humanv1.GenesisState
	AINFT   *ainftv1.GenesisState
	Request *requestv1.GenesisState
}

// Export reads the whole state.
func (c *Chain) Export(t TB) State {
	t.Helper()
	s := State{Auth: c.Auth.ExportGenesis(c.Ctx), Bank: c.Bank.ExportGenesis(c.Ctx)}
	var err error
	s.Human, err = c.Human.ExportGenesis(c.Ctx)
	must(t, err)
	s.AINFT, err = c.AINFT.ExportGenesis(c.Ctx)
	must(t, err)
	s.Request, err = c.Request.ExportGenesis(c.Ctx)
	must(t, err)
	return s
}

// Import starts a new chain from a state.
func Import(t TB, s State) (*Chain, error) {
	t.Helper()
	c := empty(t)
	c.Auth.InitGenesis(c.Ctx, *s.Auth)
	c.Bank.InitGenesis(c.Ctx, s.Bank)
	if err := c.Human.InitGenesis(c.Ctx, s.Human); err != nil {
		return nil, err
	}
	if err := c.AINFT.InitGenesis(c.Ctx, s.AINFT); err != nil {
		return nil, err
	}
	return c, c.Request.InitGenesis(c.Ctx, s.Request)
}

// Deliver runs a transaction's messages: all of their writes or none.
func (c *Chain) Deliver(f func(ctx sdk.Context) error) error {
	ctx, write := c.Ctx.CacheContext()
	if err := f(ctx); err != nil {
		return err
	}
	write()
	return nil
}

// NextBlock ends this block and begins the next.
func (c *Chain) NextBlock(t TB) {
	t.Helper()
	must(t, c.Request.EndBlock(c.Ctx))
	c.Ctx = c.Ctx.WithBlockHeight(c.Ctx.BlockHeight() + 1)
	c.Ctx = c.Ctx.WithHeaderHash(hashOf(c.Ctx.BlockHeight()))
	must(t, c.Request.BeginBlock(c.Ctx))
}

// Store is a module's raw store, as proofs see it.
func (c *Chain) Store(module string) storetypes.KVStore { return c.Ctx.KVStore(c.keys[module]) }

// Account makes a funded account.
func (c *Chain) Account(t TB, heart int64) sdk.AccAddress {
	t.Helper()
	b := make([]byte, 20)
	rand.Read(b)
	addr := sdk.AccAddress(b)
	c.Auth.SetAccount(c.Ctx, c.Auth.NewAccountWithAddress(c.Ctx, addr))
	if heart > 0 {
		coins := sdk.NewCoins(Heart(heart))
		must(t, c.Bank.MintCoins(c.Ctx, faucet, coins))
		must(t, c.Bank.SendCoinsFromModuleToAccount(c.Ctx, faucet, addr, coins))
	}
	return addr
}

// Balance is an account's aheart.
func (c *Chain) Balance(addr sdk.AccAddress) math.Int {
	return c.Bank.GetBalance(c.Ctx, addr, poh.Denom).Amount
}

// ModuleBalance is a module account's aheart.
func (c *Chain) ModuleBalance(module string) math.Int {
	return c.Balance(authtypes.NewModuleAddress(module))
}

// Heart is whole HEART as a coin.
func Heart(n int64) sdk.Coin {
	return sdk.NewCoin(poh.Denom, math.NewInt(n).Mul(math.NewIntWithDecimal(1, 18)))
}

// VoteKey is a P-256 key in software, where a box has it in its TPM.
type VoteKey struct{ private *ecdsa.PrivateKey }

// NewVoteKey makes a key.
func NewVoteKey(t TB) VoteKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return VoteKey{key}
}

// Public is the compressed point.
func (k VoteKey) Public() []byte {
	return elliptic.MarshalCompressed(elliptic.P256(), k.private.X, k.private.Y)
}

// SignDigest signs 32 bytes, as a TPM does, and gives r and s with a low s.
func (k VoteKey) SignDigest(t TB, digest [32]byte) []byte {
	t.Helper()
	r, s, err := ecdsa.Sign(rand.Reader, k.private, digest[:])
	must(t, err)
	n := elliptic.P256().Params().N
	if s.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
		s.Sub(n, s)
	}
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

// Registration is a valid registration of the key by owner, with the smallest bond.
func (k VoteKey) Registration(t TB, chainID string, owner sdk.AccAddress) *humanv1.MsgRegister {
	t.Helper()
	return &humanv1.MsgRegister{
		Owner: owner.String(), VoteKey: k.Public(), Bond: human.DefaultGenesis().Params.MinBond,
		Possession: k.SignDigest(t, poh.Possession(chainID, owner.String(), [33]byte(k.Public()))),
	}
}

func hashOf(height int64) []byte {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("block"), uint64(height)))
	return h[:]
}

func must(t TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
