package human

import (
	"encoding/json"
	"fmt"

	"cosmossdk.io/core/appmodule"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"

	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
)

var (
	_ appmodule.AppModule = AppModule{}
	_ module.HasGenesis   = AppModule{}
	_ module.HasServices  = AppModule{}
)

// AppModule plugs the keeper into the SDK's module manager.
type AppModule struct{ keeper Keeper }

// NewAppModule wraps a keeper.
func NewAppModule(k Keeper) AppModule { return AppModule{k} }

// IsAppModule tags the type for the SDK.
func (AppModule) IsAppModule() {}

// IsOnePerModuleType tags the type for the SDK.
func (AppModule) IsOnePerModuleType() {}

// ConsensusVersion counts state-breaking changes.
func (AppModule) ConsensusVersion() uint64 { return 1 }

// RegisterInterfaces makes the messages known to the codec.
func (AppModule) RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil), &humanv1.MsgRegister{})
	msgservice.RegisterMsgServiceDesc(registry, &humanv1.Msg_serviceDesc)
}

// RegisterServices routes the messages.
func (m AppModule) RegisterServices(cfg module.Configurator) {
	humanv1.RegisterMsgServer(cfg.MsgServer(), NewMsgServer(m.keeper))
}

// DefaultGenesis is [DefaultGenesis] in JSON.
func (AppModule) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	return cdc.MustMarshalJSON(DefaultGenesis())
}

// ValidateGenesis reads JSON and applies [ValidateGenesis].
func (m AppModule) ValidateGenesis(cdc codec.JSONCodec, _ client.TxEncodingConfig, raw json.RawMessage) error {
	var gs humanv1.GenesisState
	if err := cdc.UnmarshalJSON(raw, &gs); err != nil {
		return ErrGenesis.Wrap(err.Error())
	}
	return ValidateGenesis(&gs, m.keeper.addresses)
}

// InitGenesis panics on a bad state: the SDK gives it no error, and a chain must not start from one.
func (m AppModule) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, raw json.RawMessage) {
	var gs humanv1.GenesisState
	cdc.MustUnmarshalJSON(raw, &gs)
	if err := m.keeper.InitGenesis(ctx, &gs); err != nil {
		panic(fmt.Errorf("genesis of %s: %w", ModuleName, err))
	}
}

// ExportGenesis panics when the store cannot be read, for the same reason.
func (m AppModule) ExportGenesis(ctx sdk.Context, cdc codec.JSONCodec) json.RawMessage {
	gs, err := m.keeper.ExportGenesis(ctx)
	if err != nil {
		panic(fmt.Errorf("export of %s: %w", ModuleName, err))
	}
	return cdc.MustMarshalJSON(gs)
}
