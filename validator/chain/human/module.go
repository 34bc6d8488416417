package human

import (
	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/sdkmodule"
)

// NewAppModule plugs a keeper into the SDK's module manager.
func NewAppModule(k Keeper) sdkmodule.Module[*humanv1.GenesisState] {
	return sdkmodule.Module[*humanv1.GenesisState]{
		Name: ModuleName, Keeper: k, Service: &humanv1.Msg_serviceDesc, Server: NewMsgServer(k), Default: DefaultGenesis, Invalid: ErrGenesis,
		Validate: func(gs *humanv1.GenesisState) error { return ValidateGenesis(gs, k.addresses) },
	}
}
