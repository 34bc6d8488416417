package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/appliance/api"
)

func (c *command) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "The box at a glance", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			box, err := c.box(cmd)
			if err != nil {
				return err
			}
			s, err := box.Status(cmd.Context())
			if err != nil {
				return err
			}
			return c.print(s, func(w io.Writer) { writeStatus(w, s) })
		},
	}
}

func writeStatus(w io.Writer, s api.Status) {
	fmt.Fprintf(w, "%s (vouchd %s)\n", s.Box, s.Version)
	fmt.Fprintf(w, "  account  %s, %s\n", s.Owner, s.Balance)
	fmt.Fprintf(w, "  chain    %s, verified block %d\n", s.Chain.ID, s.Chain.Height)
	kind := "chip"
	if s.TPM.Software {
		kind = "a program, not a chip"
	}
	fmt.Fprintf(w, "  TPM      %s %s, firmware %s: %s\n", s.TPM.Manufacturer, s.TPM.Vendor, s.TPM.Firmware, kind)
	sensor := s.Sensor.Model
	if !s.Sensor.Present {
		sensor = "absent: " + s.Sensor.Detail
	}
	fmt.Fprintf(w, "  sensor   %s\n", sensor)
	gpu := s.GPU.Name
	if !s.GPU.Present {
		gpu = "none: " + s.GPU.Detail
	}
	fmt.Fprintf(w, "  GPU      %s\n", gpu)
	for _, h := range s.Humans {
		registered := "registered"
		if !h.Registered {
			registered = "not registered yet"
		}
		fmt.Fprintf(w, "  human    %s, %s, %s\n", h.Name, h.Address, registered)
	}
	for _, p := range s.Problems {
		fmt.Fprintf(w, "! %s %s\n", p.Text, p.Action)
	}
}

func (c *command) human() *cobra.Command {
	var name string
	var consent bool
	enroll := &cobra.Command{
		Use: "enroll --name NAME --consent", Short: "Enrol a finger at the box and register its person", Args: args(cobra.NoArgs),
		Long: "Enrol a finger at the box: the person touches the sensor a few times.\n\n" + api.ConsentText,
		RunE: func(cmd *cobra.Command, _ []string) error {
			box, err := c.box(cmd)
			if err != nil {
				return err
			}
			if !consent {
				fmt.Fprint(c.Err, api.ConsentText)
				return fmt.Errorf("%w: nobody is enrolled without consent; when the person agrees to this text, add --consent", errUsage)
			}
			if _, err := box.Enrol(cmd.Context(), api.EnrolRequest{Name: name, Consent: true}); err != nil {
				return err
			}
			e, err := c.awaitEnrolment(cmd.Context(), box)
			if err != nil {
				return err
			}
			return c.print(e, func(w io.Writer) { fmt.Fprintf(w, "%s is enrolled: %s\n", e.Name, e.Human.Address) })
		},
	}
	enroll.Flags().StringVar(&name, "name", "", "who enrols; the name stays on the box")
	enroll.Flags().BoolVar(&consent, "consent", false, "the person read the consent text and agrees")
	return group("human", "The people of a box", enroll)
}

var errDone = errors.New("done")

func (c *command) awaitEnrolment(ctx context.Context, box *api.Client) (api.Enrolment, error) {
	var last api.Enrolment
	err := box.Events(ctx, func(e api.Event) error {
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
		return errDone
	})
	switch {
	case !errors.Is(err, errDone):
		return last, err
	case last.Failed || last.Human == nil:
		return last, fmt.Errorf("%w: %s", errNeedsHuman, last.Message)
	}
	return last, nil
}
