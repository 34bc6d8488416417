package chain

import (
	"cosmossdk.io/core/store"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/runtime"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	evidencekeeper "github.com/cosmos/cosmos-sdk/x/evidence/keeper"
	evidencetypes "github.com/cosmos/cosmos-sdk/x/evidence/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	feegrantkeeper "github.com/cosmos/cosmos-sdk/x/feegrant/keeper"
	govkeeper "github.com/cosmos/cosmos-sdk/x/gov/keeper"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	mintkeeper "github.com/cosmos/cosmos-sdk/x/mint/keeper"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	slashingkeeper "github.com/cosmos/cosmos-sdk/x/slashing/keeper"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	upgradekeeper "github.com/cosmos/cosmos-sdk/x/upgrade/keeper"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/vouchbox/vouch/validator/chain/ainft"
	"github.com/vouchbox/vouch/validator/chain/human"
	"github.com/vouchbox/vouch/validator/chain/request"
	"github.com/vouchbox/vouch/validator/poh"
)

const governance = govtypes.ModuleName

// storeNames are the stores that the app hash commits to.
func storeNames() []string {
	return []string{
		authtypes.StoreKey, banktypes.StoreKey, stakingtypes.StoreKey, slashingtypes.StoreKey, distrtypes.StoreKey,
		minttypes.StoreKey, govtypes.StoreKey, feegrant.StoreKey, consensustypes.StoreKey, evidencetypes.StoreKey,
		upgradetypes.StoreKey, human.ModuleName, ainft.ModuleName, request.ModuleName,
	}
}

// moduleAccounts are the accounts without a key, and what each may do with the supply.
func moduleAccounts() map[string][]string {
	return map[string][]string{
		authtypes.FeeCollectorName:          nil,
		distrtypes.ModuleName:               nil,
		minttypes.ModuleName:                {authtypes.Minter},
		stakingtypes.BondedPoolName:         {authtypes.Burner, authtypes.Staking},
		stakingtypes.NotBondedPoolName:      {authtypes.Burner, authtypes.Staking},
		stakingtypes.KeyRotationFeePoolName: {authtypes.Burner},
		govtypes.ModuleName:                 {authtypes.Burner},
		human.ModuleName:                    nil,
		request.ModuleName:                  nil,
	}
}

type keepers struct {
	auth         authkeeper.AccountKeeper
	bank         bankkeeper.BaseKeeper
	staking      *stakingkeeper.Keeper
	slashing     slashingkeeper.Keeper
	distribution distrkeeper.Keeper
	mint         mintkeeper.Keeper
	gov          *govkeeper.Keeper
	feegrant     feegrantkeeper.Keeper
	consensus    consensuskeeper.Keeper
	evidence     *evidencekeeper.Keeper
	upgrade      *upgradekeeper.Keeper
	human        human.Keeper
	ainft        ainft.Keeper
	request      request.Keeper
}

func newKeepers(app *App, logger log.Logger) (keepers, error) {
	cdc, authority := app.cdc, authtypes.NewModuleAddress(governance).String()
	service := func(name string) store.KVStoreService { return runtime.NewKVStoreService(app.keys[name]) }
	accounts := address.NewBech32Codec(poh.Bech32Prefix)
	validators := address.NewBech32Codec(poh.Bech32Prefix + "valoper")
	consensusNodes := address.NewBech32Codec(poh.Bech32Prefix + "valcons")

	var k keepers
	k.consensus = consensuskeeper.NewKeeper(cdc, service(consensustypes.StoreKey), authority, runtime.EventService{})
	app.SetParamStore(k.consensus.ParamsStore)
	k.upgrade = upgradekeeper.NewKeeper(nil, service(upgradetypes.StoreKey), cdc, "", app.BaseApp, authority)
	k.auth = authkeeper.NewAccountKeeper(cdc, service(authtypes.StoreKey), authtypes.ProtoBaseAccount, moduleAccounts(),
		accounts, poh.Bech32Prefix, authority, authkeeper.WithUnorderedTransactions(true))
	k.bank = bankkeeper.NewBaseKeeper(cdc, service(banktypes.StoreKey), k.auth, blockedAddresses(), authority, logger)
	k.feegrant = feegrantkeeper.NewKeeper(cdc, service(feegrant.StoreKey), k.auth)
	k.staking = stakingkeeper.NewKeeper(cdc, service(stakingtypes.StoreKey), k.auth, k.bank, authority, validators, consensusNodes)
	k.mint = mintkeeper.NewKeeper(cdc, service(minttypes.StoreKey), k.staking, k.auth, k.bank, authtypes.FeeCollectorName, authority)
	k.distribution = distrkeeper.NewKeeper(cdc, service(distrtypes.StoreKey), k.auth, k.bank, k.staking, authtypes.FeeCollectorName, authority)
	k.slashing = slashingkeeper.NewKeeper(cdc, codec.NewLegacyAmino(), service(slashingtypes.StoreKey), k.staking, authority)
	k.staking.SetHooks(stakingtypes.NewMultiStakingHooks(k.distribution.Hooks(), k.slashing.Hooks()))
	k.evidence = evidencekeeper.NewKeeper(cdc, service(evidencetypes.StoreKey), k.staking, k.slashing, accounts, cometInfo{})
	k.gov = govkeeper.NewKeeper(cdc, service(govtypes.StoreKey), k.auth, k.bank, k.distribution, app.MsgServiceRouter(),
		govtypes.DefaultConfig(), authority, govkeeper.NewDefaultCalculateVoteResultsAndVotingPower(k.staking))

	var err error
	if k.human, err = human.NewKeeper(cdc, service(human.ModuleName), accounts, k.auth, k.bank); err != nil {
		return keepers{}, err
	}
	if k.ainft, err = ainft.NewKeeper(cdc, service(ainft.ModuleName), accounts); err != nil {
		return keepers{}, err
	}
	k.request, err = request.NewKeeper(cdc, service(request.ModuleName), accounts, k.human, k.ainft, k.bank)
	return k, err
}
