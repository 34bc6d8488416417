package account

import (
	"context"
	"fmt"
	"time"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	"github.com/cosmos/gogoproto/proto"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// Transfer sends an amount to an address.
func (a *Account) Transfer(ctx context.Context, to string, amount sdk.Coin) (*light.Inclusion, error) {
	return a.Send(ctx, gasTransfer, &banktypes.MsgSend{FromAddress: a.String(), ToAddress: to, Amount: sdk.NewCoins(amount)})
}

// VoteKey is the key of a human, in a TPM.
type VoteKey interface {
	Compressed() [33]byte
	SignCompact(ctx context.Context, digest [32]byte) ([64]byte, error)
}

// RegisterHuman bonds a human whose vote key is given, and grants the fees of the votes, and of
// nothing else, from this account.
func (a *Account) RegisterHuman(ctx context.Context, vote VoteKey, bond sdk.Coin) error {
	possession, err := vote.SignCompact(ctx, poh.Possession(a.id, a.String(), vote.Compressed()))
	if err != nil {
		return fmt.Errorf("show possession of the vote key: %w", err)
	}
	key := vote.Compressed()
	human := tx.PublicKey{Curve: tx.P256, Point: key}.Address()
	allowance, err := feegrant.NewAllowedMsgAllowance(&feegrant.BasicAllowance{}, []string{"/" + proto.MessageName(&requestv1.MsgVote{})})
	if err != nil {
		return fmt.Errorf("grant the votes' fees: %w", err)
	}
	packed, err := codectypes.NewAnyWithValue(allowance)
	if err != nil {
		return fmt.Errorf("grant the votes' fees: %w", err)
	}
	// The SDK's constructor writes addresses with a prefix that is global to the process.
	grant := &feegrant.MsgGrantAllowance{Granter: a.String(), Grantee: human.String(), Allowance: packed}
	_, err = a.Send(ctx, gasRegister, &humanv1.MsgRegister{Owner: a.String(), VoteKey: key[:], Possession: possession[:], Bond: bond}, grant)
	return err
}

// Mint makes an AI NFT of a model and its rules.
func (a *Account) Mint(ctx context.Context, name, description string, model poh.Digest, rules ainftv1.Rules) (id uint64, in *light.Inclusion, err error) {
	in, err = a.Send(ctx, gasMint, &ainftv1.MsgMint{Owner: a.String(), Name: name, Description: description, Model: model[:], Rules: rules})
	if err != nil {
		return 0, nil, err
	}
	var r ainftv1.MsgMintResponse
	if err := response(in, &r); err != nil {
		return 0, nil, err
	}
	return r.Id, in, nil
}

// Submission is a request to an AI NFT.
type Submission struct {
	NFT                  uint64
	Purpose, Instruction string
	Payload              []byte // travels inside up to [poh.MaxPayload], else by digest
	MediaType            string
	Escrow               sdk.Coin
}

// Submit opens a request and escrows its fee.
func (a *Account) Submit(ctx context.Context, s Submission) (id uint64, in *light.Inclusion, err error) {
	digest := poh.Sum(s.Payload)
	m := &requestv1.MsgSubmit{
		Requester: a.String(), NFTID: s.NFT, Purpose: s.Purpose, Instruction: s.Instruction,
		PayloadDigest: digest[:], PayloadSize: uint64(len(s.Payload)), MediaType: s.MediaType, Escrow: s.Escrow,
	}
	gas := uint64(gasSubmit)
	if len(s.Payload) <= poh.MaxPayload {
		m.Payload = s.Payload
		gas += gasPerPayload * uint64(len(s.Payload))
	}
	in, err = a.Send(ctx, gas, m)
	if err != nil {
		return 0, nil, err
	}
	var r requestv1.MsgSubmitResponse
	if err := response(in, &r); err != nil {
		return 0, nil, err
	}
	return r.Id, in, nil
}

// Execution is what an edge worker ran.
type Execution struct {
	Model, Input   poh.Digest
	Output         []byte
	Runtime        poh.Digest
	Engine, Device string
	Duration       time.Duration
}

// PostReceipt reports an execution; the chain pays out and makes the request final.
func (a *Account) PostReceipt(ctx context.Context, request uint64, e Execution) error {
	output := poh.Sum(e.Output)
	_, err := a.Send(ctx, gasReceipt, &requestv1.MsgPostReceipt{Worker: a.String(), RequestID: request, Execution: requestv1.Execution{
		Model: e.Model[:], Input: e.Input[:], OutputDigest: output[:], Output: e.Output, Runtime: e.Runtime[:],
		Engine: e.Engine, DeviceClass: e.Device, DurationMs: uint64(e.Duration.Milliseconds()),
	}})
	return err
}

// response decodes the proven response of a transaction's first message.
func response(in *light.Inclusion, into proto.Message) error {
	var data sdk.TxMsgData
	if err := proto.Unmarshal(in.Data(), &data); err != nil {
		return fmt.Errorf("decode the transaction's result: %w", err)
	}
	if len(data.MsgResponses) == 0 {
		return fmt.Errorf("the transaction's result holds no response")
	}
	if err := proto.Unmarshal(data.MsgResponses[0].Value, into); err != nil {
		return fmt.Errorf("decode the transaction's response: %w", err)
	}
	return nil
}
