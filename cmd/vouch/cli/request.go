package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/poh"
)

// requestView is a request as the command prints it.
type requestView struct {
	ID          uint64 `json:"id"`
	NFT         uint64 `json:"nft"`
	State       string `json:"state"`
	Purpose     string `json:"purpose"`
	Instruction string `json:"instruction"`
	Requester   string `json:"requester"`
	Payload     string `json:"payload"`
	Size        uint64 `json:"payload_size"`
	Escrow      string `json:"escrow"`
	Quorum      uint32 `json:"quorum"`
	Approvals   uint32 `json:"approvals"`
	Rejections  uint32 `json:"rejections"`
	Abstentions uint32 `json:"abstentions"`
	Deadline    int64  `json:"deadline_height"`
	Output      string `json:"output,omitempty"`
	Height      int64  `json:"proved_at"`
}

func stateWord(s requestv1.State) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "STATE_"))
}

func readRequest(ctx context.Context, v ledger.View, id uint64) (requestView, error) {
	r, err := v.Request(ctx, id)
	if err != nil {
		return requestView{}, err
	}
	payload, err := poh.DigestFromBytes(r.PayloadDigest)
	if err != nil {
		return requestView{}, err
	}
	escrow, err := poh.FormatHeart(r.Escrow.String())
	if err != nil {
		return requestView{}, err
	}
	out := requestView{
		ID: id, NFT: r.NFTID, State: stateWord(r.State), Purpose: r.Purpose, Instruction: r.Instruction, Requester: r.Requester,
		Payload: payload.String(), Size: r.PayloadSize, Escrow: escrow, Quorum: r.Quorum, Approvals: r.Approvals,
		Rejections: r.Rejections, Abstentions: r.Abstentions, Deadline: r.DeadlineHeight, Height: v.Height(),
	}
	receipt, err := v.Receipt(ctx, id)
	switch {
	case err == nil:
		out.Output = string(receipt.Execution.Output)
	case !errors.Is(err, ledger.ErrAbsent):
		return requestView{}, err
	}
	return out, nil
}

func writeRequest(w io.Writer, v requestView) {
	fmt.Fprintf(w, "Request %d to AI NFT %d: %s\n", v.ID, v.NFT, v.State)
	fmt.Fprintf(w, "  purpose  %s\n  asks     %s\n", line(v.Purpose), line(v.Instruction))
	fmt.Fprintf(w, "  from     %s, %s in escrow\n", line(v.Requester), v.Escrow)
	fmt.Fprintf(w, "  payload  %s, %d bytes\n", v.Payload, v.Size)
	fmt.Fprintf(w, "  votes    %d approve, %d reject, %d abstain; quorum %d; deadline block %d\n", v.Approvals, v.Rejections, v.Abstentions, v.Quorum, v.Deadline)
	if v.Output != "" {
		fmt.Fprintf(w, "  output   %s\n", line(v.Output))
	}
	fmt.Fprintf(w, "  proved at block %d\n", v.Height)
}

func (c *command) request() *cobra.Command {
	show := c.about("show ID", "A request, proved", func(ctx context.Context, n chain, id uint64) error {
		v, err := n.request(ctx, id)
		if err != nil {
			return err
		}
		return c.print(v, func(w io.Writer) { writeRequest(w, v) })
	})
	return group("request", "Requests to AIs", c.submit(), show, c.watch())
}
