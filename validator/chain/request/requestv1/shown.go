package requestv1

import (
	"fmt"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// ShownAs is what a human is shown of r, a request to n under rules. The chain, the box and a
// verifier of receipts all build it here, so that they cannot differ.
func (r Request) ShownAs(chainID string, n ainftv1.NFT, rules poh.Rules) (poh.Shown, error) {
	model, err := poh.DigestFromBytes(n.Model)
	if err != nil {
		return poh.Shown{}, fmt.Errorf("the model of AI NFT %d: %w", n.Id, err)
	}
	payload, err := poh.DigestFromBytes(r.PayloadDigest)
	if err != nil {
		return poh.Shown{}, fmt.Errorf("the payload of request %d: %w", r.Id, err)
	}
	return poh.Shown{
		ChainID:      chainID,
		RequestID:    r.Id,
		NFT:          r.NFTID,
		Model:        model,
		RulesVersion: r.RulesVersion,
		Rules:        rules.Digest(),
		Requester:    r.Requester,
		Purpose:      r.Purpose,
		Instruction:  r.Instruction,
		Payload:      payload,
		PayloadSize:  r.PayloadSize,
		MediaType:    r.MediaType,
		Escrow:       r.Escrow.String(),
	}, nil
}
