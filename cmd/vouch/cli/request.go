package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/account"
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

func ended(s string) bool { return s == "final" || s == "rejected" || s == "expired" }

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
	fmt.Fprintf(w, "  %s: %s\n", v.Purpose, v.Instruction)
	fmt.Fprintf(w, "  from     %s, %s\n", v.Requester, v.Escrow)
	fmt.Fprintf(w, "  payload  %s, %d bytes\n", v.Payload, v.Size)
	fmt.Fprintf(w, "  votes    %d approve, %d reject, %d abstain; quorum %d; deadline block %d\n", v.Approvals, v.Rejections, v.Abstentions, v.Quorum, v.Deadline)
	if v.Output != "" {
		fmt.Fprintf(w, "  output   %s\n", v.Output)
	}
	fmt.Fprintf(w, "  proved at block %d\n", v.Height)
}

func (c *command) request() *cobra.Command {
	show := &cobra.Command{
		Use: "show ID", Short: "A request, proved", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			id, err := parseID(a[0])
			if err != nil {
				return err
			}
			view, err := c.view(cmd)
			if err != nil {
				return err
			}
			v, err := readRequest(cmd.Context(), view, id)
			if err != nil {
				return err
			}
			return c.print(v, func(w io.Writer) { writeRequest(w, v) })
		},
	}
	return group("request", "Requests to AIs", c.submit(), show, c.watch())
}

func (c *command) submit() *cobra.Command {
	var key, payload, escrow string
	var s account.Submission
	cmd := &cobra.Command{
		Use: "submit --key FILE --nft ID --purpose TEXT --instruction TEXT --payload FILE", Short: "Ask an AI, and escrow the fee", Args: args(cobra.NoArgs),
		Long: `Ask an AI. A payload of up to 128 KiB travels in the request; a larger one is named by its digest,
and the boxes that are to judge it must be handed the file.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := os.ReadFile(payload)
			if err != nil {
				return fmt.Errorf("read the payload: %w", err)
			}
			s.Payload = b
			from, err := c.signer(cmd.Context(), cmd, key)
			if err != nil {
				return err
			}
			if escrow == "" {
				view, err := c.view(cmd)
				if err != nil {
					return err
				}
				n, err := view.NFT(cmd.Context(), s.NFT)
				if err != nil {
					return err
				}
				rules, err := view.Rules(cmd.Context(), s.NFT, n.RulesVersion)
				if err != nil {
					return err
				}
				escrow = rules.Price
			}
			if s.Escrow, err = account.ParseHeart(escrow); err != nil {
				return fmt.Errorf("%w: --escrow: %w", errUsage, err)
			}
			c.progress("Submitting %d bytes to AI NFT %d, escrow %s.", len(b), s.NFT, escrow)
			id, in, err := from.Submit(cmd.Context(), s)
			if err != nil {
				return err
			}
			if len(b) > poh.MaxPayload {
				c.progress("The payload travels by digest: hand the file to the boxes that are to judge it.")
			}
			return c.print(included{ID: id, Height: in.Height()}, func(w io.Writer) {
				fmt.Fprintf(w, "Request %d; proved in block %d.\n", id, in.Height())
			})
		},
	}
	keyFlag(cmd, &key)
	f := cmd.Flags()
	f.Uint64Var(&s.NFT, "nft", 0, "id of the AI NFT")
	f.StringVar(&s.Purpose, "purpose", "", "one of the purposes of its rules, word for word")
	f.StringVar(&s.Instruction, "instruction", "", "what you want, in words that a human will judge")
	f.StringVar(&payload, "payload", "", "file of the artefact")
	f.StringVar(&s.MediaType, "media-type", "application/octet-stream", "its media type")
	f.StringVar(&escrow, "escrow", "", "what you pay at most (default: the price)")
	return cmd
}

const watchEvery = time.Second

func (c *command) watch() *cobra.Command {
	return &cobra.Command{
		Use: "watch ID", Short: "Follow a request until it ends", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			id, err := parseID(a[0])
			if err != nil {
				return err
			}
			client, _, err := c.chain(cmd.Context(), cmd)
			if err != nil {
				return err
			}
			tick := time.NewTicker(watchEvery)
			defer tick.Stop()
			state := ""
			for {
				h, err := client.Latest(cmd.Context())
				if err != nil {
					return err
				}
				v, err := readRequest(cmd.Context(), ledger.At(client, h.Height-1), id)
				if err != nil {
					return err
				}
				if v.State != state {
					c.progress("block %d: %s", v.Height, v.State)
					state = v.State
				}
				if ended(state) {
					return c.print(v, func(w io.Writer) { writeRequest(w, v) })
				}
				select {
				case <-cmd.Context().Done():
					return cmd.Context().Err()
				case <-tick.C:
				}
			}
		},
	}
}
