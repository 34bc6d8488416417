package cli

import (
	"context"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/poh"
)

// maxMediaType is the chain's bound, in bytes (RFC 6838, section 4.2).
const maxMediaType = 127

func (c *command) submit() *cobra.Command {
	var key, payload, escrow string
	var s account.Submission
	cmd := &cobra.Command{
		Use: "submit --key FILE --nft ID --purpose TEXT --instruction TEXT --payload FILE", Short: "Ask an AI, and escrow the fee", Args: args(cobra.NoArgs),
		Long: `Ask an AI. Everything in a request is public, the payload too. A payload of up to 128 KiB travels in the
request; a larger one, of at most 16 MiB, is named by its digest, and the boxes that are to judge it must be
handed the file (see vouch payload add).`,
		Example: `  vouch --config vouch.json request submit --key me.json --nft 1 --purpose "Find speech in a clip" \
    --instruction "Say where somebody speaks." --payload clip.wav --media-type audio/wav`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			b, err := readFile(payload, api.MaxPayload)
			if err != nil {
				return usage("read the payload: %w", err)
			}
			s.Payload = b
			if err := checkSubmission(s); err != nil {
				return err
			}
			if escrow != "" {
				if s.Escrow, err = account.ParseHeart(escrow); err != nil {
					return usage("--escrow: %w", err)
				}
			}
			from, n, err := c.signer(cmd, key)
			if err != nil {
				return err
			}
			asked, err := offer(cmd.Context(), n, s)
			if err != nil {
				return err
			}
			price, err := account.ParseHeart(asked.Price)
			switch {
			case err != nil:
				return fmt.Errorf("the price of AI NFT %d: %w", s.NFT, err)
			case escrow == "":
				s.Escrow = price
			case s.Escrow.IsLT(price):
				return usage("--escrow is less than the price; vouch nft show %d says what it costs", s.NFT)
			}
			fee, err := poh.FormatHeart(s.Escrow.Amount.String())
			if err != nil {
				return err
			}
			c.progress("Submitting %d bytes to AI NFT %d, escrow %s.", len(b), s.NFT, fee)
			id, in, err := from.Submit(cmd.Context(), s)
			if err != nil {
				return sent(cmd.Context(), err)
			}
			if len(b) > poh.MaxPayload {
				c.progress("The payload travels by digest: hand the file to the boxes that are to judge it, with vouch payload add.")
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
	require(cmd, "nft", "purpose", "instruction", "payload")
	return cmd
}

// checkSubmission finds what the chain would refuse, before a fee is paid for the refusal.
func checkSubmission(s account.Submission) error {
	_, _, badType := mime.ParseMediaType(s.MediaType)
	switch {
	case s.NFT == 0:
		return usage("--nft is 0; ids are 1, 2, 3 …")
	case len(s.Payload) == 0:
		return usage("the payload is empty; there is nothing to judge")
	case strings.TrimSpace(s.Purpose) == "":
		return usage("--purpose is empty; vouch nft show %d lists what the AI may be used for", s.NFT)
	case strings.TrimSpace(s.Instruction) == "":
		return usage("--instruction is empty; a human must know what you ask for")
	case len(s.Instruction) > poh.MaxInstruction:
		return usage("--instruction has %d bytes, at most %d are read by a human", len(s.Instruction), poh.MaxInstruction)
	case badType != nil:
		return usage("--media-type: %w", badType)
	case len(s.MediaType) > maxMediaType:
		return usage("--media-type has %d bytes, at most %d are taken", len(s.MediaType), maxMediaType)
	}
	return nil
}

// offer is the rules that the request will be judged by. They must allow its purpose: the chain would
// take the fee and refuse.
func offer(ctx context.Context, n chain, s account.Submission) (poh.Rules, error) {
	view, err := n.view(ctx)
	if err != nil {
		return poh.Rules{}, err
	}
	ai, err := view.NFT(ctx, s.NFT)
	if err != nil {
		return poh.Rules{}, err
	}
	rules, err := view.Rules(ctx, s.NFT, ai.RulesVersion)
	if err != nil {
		return poh.Rules{}, err
	}
	if !slices.Contains(rules.Purposes, s.Purpose) {
		return poh.Rules{}, usage("--purpose: AI NFT %d is not for %q; it is for %q", s.NFT, s.Purpose, rules.Purposes)
	}
	return rules, nil
}
