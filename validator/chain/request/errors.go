package request

import errorsmod "cosmossdk.io/errors"

// Codes of a refused transaction in the codespace "request". A code never changes its meaning.
var (
	// ErrPurpose means that the rules do not allow this purpose.
	ErrPurpose = errorsmod.Register(ModuleName, 2, "purpose is not allowed by the rules")
	// ErrInstruction means that the instruction or the media type is empty or too long.
	ErrInstruction = errorsmod.Register(ModuleName, 3, "invalid instruction or media type")
	// ErrPayload means that the payload, its digest and its size do not belong together.
	ErrPayload = errorsmod.Register(ModuleName, 4, "payload does not match its digest and size")
	// ErrEscrow means that the escrow is below the price or in another denomination.
	ErrEscrow = errorsmod.Register(ModuleName, 5, "invalid escrow")
	// ErrUnknown means that no request has this id.
	ErrUnknown = errorsmod.Register(ModuleName, 6, "no such request")
	// ErrState means that the request is past, or not yet in, the state that the message needs.
	ErrState = errorsmod.Register(ModuleName, 7, "request is in another state")
	// ErrDeadline means that the message came after the deadline.
	ErrDeadline = errorsmod.Register(ModuleName, 8, "deadline has passed")
	// ErrInterest means that the human is, or belongs to, the requester or the owner of the AI.
	ErrInterest = errorsmod.Register(ModuleName, 9, "human has an interest in the request")
	// ErrVoted means that this human voted on the request already.
	ErrVoted = errorsmod.Register(ModuleName, 10, "human has voted already")
	// ErrShown means that the human was shown something else than what the chain holds.
	ErrShown = errorsmod.Register(ModuleName, 11, "what was shown is not this request")
	// ErrAnchor means that the anchor is no recent block of this chain.
	ErrAnchor = errorsmod.Register(ModuleName, 12, "anchor is not a recent block of this chain")
	// ErrDecision means that the decision is none of approve, reject, abstain, or that no more
	// abstentions are taken.
	ErrDecision = errorsmod.Register(ModuleName, 13, "invalid decision")
	// ErrWorker means that the signer owns no registered human.
	ErrWorker = errorsmod.Register(ModuleName, 14, "worker is not the owner of a registered human")
	// ErrExecution means that the receipt is about another model or input, or contradicts itself.
	ErrExecution = errorsmod.Register(ModuleName, 15, "execution does not answer the request")
	// ErrGenesis means that a genesis state contradicts itself or the bank's balances.
	ErrGenesis = errorsmod.Register(ModuleName, 16, "invalid genesis state")
)
