package request

import (
	"context"

	"cosmossdk.io/core/appmodule"

	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/chain/sdkmodule"
)

var (
	_ appmodule.HasBeginBlocker = AppModule{}
	_ appmodule.HasEndBlocker   = AppModule{}
)

// AppModule is the module with what it does at the borders of a block.
type AppModule struct {
	sdkmodule.Module[*requestv1.GenesisState]
	keeper Keeper
}

// NewAppModule plugs a keeper into the SDK's module manager.
func NewAppModule(k Keeper) AppModule {
	return AppModule{keeper: k, Module: sdkmodule.Module[*requestv1.GenesisState]{
		Name: ModuleName, Keeper: k, Service: &requestv1.Msg_serviceDesc, Server: NewMsgServer(k), Default: DefaultGenesis, Invalid: ErrGenesis,
		Validate: func(gs *requestv1.GenesisState) error { return ValidateGenesis(gs, k.addresses) },
	}}
}

// BeginBlock is [Keeper.BeginBlock].
func (m AppModule) BeginBlock(ctx context.Context) error { return m.keeper.BeginBlock(ctx) }

// EndBlock is [Keeper.EndBlock].
func (m AppModule) EndBlock(ctx context.Context) error { return m.keeper.EndBlock(ctx) }
