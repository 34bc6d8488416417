package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/appliance/api"
)

const (
	// enrolLimit is more than a box gives a person; without it, a box that went away would be awaited for ever.
	enrolLimit = 15 * time.Minute
	// cancelLimit bounds the farewell of a command that was interrupted.
	cancelLimit = 5 * time.Second
)

func (c *command) human() *cobra.Command {
	var name string
	var consent bool
	enroll := &cobra.Command{
		Use: "enroll --name NAME --consent", Short: "Enrol a finger at the box and register its person", Args: args(cobra.NoArgs),
		Long: "Enrol a finger at the box: the person touches the sensor a few times. Ctrl-C cancels, and nothing is kept.\n\n" +
			api.ConsentText,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !consent {
				fmt.Fprint(c.Err, api.ConsentText, "\n")
				return usage("nobody is enrolled without consent; when the person agrees to this text, add --consent")
			}
			r := api.EnrolRequest{Name: name, Consent: true}
			if err := r.Validate(); err != nil {
				return usage("--name: %w", err)
			}
			box, explain, err := c.box(cmd)
			if err != nil {
				return err
			}
			if _, err := box.Enrol(cmd.Context(), r); err != nil {
				return explain(err)
			}
			e, err := c.awaitEnrolment(cmd.Context(), box)
			if err != nil {
				return explain(err)
			}
			return c.print(e, func(w io.Writer) {
				fmt.Fprintf(w, "%s is enrolled: %s\nThe box registers this key on the chain; vouch status says when that is proved.\n", line(e.Name), line(e.Human.Address))
			})
		},
	}
	enroll.Flags().StringVar(&name, "name", "", "who enrols; the name stays on the box")
	enroll.Flags().BoolVar(&consent, "consent", false, "the person read the consent text and agrees")
	return group("human", "The people of a box", enroll, c.forget())
}

var errEnded = errors.New("the enrolment ended")

// awaitEnrolment follows the enrolment to its end. Interrupted, it cancels it: a sensor that waits for a
// finger after the command is gone would surprise the next person.
func (c *command) awaitEnrolment(ctx context.Context, box *api.Client) (api.Enrolment, error) {
	limited, cancel := context.WithTimeout(ctx, enrolLimit)
	defer cancel()
	var last api.Enrolment
	err := box.Events(limited, func(e api.Event) error {
		if e.Enrolment == nil {
			return nil
		}
		if e.Enrolment.Message != last.Message || e.Enrolment.Taken != last.Taken {
			c.progress("%d of %d  %s", e.Enrolment.Taken, e.Enrolment.Wanted, e.Enrolment.Message)
		}
		last = *e.Enrolment
		if last.Active {
			return nil
		}
		return errEnded
	})
	switch {
	case limited.Err() != nil && !errors.Is(err, errEnded):
		farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelLimit)
		defer cancel()
		if _, e := box.CancelEnrolment(farewell); e != nil {
			return last, fmt.Errorf("%w: the enrolment was not followed to its end, and the box did not take its cancellation: %w; see vouch status", errNeedsHuman, e)
		}
		return last, fmt.Errorf("%w: the enrolment was cancelled; nothing was kept", errNeedsHuman)
	case !errors.Is(err, errEnded):
		return last, err
	case last.Human != nil && !last.Failed:
		return last, nil
	case last.Message == "":
		return last, fmt.Errorf("%w: the box ended the enrolment without a finger, perhaps because it was restarted; start again", errNeedsHuman)
	}
	return last, fmt.Errorf("%w: %s", errNeedsHuman, last.Message)
}
