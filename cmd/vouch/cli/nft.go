package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/poh"
)

// Bounds of an AI NFT's texts, in bytes. They are those of validator/chain/ainft, which holds a keeper
// that this program does not link.
const (
	maxName        = 100
	maxDescription = 2000
)

// nftView is an AI NFT as the command prints it.
type nftView struct {
	ID           uint64    `json:"id"`
	Name         string    `json:"name"`
	Description  string    `json:"description"`
	Owner        string    `json:"owner"`
	Model        string    `json:"model"`
	RulesVersion uint64    `json:"rules_version"`
	Rules        rulesFile `json:"rules"`
	Height       int64     `json:"proved_at"`
}

func (c *command) nft() *cobra.Command {
	return group("nft", "AIs and their rules", c.mint(), c.showNFT())
}

func (c *command) mint() *cobra.Command {
	var key, name, description, model, rules string
	cmd := &cobra.Command{
		Use: "mint --key FILE --name NAME --model DIGEST --rules FILE", Short: "Mint an AI NFT: a model, and the rules for its use", Args: args(cobra.NoArgs),
		Example: `  vouch --config vouch.json nft mint --key author.json --name "Clear Voice" --rules rules.json \
    --model sha256:2623a2953f6ff3d2c1e61740c6cdb7168133479b267dfef114a4a3cc5bdd788f`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// A registry writes the algorithm in front.
			digest, err := poh.ParseDigest(strings.TrimPrefix(model, "sha256:"))
			if err != nil {
				return usage("--model: %w", err)
			}
			switch {
			case strings.TrimSpace(name) == "":
				return usage("--name is empty; people choose an AI by its name")
			case len(name) > maxName:
				return usage("--name has %d bytes, at most %d are taken", len(name), maxName)
			case len(description) > maxDescription:
				return usage("--description has %d bytes, at most %d are taken", len(description), maxDescription)
			}
			r, err := readRules(rules)
			if err != nil {
				return err
			}
			owner, _, err := c.signer(cmd, key)
			if err != nil {
				return err
			}
			c.progress("Minting %q.", name)
			id, in, err := owner.Mint(cmd.Context(), name, description, digest, r)
			if err != nil {
				return sent(cmd.Context(), err)
			}
			return c.print(included{ID: id, Height: in.Height()}, func(w io.Writer) {
				fmt.Fprintf(w, "AI NFT %d; proved in block %d.\n", id, in.Height())
			})
		},
	}
	keyFlag(cmd, &key)
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "what it is called")
	f.StringVar(&description, "description", "", "what it does, in a sentence")
	f.StringVar(&model, "model", "", "SHA-256 digest of the model's manifest")
	f.StringVar(&rules, "rules", "", "file of the rules (JSON; see docs/cli.md)")
	require(cmd, "name", "model", "rules")
	return cmd
}

func (c *command) showNFT() *cobra.Command {
	return c.about("show ID", "An AI NFT and its rules, proved", func(ctx context.Context, n chain, id uint64) error {
		view, err := n.view(ctx)
		if err != nil {
			return err
		}
		ai, err := view.NFT(ctx, id)
		if err != nil {
			return err
		}
		r, err := view.Rules(ctx, id, ai.RulesVersion)
		if err != nil {
			return err
		}
		model, err := poh.DigestFromBytes(ai.Model)
		if err != nil {
			return err
		}
		written, err := writtenRules(r)
		if err != nil {
			return err
		}
		v := nftView{
			ID: id, Name: ai.Name, Description: ai.Description, Owner: ai.Owner, Model: model.String(),
			RulesVersion: r.Version, Rules: written, Height: view.Height(),
		}
		return c.print(v, func(w io.Writer) { writeNFT(w, v) })
	})
}

func writeNFT(w io.Writer, v nftView) {
	fmt.Fprintf(w, "AI NFT %d: %s\n", v.ID, line(v.Name))
	if v.Description != "" {
		fmt.Fprintf(w, "  %s\n", line(v.Description))
	}
	fmt.Fprintf(w, "  owner    %s\n  model    %s\n", line(v.Owner), v.Model)
	r := v.Rules
	fmt.Fprintf(w, "  price    %s\n  quorum   %d, within %d blocks\n", r.Price, r.Quorum, r.DeadlineBlocks)
	s := r.Split
	fmt.Fprintf(w, "  split    owner %s, voters %s, worker %s, network %s\n", percent(s.Owner), percent(s.Voters), percent(s.Worker), percent(s.Network))
	for _, p := range r.Purposes {
		fmt.Fprintf(w, "  purpose  %s\n", line(p))
	}
	fmt.Fprintf(w, "  rules, version %d:\n", v.RulesVersion)
	for _, q := range r.Rules {
		fmt.Fprintf(w, "    %s (%s): %s\n", line(q.ID), q.Kind, line(q.Text))
	}
	fmt.Fprintf(w, "  proved at block %d\n", v.Height)
}

// percent writes basis points.
func percent(points uint32) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%02d", points/100, points%100), "0"), ".") + " %"
}
