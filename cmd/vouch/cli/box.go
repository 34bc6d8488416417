package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/appliance/api"
)

// box connects to the box's socket; explain words the failures of calls to it.
func (c *command) box(cmd *cobra.Command) (box *api.Client, explain func(error) error, err error) {
	s, err := c.settings(cmd)
	if err != nil {
		return nil, nil, err
	}
	return api.Dial(s.Socket), func(err error) error { return unreachable(s.Socket, err) }, nil
}

// unreachable says why nobody answers on a socket, and what to do.
func unreachable(socket string, err error) error {
	switch {
	case !errors.Is(err, api.ErrUnreachable):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("the box is not running: nobody listens on %s; start vouchd, or name its socket with --socket: %w", socket, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("you may not talk to the box on %s; the owner adds your user to allow_uids in its configuration: %w", socket, err)
	}
	return fmt.Errorf("the box does not answer on %s; look at the log of vouchd: %w", socket, err)
}

func (c *command) status() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "The box at a glance, and what is wrong", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			box, explain, err := c.box(cmd)
			if err != nil {
				return err
			}
			s, err := box.Status(cmd.Context())
			if err != nil {
				return explain(err)
			}
			return c.print(s, func(w io.Writer) { writeStatus(w, s) })
		},
	}
}

func writeStatus(w io.Writer, s api.Status) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-8s %s\n", name, line(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(w, "%s (vouchd %s)\n", line(s.Box), line(s.Version))
	row("account", "%s, %s", s.Owner, cmp.Or(s.Balance, "balance not proved yet"))
	if s.Chain.Height == 0 {
		row("chain", "%s, no block verified yet", s.Chain.ID)
	} else {
		row("chain", "%s, verified block %d of %s", s.Chain.ID, s.Chain.Height, s.Chain.Time.UTC().Format(time.RFC3339))
	}
	kind := "a chip"
	if s.TPM.Software {
		kind = "a program, not a chip: its promises are those of the machine that runs it"
	}
	row("TPM", "%s %s, firmware %s: %s", s.TPM.Manufacturer, s.TPM.Vendor, s.TPM.Firmware, kind)
	sensor := s.Sensor.Model
	if !s.Sensor.Present {
		sensor = "absent: " + s.Sensor.Detail
	}
	row("sensor", "%s", sensor)
	gpu := s.GPU.Name
	if !s.GPU.Present {
		gpu = "none: " + s.GPU.Detail
	}
	row("GPU", "%s", gpu)
	for _, h := range s.Humans {
		registered := "registered on the chain"
		if !h.Registered {
			registered = "not registered on the chain yet"
		}
		row("human", "%s, %s, %s", h.Name, h.Address, registered)
	}
	if len(s.Humans) == 0 {
		row("human", "nobody is enrolled; run vouch human enroll")
	}
	if len(s.Problems) == 0 {
		fmt.Fprintln(w, "No problems.")
		return
	}
	fmt.Fprintln(w, "Problems:")
	for _, p := range s.Problems {
		fmt.Fprintf(w, "! %s (since %s)\n", line(p.Text), p.Since.UTC().Format(time.RFC3339))
		if p.Action != "" {
			fmt.Fprintf(w, "  to do: %s\n", line(p.Action))
		}
	}
}

func (c *command) payload() *cobra.Command {
	add := &cobra.Command{
		Use: "add FILE", Short: "Hand the box a payload that travels by digest", Args: args(cobra.ExactArgs(1)),
		Long: `Hand the box a file. A request with a payload of more than 128 KiB carries only its digest: each box
that is to judge the request needs the file, of at most 16 MiB, and compares it with the digest.`,
		RunE: func(cmd *cobra.Command, a []string) error {
			f, err := os.Open(a[0])
			if err != nil {
				return usage("read the payload: %w", err)
			}
			defer f.Close()
			box, explain, err := c.box(cmd)
			if err != nil {
				return err
			}
			p, err := box.PutPayload(cmd.Context(), io.LimitReader(f, api.MaxPayload+1))
			if err != nil {
				return explain(err)
			}
			v := struct {
				Digest string `json:"digest"`
				Size   uint64 `json:"size"`
			}{p.Digest, p.Size}
			return c.print(v, func(w io.Writer) {
				fmt.Fprintf(w, "%s, %d bytes: the box has %s\n", line(v.Digest), v.Size, line(filepath.Base(a[0])))
			})
		},
	}
	return group("payload", "Artefacts that requests name by digest", add)
}
