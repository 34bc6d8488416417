package chain

import (
	"context"
	"encoding/json"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/gogoproto/proto"

	"cosmossdk.io/core/comet"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/std"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth/ante"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	txsigning "github.com/cosmos/cosmos-sdk/x/tx/signing"

	"github.com/vouchbox/vouch/validator/poh"
)

const appName = "vouch"

// App is the application that CometBFT drives.
type App struct {
	*baseapp.BaseApp

	cdc      codec.Codec
	txConfig client.TxConfig
	keys     map[string]*storetypes.KVStoreKey
	keepers  keepers
	modules  *module.Manager
}

// New wires the modules over db and loads the last committed state. The caller closes the app, which
// closes db.
func New(logger log.Logger, db dbm.DB, chainID string, options ...func(*baseapp.BaseApp)) (*App, error) {
	ConfigureSDK()
	registry, err := codectypes.NewInterfaceRegistryWithOptions(codectypes.InterfaceRegistryOptions{
		ProtoFiles: proto.HybridResolver,
		SigningOptions: txsigning.Options{
			AddressCodec:          address.NewBech32Codec(poh.Bech32Prefix),
			ValidatorAddressCodec: address.NewBech32Codec(poh.Bech32Prefix + "valoper"),
		},
	})
	if err != nil {
		return nil, fmt.Errorf("interface registry: %w", err)
	}
	std.RegisterInterfaces(registry)
	cdc := codec.NewProtoCodec(registry)
	txConfig := authtx.NewTxConfig(cdc, authtx.DefaultSignModes)

	base := baseapp.NewBaseApp(appName, logger, db, txConfig.TxDecoder(), append(options, baseapp.SetChainID(chainID))...)
	base.SetInterfaceRegistry(registry)
	base.SetTxEncoder(txConfig.TxEncoder())

	app := &App{
		BaseApp: base, cdc: cdc, txConfig: txConfig,
		keys: storetypes.NewKVStoreKeys(storeNames()...),
	}
	if app.keepers, err = newKeepers(app, logger); err != nil {
		return nil, err
	}
	if err := app.wireModules(registry); err != nil {
		return nil, err
	}
	base.MountKVStores(app.keys)
	handler, err := ante.NewAnteHandler(ante.HandlerOptions{
		AccountKeeper:   app.keepers.auth,
		BankKeeper:      app.keepers.bank,
		FeegrantKeeper:  app.keepers.feegrant,
		SignModeHandler: txConfig.SignModeHandler(),
	})
	if err != nil {
		return nil, fmt.Errorf("ante handler: %w", err)
	}
	base.SetAnteHandler(handler)
	base.SetInitChainer(app.initChain)
	base.SetPreBlocker(func(ctx sdk.Context, _ *abci.RequestFinalizeBlock) (*sdk.ResponsePreBlock, error) {
		return app.modules.PreBlock(ctx)
	})
	base.SetBeginBlocker(app.modules.BeginBlock)
	base.SetEndBlocker(app.modules.EndBlock)
	if err := base.LoadLatestVersion(); err != nil {
		return nil, fmt.Errorf("load the last state: %w", err)
	}
	return app, nil
}

// Codec reads and writes the chain's messages and JSON.
func (app *App) Codec() codec.Codec { return app.cdc }

// TxConfig encodes and decodes the chain's transactions.
func (app *App) TxConfig() client.TxConfig { return app.txConfig }

func (app *App) initChain(ctx sdk.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	var state map[string]json.RawMessage
	if err := json.Unmarshal(req.AppStateBytes, &state); err != nil {
		return nil, fmt.Errorf("app state of the genesis: %w", err)
	}
	if err := app.keepers.upgrade.SetModuleVersionMap(ctx, app.modules.GetVersionMap()); err != nil {
		return nil, err
	}
	return app.modules.InitGenesis(ctx, app.cdc, state)
}

// DefaultGenesis is each module's default state. It has no validator: a chain cannot start from it.
func (app *App) DefaultGenesis() map[string]json.RawMessage {
	return app.basics().DefaultGenesis(app.cdc)
}

// ValidateGenesis checks each module's state on its own.
func (app *App) ValidateGenesis(state map[string]json.RawMessage) error {
	return app.basics().ValidateGenesis(app.cdc, app.txConfig, state)
}

func (app *App) basics() module.BasicManager {
	return module.NewBasicManagerFromManager(app.modules, map[string]module.AppModuleBasic{
		genutiltypes.ModuleName: genutil.NewAppModuleBasic(genutiltypes.DefaultMessageValidator),
	})
}

// ExportGenesis reads the whole committed state. A chain that starts from it goes on at the next height.
func (app *App) ExportGenesis() (map[string]json.RawMessage, error) {
	header := cmtproto.Header{ChainID: app.ChainID(), Height: app.LastBlockHeight()}
	ctx := sdk.NewContext(app.CommitMultiStore().CacheMultiStore(), header, true, app.Logger())
	return app.modules.ExportGenesis(ctx, app.cdc)
}

// cometInfo gives x/evidence the block's evidence.
type cometInfo struct{}

func (cometInfo) GetCometBlockInfo(ctx context.Context) comet.BlockInfo {
	return sdk.UnwrapSDKContext(ctx).CometInfo()
}

// blockedAddresses may not be sent money directly. Governance may: it can be the owner of an AI or a
// requester, and a payout that fails would stop the chain.
func blockedAddresses() map[string]bool {
	blocked := make(map[string]bool)
	for name := range moduleAccounts() {
		if name != governance {
			blocked[authtypes.NewModuleAddress(name).String()] = true
		}
	}
	return blocked
}
