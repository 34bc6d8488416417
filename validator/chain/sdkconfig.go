package chain

import (
	"sync"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/poh"
)

// ConfigureSDK sets what the SDK keeps per process: how addresses are written, the bond denomination of
// default parameters, and how much stake is one unit of consensus power. With 18 decimals the SDK's
// default of 10^6 would overflow CometBFT's limit on total power. [New] calls it; a program that only formats addresses may, too.
var ConfigureSDK = sync.OnceFunc(func() {
	config := sdk.GetConfig()
	config.SetBech32PrefixForAccount(poh.Bech32Prefix, poh.Bech32Prefix+"pub")
	config.SetBech32PrefixForValidator(poh.Bech32Prefix+"valoper", poh.Bech32Prefix+"valoperpub")
	config.SetBech32PrefixForConsensusNode(poh.Bech32Prefix+"valcons", poh.Bech32Prefix+"valconspub")
	config.Seal()
	sdk.DefaultBondDenom = poh.Denom
	sdk.DefaultPowerReduction = math.NewIntWithDecimal(1, 18)
})
