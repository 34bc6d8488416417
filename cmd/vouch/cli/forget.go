package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/appliance/api"
)

const forgetting = `The finger, the name and the vote key of a person are deleted at the box. This cannot be undone.
On the chain the registration, the votes and the bond stay; the bond stays locked, since retiring a
person on the chain is not built yet. Whoever enrols again is a new person, with a new bond.`

func (c *command) forget() *cobra.Command {
	var yes bool
	forget := &cobra.Command{
		Use: "forget PERSON --yes", Short: "Delete a person at the box", Args: args(cobra.ExactArgs(1)),
		Long:    "Delete a person at the box, by name or by the id that vouch status -o json shows.\n\n" + forgetting,
		Example: `  vouch human forget "Ada Marsh" --yes`,
		RunE: func(cmd *cobra.Command, a []string) error {
			box, explain, err := c.box(cmd)
			if err != nil {
				return err
			}
			s, err := box.Status(cmd.Context())
			if err != nil {
				return explain(err)
			}
			h, err := whom(s.Humans, a[0])
			if err != nil {
				return err
			}
			if !yes {
				fmt.Fprintln(c.Err, forgetting)
				return usage("nothing was deleted; to delete %s, add --yes", h.Name)
			}
			if err := box.Forget(cmd.Context(), h.ID); err != nil {
				return fmt.Errorf("delete %s: %w", h.Name, explain(err))
			}
			v := struct {
				ID      string `json:"id"`
				Address string `json:"address"`
			}{h.ID, h.Address}
			return c.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "%s is deleted from the box. The chain keeps %s and its bond.\n", line(h.Name), line(h.Address))
			})
		},
	}
	forget.Flags().BoolVar(&yes, "yes", false, "delete; without it the command only says what would go and what stays")
	return forget
}

// whom finds a person by id, or by a name that only one has.
func whom(humans []api.Human, person string) (api.Human, error) {
	var named []api.Human
	for _, h := range humans {
		if h.ID == person {
			return h, nil
		}
		if h.Name == person {
			named = append(named, h)
		}
	}
	switch len(named) {
	case 0:
		return api.Human{}, api.Errorf(api.CodeNotFound, "nobody at this box has the name or id %q; see vouch status", person)
	case 1:
		return named[0], nil
	}
	var ids []string
	for _, h := range named {
		ids = append(ids, h.ID)
	}
	return api.Human{}, usage("%d people have the name %q; name one by id: %s", len(named), person, strings.Join(ids, ", "))
}
