package chain

import (
	"cosmossdk.io/core/appmodule"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	"github.com/cosmos/cosmos-sdk/x/auth"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/bank"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/consensus"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distr "github.com/cosmos/cosmos-sdk/x/distribution"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/cosmos/cosmos-sdk/x/evidence"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	feegrantmodule "github.com/cosmos/cosmos-sdk/x/feegrant/module"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	"github.com/cosmos/cosmos-sdk/x/gov"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	"github.com/cosmos/cosmos-sdk/x/mint"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	"github.com/cosmos/cosmos-sdk/x/slashing"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	"github.com/cosmos/cosmos-sdk/x/staking"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/vouchbox/vouch/validator/chain/ainft"
	"github.com/vouchbox/vouch/validator/chain/human"
	"github.com/vouchbox/vouch/validator/chain/request"
)

// wireModules registers each module and fixes the order in which they run: it is part of consensus.
func (app *App) wireModules(registry codectypes.InterfaceRegistry) error {
	k, cdc := app.keepers, app.cdc
	app.modules = module.NewManagerFromMap(map[string]appmodule.AppModule{
		authtypes.ModuleName:      auth.NewAppModule(cdc, k.auth, nil),
		banktypes.ModuleName:      bank.NewAppModule(cdc, k.bank, k.auth),
		feegrant.ModuleName:       feegrantmodule.NewAppModule(cdc, k.auth, k.bank, k.feegrant, registry),
		stakingtypes.ModuleName:   staking.NewAppModule(cdc, k.staking, k.auth, k.bank),
		slashingtypes.ModuleName:  slashing.NewAppModule(cdc, k.slashing, k.auth, k.bank, k.staking, registry),
		distrtypes.ModuleName:     distr.NewAppModule(cdc, k.distribution, k.auth, k.bank, k.staking),
		minttypes.ModuleName:      mint.NewAppModule(cdc, k.mint, k.auth, nil),
		govtypes.ModuleName:       gov.NewAppModule(cdc, k.gov, k.auth, k.bank),
		evidencetypes.ModuleName:  evidence.NewAppModule(*k.evidence),
		consensustypes.ModuleName: consensus.NewAppModule(cdc, k.consensus),
		upgradetypes.ModuleName:   upgradeModule{k.upgrade},
		genutiltypes.ModuleName:   genutil.NewAppModule(k.auth, k.staking, app, app.txConfig),
		human.ModuleName:          human.NewAppModule(k.human),
		ainft.ModuleName:          ainft.NewAppModule(k.ainft),
		request.ModuleName:        request.NewAppModule(k.request),
	})
	m := app.modules
	m.SetOrderPreBlockers(upgradetypes.ModuleName, authtypes.ModuleName)
	// Distribution reads the votes of the last block before slashing may change the set.
	m.SetOrderBeginBlockers(request.ModuleName, minttypes.ModuleName, distrtypes.ModuleName, slashingtypes.ModuleName,
		evidencetypes.ModuleName, stakingtypes.ModuleName)
	m.SetOrderEndBlockers(banktypes.ModuleName, govtypes.ModuleName, request.ModuleName, stakingtypes.ModuleName, feegrant.ModuleName)
	// Genesis transactions need accounts, money and stake; our modules check the balances at the end.
	genesis := []string{
		authtypes.ModuleName, banktypes.ModuleName, distrtypes.ModuleName, stakingtypes.ModuleName, slashingtypes.ModuleName,
		minttypes.ModuleName, govtypes.ModuleName, feegrant.ModuleName, evidencetypes.ModuleName, consensustypes.ModuleName,
		upgradetypes.ModuleName, genutiltypes.ModuleName, human.ModuleName, ainft.ModuleName, request.ModuleName,
	}
	m.SetOrderInitGenesis(genesis...)
	m.SetOrderExportGenesis(genesis...)

	app.basics().RegisterInterfaces(registry)
	if err := m.RegisterServices(module.NewConfigurator(app.cdc, app.MsgServiceRouter(), app.GRPCQueryRouter())); err != nil {
		return err
	}
	return registry.SigningContext().Validate()
}
