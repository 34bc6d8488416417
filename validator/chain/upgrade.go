package chain

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/core/appmodule"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	upgradekeeper "github.com/cosmos/cosmos-sdk/x/upgrade/keeper"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
)

var (
	_ appmodule.AppModule     = upgradeModule{}
	_ appmodule.HasPreBlocker = upgradeModule{}
	_ module.HasServices      = upgradeModule{}
)

// upgradeVersion is the SDK's x/upgrade ConsensusVersion, whose state this module keeps.
const upgradeVersion = 2

// upgradeModule stops every node at the height that governance chose, unless this binary knows the
// plan. It stands for the SDK's x/upgrade module, which links a downloader of binaries: a box is
// updated by signed images only.
type upgradeModule struct{ keeper *upgradekeeper.Keeper }

func (upgradeModule) IsAppModule()             {}
func (upgradeModule) IsOnePerModuleType()      {}
func (upgradeModule) ConsensusVersion() uint64 { return upgradeVersion }

func (upgradeModule) RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	upgradetypes.RegisterInterfaces(registry)
}

func (m upgradeModule) RegisterServices(cfg module.Configurator) {
	upgradetypes.RegisterMsgServer(cfg.MsgServer(), upgradekeeper.NewMsgServerImpl(m.keeper))
	upgradetypes.RegisterQueryServer(cfg.QueryServer(), m.keeper)
}

// PreBlock applies a due plan, or returns the error that halts the node.
func (m upgradeModule) PreBlock(goCtx context.Context) (appmodule.ResponsePreBlock, error) {
	ctx := sdk.UnwrapSDKContext(goCtx)
	plan, err := m.keeper.GetUpgradePlan(ctx)
	switch {
	case errors.Is(err, upgradetypes.ErrNoUpgradePlanFound):
		return &sdk.ResponsePreBlock{}, nil
	case err != nil:
		return nil, err
	case !plan.ShouldExecute(ctx.BlockHeight()):
		if m.keeper.HasHandler(plan.Name) {
			return nil, fmt.Errorf("this binary already carries the upgrade %q, due at block %d: run the previous release until then", plan.Name, plan.Height)
		}
		return &sdk.ResponsePreBlock{}, nil
	case !m.keeper.HasHandler(plan.Name):
		return nil, fmt.Errorf("the upgrade %q is due at block %d and this binary does not carry it: install the release that does", plan.Name, plan.Height)
	}
	if err := m.keeper.ApplyUpgrade(ctx.WithBlockGasMeter(storetypes.NewInfiniteGasMeter()), plan); err != nil {
		return nil, fmt.Errorf("upgrade %q: %w", plan.Name, err)
	}
	return &sdk.ResponsePreBlock{ConsensusParamsChanged: true}, nil
}
