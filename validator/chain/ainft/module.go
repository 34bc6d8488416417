package ainft

import (
	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/sdkmodule"
)

// NewAppModule plugs a keeper into the SDK's module manager.
func NewAppModule(k Keeper) sdkmodule.Module[*ainftv1.GenesisState] {
	return sdkmodule.Module[*ainftv1.GenesisState]{
		Name: ModuleName, Keeper: k, Service: &ainftv1.Msg_serviceDesc, Server: NewMsgServer(k), Default: DefaultGenesis, Invalid: ErrGenesis,
		Validate: func(gs *ainftv1.GenesisState) error { return ValidateGenesis(gs, k.addresses) },
	}
}
