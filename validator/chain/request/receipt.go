package request

import (
	"bytes"
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// maxEngine bounds the names of the engine and the device class, in bytes.
const maxEngine = 100

// PostReceipt takes the first execution of an approved request that fits it, pays and closes it.
func (s msgServer) PostReceipt(goCtx context.Context, msg *requestv1.MsgPostReceipt) (*requestv1.MsgPostReceiptResponse, error) {
	k, ctx := s.keeper, sdk.UnwrapSDKContext(goCtx)
	worker, err := k.addresses.StringToBytes(msg.Worker)
	if err != nil {
		return nil, sdkerrors.ErrInvalidAddress.Wrapf("worker: %s", err)
	}
	workerText, err := k.addresses.BytesToString(worker)
	if err != nil {
		return nil, err
	}
	switch owns, err := k.humans.Owns(ctx, worker); {
	case err != nil:
		return nil, err
	case !owns:
		return nil, ErrWorker.Wrap(workerText)
	}
	r, err := k.Request(ctx, msg.RequestID)
	if err != nil {
		return nil, err
	}
	if r.State != requestv1.STATE_APPROVED {
		return nil, ErrState.Wrapf("request %d is %s", r.Id, r.State)
	}
	if ctx.BlockHeight() > r.DeadlineHeight {
		return nil, ErrDeadline.Wrapf("request %d took a receipt until block %d", r.Id, r.DeadlineHeight)
	}
	nft, err := k.nfts.NFT(ctx, r.NFTID)
	if err != nil {
		return nil, err
	}
	if err := validateExecution(msg.Execution, nft.Model, r.PayloadDigest); err != nil {
		return nil, err
	}
	if err := k.finish(ctx, &r, nft.Owner, workerText); err != nil {
		return nil, err
	}
	receipt := requestv1.Receipt{RequestID: r.Id, Worker: workerText, Execution: msg.Execution, Height: ctx.BlockHeight()}
	if err := k.receipts.Set(ctx, r.Id, receipt); err != nil {
		return nil, err
	}
	return &requestv1.MsgPostReceiptResponse{}, k.requests.Set(ctx, r.Id, r)
}

// validateExecution checks that an execution is about this model and input, and carries the output
// that it names.
func validateExecution(e requestv1.Execution, model, input []byte) error {
	if !bytes.Equal(e.Model, model) {
		return ErrExecution.Wrapf("the model is %x, the request wants %x", e.Model, model)
	}
	if !bytes.Equal(e.Input, input) {
		return ErrExecution.Wrapf("the input is %x, the request's payload is %x", e.Input, input)
	}
	if len(e.Output) > poh.MaxOutput {
		return ErrExecution.Wrapf("the output has %d bytes, at most %d", len(e.Output), poh.MaxOutput)
	}
	want, err := poh.DigestFromBytes(e.OutputDigest)
	if err != nil {
		return ErrExecution.Wrapf("output digest: %s", err)
	}
	if got := poh.Sum(e.Output); got != want {
		return ErrExecution.Wrapf("the output has the digest %s, the receipt says %s", got, want)
	}
	if _, err := poh.DigestFromBytes(e.Runtime); err != nil {
		return ErrExecution.Wrapf("runtime: %s", err)
	}
	if e.Engine == "" || len(e.Engine) > maxEngine || e.DeviceClass == "" || len(e.DeviceClass) > maxEngine {
		return ErrExecution.Wrapf("engine and device class have 1 to %d bytes", maxEngine)
	}
	return nil
}
