package chain

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/vouchbox/vouch/validator/chain/ainft"
	"github.com/vouchbox/vouch/validator/chain/human"
	"github.com/vouchbox/vouch/validator/chain/request"
	"github.com/vouchbox/vouch/validator/poh"
)

func newApp(t *testing.T) *App {
	t.Helper()
	app, err := New(log.NewNopLogger(), dbm.NewMemDB(), "vouch-test-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { app.Close() })
	return app
}

// The default state is sound in each module, in our denomination, and is refused for want of a validator.
func TestDefaultGenesis(t *testing.T) {
	app := newApp(t)
	state := app.DefaultGenesis()
	if err := app.ValidateGenesis(state); err != nil {
		t.Error(err)
	}
	raw, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), `"stake"`) {
		t.Error("the SDK's own denomination is left in the default genesis")
	}
	params := cmttypes.DefaultConsensusParams().ToProto()
	_, err = app.InitChain(&abci.RequestInitChain{ChainId: "vouch-test-1", InitialHeight: 1, ConsensusParams: &params, AppStateBytes: raw})
	if err == nil || !strings.Contains(err.Error(), "validator set is empty") {
		t.Errorf("a chain without validators: %v", err)
	}
}

// What a genesis state leaves out has no default, and what is no genesis state is named so, in each module of ours.
func TestGenesisWithoutDefaults(t *testing.T) {
	app := newApp(t)
	for name, want := range map[string]error{human.ModuleName: human.ErrGenesis, ainft.ModuleName: ainft.ErrGenesis, request.ModuleName: request.ErrGenesis} {
		for _, raw := range []string{`{}`, `{"unknown": 1}`, `7`} {
			state := app.DefaultGenesis()
			state[name] = json.RawMessage(raw)
			if err := app.ValidateGenesis(state); !errors.Is(err, want) {
				t.Errorf("%s: %s: %v", name, raw, err)
			}
		}
	}
}

func TestInitChainRefusals(t *testing.T) {
	params := cmttypes.DefaultConsensusParams().ToProto()
	for name, req := range map[string]*abci.RequestInitChain{
		"another chain": {ChainId: "other-1", InitialHeight: 1, ConsensusParams: &params, AppStateBytes: []byte("{}")},
		"no JSON":       {ChainId: "vouch-test-1", InitialHeight: 1, ConsensusParams: &params, AppStateBytes: []byte("x")},
	} {
		if _, err := newApp(t).InitChain(req); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// Governance can be paid, since it can own an AI or ask; no other module account takes money from strangers.
func TestBlockedAddresses(t *testing.T) {
	ConfigureSDK()
	blocked := blockedAddresses()
	for name := range moduleAccounts() {
		if got, want := blocked[authtypes.NewModuleAddress(name).String()], name != "gov"; got != want {
			t.Errorf("%s: blocked is %v, want %v", name, got, want)
		}
	}
}

func TestConfigureSDK(t *testing.T) {
	ConfigureSDK()
	ConfigureSDK()
	if got := sdk.AccAddress(make([]byte, 20)).String(); !strings.HasPrefix(got, poh.Bech32Prefix+"1") {
		t.Errorf("an address is written %s", got)
	}
	if got := sdk.TokensToConsensusPower(sdk.DefaultPowerReduction, sdk.DefaultPowerReduction); got != 1 {
		t.Errorf("one HEART of stake has the power %d", got)
	}
}
