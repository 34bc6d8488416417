package chaintest

import (
	"strings"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// Rules need two approvals within ten blocks and cost ten HEART and 7 atto, so that shares do not
// come out even.
func Rules() ainftv1.Rules {
	return ainftv1.Rules{
		Purposes: []string{"narration", "accessibility"},
		Rules: []ainftv1.Rule{
			{Id: "no-third-party-voice", Text: "No voice of a person who did not agree.", Kind: ainftv1.RULE_KIND_JUDGEMENT},
			{Id: "length", Text: "At most one minute.", Kind: ainftv1.RULE_KIND_MACHINE_CHECKED},
		},
		Quorum: 2, Price: Heart(10).AddAmount(math.NewInt(7)), DeadlineBlocks: 10,
		Split: ainftv1.Split{Owner: 4000, Voters: 3000, Worker: 2500, Network: 500},
	}
}

// Mint is a valid mint by owner under [Rules].
func Mint(owner sdk.AccAddress) *ainftv1.MsgMint {
	model := poh.Sum([]byte("model"))
	return &ainftv1.MsgMint{Owner: owner.String(), Name: "voice", Description: "reads texts", Model: model[:], Rules: Rules()}
}

// Submit is a valid request to an NFT with an inline payload, under [Rules].
func Submit(requester sdk.AccAddress, nft uint64) *requestv1.MsgSubmit {
	payload := []byte(strings.Repeat("sound", 100))
	digest := poh.Sum(payload)
	return &requestv1.MsgSubmit{
		Requester: requester.String(), NFTID: nft, Purpose: "narration", Instruction: "read the first chapter",
		Payload: payload, PayloadDigest: digest[:], PayloadSize: uint64(len(payload)), MediaType: "audio/wav", Escrow: Rules().Price,
	}
}

// Vote is a human's answer to a request as the chain shows it, anchored at a block.
func Vote(human sdk.AccAddress, r requestv1.Request, d requestv1.Decision, height int64, hash []byte) *requestv1.MsgVote {
	return &requestv1.MsgVote{
		Human: human.String(), RequestID: r.Id, Decision: d, Shown: r.Shown, AnchorHeight: height, AnchorHash: hash,
	}
}

// Receipt is a valid execution of a request to an NFT.
func Receipt(worker sdk.AccAddress, r requestv1.Request, nft ainftv1.NFT) *requestv1.MsgPostReceipt {
	output := []byte("it is a voice")
	digest, runtime := poh.Sum(output), poh.Sum([]byte("engine"))
	return &requestv1.MsgPostReceipt{
		Worker: worker.String(), RequestID: r.Id,
		Execution: requestv1.Execution{
			Model: nft.Model, Input: r.PayloadDigest, Output: output, OutputDigest: digest[:], Runtime: runtime[:],
			Engine: "onnxruntime 1.23", DeviceClass: "cpu/amd64", DurationMs: 12,
		},
	}
}
