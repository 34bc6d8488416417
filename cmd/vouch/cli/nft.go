package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/poh"
)

// rulesFile is how an author writes rules.
type rulesFile struct {
	Purposes []string `json:"purposes"`
	Rules    []struct {
		ID   string `json:"id"`
		Text string `json:"text"`
		Kind string `json:"kind"` // judgement or machine
	} `json:"rules"`
	Quorum         uint32        `json:"quorum"`
	Price          string        `json:"price"` // "2 HEART"
	DeadlineBlocks uint64        `json:"deadline_blocks"`
	Split          ainftv1.Split `json:"split"` // basis points
}

// readRules reads a file of rules and checks them as the chain will.
func readRules(path string) (ainftv1.Rules, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return ainftv1.Rules{}, fmt.Errorf("read the rules: %w", err)
	}
	r, err := parseRules(b)
	if err != nil {
		return r, fmt.Errorf("the rules in %s: %w", path, err)
	}
	return r, nil
}

func parseRules(b []byte) (ainftv1.Rules, error) {
	var f rulesFile
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return ainftv1.Rules{}, err
	}
	price, err := account.ParseHeart(f.Price)
	if err != nil {
		return ainftv1.Rules{}, err
	}
	r := ainftv1.Rules{Version: 1, Purposes: f.Purposes, Quorum: f.Quorum, Price: price, DeadlineBlocks: f.DeadlineBlocks, Split: f.Split}
	for _, q := range f.Rules {
		kind, ok := map[string]ainftv1.RuleKind{"judgement": ainftv1.RULE_KIND_JUDGEMENT, "machine": ainftv1.RULE_KIND_MACHINE_CHECKED}[q.Kind]
		if !ok {
			return r, fmt.Errorf("rule %q is of the kind %q, want judgement or machine", q.ID, q.Kind)
		}
		r.Rules = append(r.Rules, ainftv1.Rule{Id: q.ID, Text: q.Text, Kind: kind})
	}
	return r, r.PoH().Validate()
}

// nftView is an AI NFT as the command prints it.
type nftView struct {
	ID          uint64    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Owner       string    `json:"owner"`
	Model       string    `json:"model"`
	Rules       poh.Rules `json:"rules"`
	Height      int64     `json:"proved_at"`
}

func (c *command) nft() *cobra.Command {
	var key, name, description, model, rules string
	mint := &cobra.Command{
		Use: "mint --key FILE --name NAME --model DIGEST --rules FILE", Short: "Mint an AI NFT: a model, and the rules for its use", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			digest, err := poh.ParseDigest(model)
			if err != nil {
				return fmt.Errorf("%w: --model: %w", errUsage, err)
			}
			r, err := readRules(rules)
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			owner, err := c.signer(cmd.Context(), cmd, key)
			if err != nil {
				return err
			}
			c.progress("Minting %q.", name)
			id, in, err := owner.Mint(cmd.Context(), name, description, digest, r)
			if err != nil {
				return err
			}
			return c.print(included{ID: id, Height: in.Height()}, func(w io.Writer) {
				fmt.Fprintf(w, "AI NFT %d; proved in block %d.\n", id, in.Height())
			})
		},
	}
	keyFlag(mint, &key)
	f := mint.Flags()
	f.StringVar(&name, "name", "", "what it is called")
	f.StringVar(&description, "description", "", "what it does, in a sentence")
	f.StringVar(&model, "model", "", "SHA-256 digest of the model's manifest")
	f.StringVar(&rules, "rules", "", "file of the rules (JSON; see docs/protocol.md)")

	show := &cobra.Command{
		Use: "show ID", Short: "An AI NFT and its rules, proved", Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			id, err := parseID(a[0])
			if err != nil {
				return err
			}
			view, err := c.view(cmd)
			if err != nil {
				return err
			}
			n, err := view.NFT(cmd.Context(), id)
			if err != nil {
				return err
			}
			r, err := view.Rules(cmd.Context(), id, n.RulesVersion)
			if err != nil {
				return err
			}
			model, err := poh.DigestFromBytes(n.Model)
			if err != nil {
				return err
			}
			v := nftView{ID: id, Name: n.Name, Description: n.Description, Owner: n.Owner, Model: model.String(), Rules: r, Height: view.Height()}
			return c.print(v, func(w io.Writer) { writeNFT(w, v) })
		},
	}
	return group("nft", "AIs and their rules", mint, show)
}

func writeNFT(w io.Writer, v nftView) {
	fmt.Fprintf(w, "AI NFT %d: %s\n%s\n", v.ID, v.Name, v.Description)
	fmt.Fprintf(w, "  owner  %s\n  model  %s\n  price  %s, quorum %d, proved at block %d\n", v.Owner, v.Model, v.Rules.Price, v.Rules.Quorum, v.Height)
	for _, p := range v.Rules.Purposes {
		fmt.Fprintf(w, "  purpose: %s\n", p)
	}
	for _, r := range v.Rules.Rules {
		fmt.Fprintf(w, "  rule %s: %s\n", r.ID, r.Text)
	}
}

func parseID(s string) (uint64, error) {
	id, err := strconv.ParseUint(s, 10, 64)
	if err != nil || id == 0 {
		return 0, fmt.Errorf("%w: %q is not an id; ids are 1, 2, 3 …", errUsage, s)
	}
	return id, nil
}

// view is the chain as of the newest block.
func (c *command) view(cmd *cobra.Command) (ledger.View, error) {
	client, _, err := c.chain(cmd.Context(), cmd)
	if err != nil {
		return ledger.View{}, err
	}
	h, err := client.Latest(cmd.Context())
	if err != nil {
		return ledger.View{}, err
	}
	// The state after block h is proved by block h+1, so the newest provable one is h-1.
	return ledger.At(client, h.Height-1), nil
}
