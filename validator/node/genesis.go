package node

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	cryptocodec "github.com/cosmos/cosmos-sdk/crypto/codec"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/vouchbox/vouch/validator/chain"
	"github.com/vouchbox/vouch/validator/poh"
)

// Balances of a devnet, in HEART. They add up to the reference genesis's 7.8 billion; the validator's
// stake is the treasury's.
const (
	treasuryHeart  = 7_798_000_000
	authorHeart    = 1_000_000
	requesterHeart = 1_000_000
	stakeHeart     = 1_000_000
)

const (
	maxBlockBytes = 1 << 20
	maxBlockGas   = 100_000_000
)

type devnetAccounts struct{ treasury, author, requester *secp256k1.PrivKey }

// heart is whole HEART as a coin.
func heart(n int64) sdk.Coin {
	return sdk.NewCoin(poh.Denom, math.NewInt(n).Mul(math.NewIntWithDecimal(1, 18)))
}

// devnetGenesis makes the genesis of a chain of one validator, and starts an application from it in
// memory: a genesis that cannot start is never written.
func devnetGenesis(accounts devnetAccounts, validator crypto.PubKey, at time.Time) (*cmttypes.GenesisDoc, error) {
	app, err := newGenesisApp()
	if err != nil {
		return nil, err
	}
	state := app.DefaultGenesis()
	steps := []func(*chain.App, map[string]json.RawMessage) error{
		func(app *chain.App, state map[string]json.RawMessage) error { return fund(app, state, accounts) },
		tuneParams,
		func(app *chain.App, state map[string]json.RawMessage) error {
			return addValidator(app, state, accounts.treasury, validator)
		},
	}
	for _, step := range steps {
		if err := step(app, state); err != nil {
			return nil, err
		}
	}
	if err := app.ValidateGenesis(state); err != nil {
		return nil, err
	}
	params := cmttypes.DefaultConsensusParams()
	params.Block.MaxBytes, params.Block.MaxGas = maxBlockBytes, maxBlockGas
	params.Evidence.MaxBytes = maxBlockBytes / 4
	doc := &cmttypes.GenesisDoc{GenesisTime: at.UTC(), ChainID: DevnetChainID, InitialHeight: 1, ConsensusParams: params}
	if doc.AppState, err = json.Marshal(state); err != nil {
		return nil, err
	}
	if err := doc.ValidateAndComplete(); err != nil {
		return nil, err
	}
	proto := params.ToProto()
	if _, err := app.InitChain(&abci.RequestInitChain{
		Time: doc.GenesisTime, ChainId: doc.ChainID, InitialHeight: doc.InitialHeight, ConsensusParams: &proto, AppStateBytes: doc.AppState,
	}); err != nil {
		return nil, fmt.Errorf("start from the genesis: %w", err)
	}
	return doc, app.Close()
}

func newGenesisApp() (*chain.App, error) {
	return chain.New(log.NewNopLogger(), dbm.NewMemDB(), DevnetChainID)
}

// fund gives the accounts their balances. Account numbers follow the order here: treasury is 0.
func fund(app *chain.App, state map[string]json.RawMessage, accounts devnetAccounts) error {
	var (
		auth authtypes.GenesisState
		bank banktypes.GenesisState
		list authtypes.GenesisAccounts
	)
	cdc := app.Codec()
	if err := cdc.UnmarshalJSON(state[authtypes.ModuleName], &auth); err != nil {
		return err
	}
	if err := cdc.UnmarshalJSON(state[banktypes.ModuleName], &bank); err != nil {
		return err
	}
	for i, a := range []struct {
		key   *secp256k1.PrivKey
		coins sdk.Coin
	}{
		{accounts.treasury, heart(treasuryHeart)}, {accounts.author, heart(authorHeart)}, {accounts.requester, heart(requesterHeart)},
	} {
		addr := sdk.AccAddress(a.key.PubKey().Address())
		list = append(list, authtypes.NewBaseAccount(addr, nil, uint64(i), 0))
		bank.Balances = append(bank.Balances, banktypes.Balance{Address: addr.String(), Coins: sdk.NewCoins(a.coins)})
		bank.Supply = bank.Supply.Add(a.coins)
	}
	bank.DenomMetadata = []banktypes.Metadata{{
		Description: "The money of the Vouch network", Base: poh.Denom, Display: "heart", Name: "Heart", Symbol: "HEART",
		DenomUnits: []*banktypes.DenomUnit{{Denom: poh.Denom}, {Denom: "heart", Exponent: 18}},
	}}
	var err error
	if auth.Accounts, err = authtypes.PackAccounts(list); err != nil {
		return err
	}
	if state[authtypes.ModuleName], err = cdc.MarshalJSON(&auth); err != nil {
		return err
	}
	state[banktypes.ModuleName], err = cdc.MarshalJSON(&bank)
	return err
}

// tuneParams keeps the supply constant, and puts the SDK's amounts, meant for 6 decimals, at 18.
func tuneParams(app *chain.App, state map[string]json.RawMessage) error {
	var (
		mint    minttypes.GenesisState
		gov     govv1.GenesisState
		staking stakingtypes.GenesisState
		cdc     = app.Codec()
	)
	if err := cdc.UnmarshalJSON(state[minttypes.ModuleName], &mint); err != nil {
		return err
	}
	if err := cdc.UnmarshalJSON(state[govtypes.ModuleName], &gov); err != nil {
		return err
	}
	if err := cdc.UnmarshalJSON(state[stakingtypes.ModuleName], &staking); err != nil {
		return err
	}
	none := math.LegacyZeroDec()
	mint.Minter.Inflation = none
	mint.Params.InflationRateChange, mint.Params.InflationMax, mint.Params.InflationMin = none, none, none
	gov.Params.MinDeposit, gov.Params.ExpeditedMinDeposit = sdk.NewCoins(heart(1000)), sdk.NewCoins(heart(5000))
	staking.Params.KeyRotationFee = heart(1)
	var err error
	if state[minttypes.ModuleName], err = cdc.MarshalJSON(&mint); err != nil {
		return err
	}
	if state[govtypes.ModuleName], err = cdc.MarshalJSON(&gov); err != nil {
		return err
	}
	state[stakingtypes.ModuleName], err = cdc.MarshalJSON(&staking)
	return err
}

// addValidator puts a genesis transaction in which the operator bonds its stake.
func addValidator(app *chain.App, state map[string]json.RawMessage, operator *secp256k1.PrivKey, validator crypto.PubKey) error {
	key, err := cryptocodec.FromCmtPubKeyInterface(validator)
	if err != nil {
		return err
	}
	zero := math.LegacyZeroDec()
	msg, err := stakingtypes.NewMsgCreateValidator(sdk.ValAddress(operator.PubKey().Address()).String(), key, heart(stakeHeart),
		stakingtypes.Description{Moniker: "devnet"}, stakingtypes.NewCommissionRates(zero, zero, zero), math.OneInt())
	if err != nil {
		return err
	}
	txs := app.TxConfig()
	b := txs.NewTxBuilder()
	if err := b.SetMsgs(msg); err != nil {
		return err
	}
	b.SetGasLimit(200_000)
	sign := func(signature []byte) error {
		return b.SetSignatures(signing.SignatureV2{
			PubKey: operator.PubKey(), Data: &signing.SingleSignatureData{SignMode: signing.SignMode_SIGN_MODE_DIRECT, Signature: signature},
		})
	}
	// The sign bytes cover the signer's key and mode, so these stand first without a signature.
	if err := sign(nil); err != nil {
		return err
	}
	raw, err := authsigning.GetSignBytesAdapter(context.Background(), txs.SignModeHandler(), signing.SignMode_SIGN_MODE_DIRECT,
		authsigning.SignerData{ChainID: DevnetChainID, Address: address(operator), PubKey: operator.PubKey()}, b.GetTx())
	if err != nil {
		return err
	}
	signature, err := operator.Sign(raw)
	if err != nil {
		return err
	}
	if err := sign(signature); err != nil {
		return err
	}
	encoded, err := txs.TxJSONEncoder()(b.GetTx())
	if err != nil {
		return err
	}
	state[genutiltypes.ModuleName], err = app.Codec().MarshalJSON(genutiltypes.NewGenesisState([]json.RawMessage{encoded}))
	return err
}
