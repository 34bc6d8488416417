// Package sdkmodule plugs a keeper into the SDK's module manager: what each module of this chain answers in
// the same way. x/human, x/ainft and x/request import it; it imports no other project package.
package sdkmodule

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/cosmos/gogoproto/proto"
	"google.golang.org/grpc"

	"cosmossdk.io/core/appmodule"
	errorsmod "cosmossdk.io/errors"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
)

var (
	_ appmodule.AppModule = Module[proto.Message]{}
	_ module.HasGenesis   = Module[proto.Message]{}
	_ module.HasServices  = Module[proto.Message]{}
)

// Keeper moves a module's whole state into its store and out of it.
type Keeper[G proto.Message] interface {
	InitGenesis(ctx context.Context, gs G) error
	ExportGenesis(ctx context.Context) (G, error)
}

// Module is a module as the SDK sees it. G points to the message of its genesis state. Every field is needed.
type Module[G proto.Message] struct {
	Name     string
	Keeper   Keeper[G]
	Service  *grpc.ServiceDesc // of the module's transactions
	Server   any               // answers them; its type is Service's HandlerType
	Default  func() G          // a new default genesis state
	Validate func(G) error     // what a genesis state can tell without a store
	Invalid  *errorsmod.Error  // a genesis state that is none
}

// IsAppModule tags the type for the SDK.
func (Module[G]) IsAppModule() {}

// IsOnePerModuleType tags the type for the SDK.
func (Module[G]) IsOnePerModuleType() {}

// ConsensusVersion counts state-breaking changes.
func (Module[G]) ConsensusVersion() uint64 { return 1 }

// RegisterInterfaces makes the messages of the service known to the codec.
func (m Module[G]) RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	msgservice.RegisterMsgServiceDesc(registry, m.Service)
}

// RegisterServices routes the messages.
func (m Module[G]) RegisterServices(cfg module.Configurator) {
	cfg.MsgServer().RegisterService(m.Service, m.Server)
}

// DefaultGenesis is Default in JSON.
func (m Module[G]) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	return cdc.MustMarshalJSON(m.Default())
}

// ValidateGenesis reads JSON and applies Validate.
func (m Module[G]) ValidateGenesis(cdc codec.JSONCodec, _ client.TxEncodingConfig, raw json.RawMessage) error {
	gs, err := m.read(cdc, raw)
	if err != nil {
		return m.Invalid.Wrap(err.Error())
	}
	return m.Validate(gs)
}

// InitGenesis panics on a bad state: the SDK gives it no error, and a chain must not start from one.
func (m Module[G]) InitGenesis(ctx sdk.Context, cdc codec.JSONCodec, raw json.RawMessage) {
	gs, err := m.read(cdc, raw)
	if err == nil {
		err = m.Keeper.InitGenesis(ctx, gs)
	}
	if err != nil {
		panic(fmt.Errorf("genesis of %s: %w", m.Name, err))
	}
}

// ExportGenesis panics when the store cannot be read, for the same reason.
func (m Module[G]) ExportGenesis(ctx sdk.Context, cdc codec.JSONCodec) json.RawMessage {
	gs, err := m.Keeper.ExportGenesis(ctx)
	if err != nil {
		panic(fmt.Errorf("export of %s: %w", m.Name, err))
	}
	return cdc.MustMarshalJSON(gs)
}

// read makes the message with Default, and empties it: what the JSON leaves out has no default.
func (m Module[G]) read(cdc codec.JSONCodec, raw json.RawMessage) (G, error) {
	gs := m.Default()
	gs.Reset()
	return gs, cdc.UnmarshalJSON(raw, gs)
}
