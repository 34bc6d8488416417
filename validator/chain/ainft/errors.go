package ainft

import errorsmod "cosmossdk.io/errors"

// Codes of a refused transaction in the codespace "ainft". A code never changes its meaning.
var (
	// ErrRules means that rules cannot govern a vote; the text says which field and why.
	ErrRules = errorsmod.Register(ModuleName, 2, "invalid rules")
	// ErrModel means that the model is not named by a SHA-256 digest.
	ErrModel = errorsmod.Register(ModuleName, 3, "invalid model digest")
	// ErrText means that the name or the description is empty or too long.
	ErrText = errorsmod.Register(ModuleName, 4, "invalid name or description")
	// ErrUnknown means that no NFT has this id, or no rules this version.
	ErrUnknown = errorsmod.Register(ModuleName, 5, "no such AI NFT")
	// ErrNotOwner means that only the owner may do this.
	ErrNotOwner = errorsmod.Register(ModuleName, 6, "not the owner of the AI NFT")
	// ErrGenesis means that a genesis state contradicts itself.
	ErrGenesis = errorsmod.Register(ModuleName, 7, "invalid genesis state")
)
