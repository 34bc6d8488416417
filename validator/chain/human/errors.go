package human

import errorsmod "cosmossdk.io/errors"

// Codes of a refused transaction in the codespace "human". A code never changes its meaning.
var (
	// ErrVoteKey means that the vote key is not a compressed P-256 point.
	ErrVoteKey = errorsmod.Register(ModuleName, 2, "invalid vote key")
	// ErrPossession means that the vote key did not sign poh.Possession with a low s.
	ErrPossession = errorsmod.Register(ModuleName, 3, "possession of the vote key is not proved")
	// ErrBond means that the bond is too small or in another denomination.
	ErrBond = errorsmod.Register(ModuleName, 4, "invalid bond")
	// ErrRegistered means that this vote key is registered already.
	ErrRegistered = errorsmod.Register(ModuleName, 5, "vote key is registered already")
	// ErrUnknown means that no human has this address.
	ErrUnknown = errorsmod.Register(ModuleName, 6, "not a registered human")
	// ErrGenesis means that a genesis state contradicts itself or the bank's balances.
	ErrGenesis = errorsmod.Register(ModuleName, 7, "invalid genesis state")
)
