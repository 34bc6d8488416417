package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/tpm/tpmtest"
)

// stepLimit bounds one step of the story.
const stepLimit = time.Minute

// Every process is killed at every step of a vote. After the restart nothing signed is forgotten,
// nothing is signed twice, and the story goes on to a receipt that a stranger verifies.
func TestKilledAtEveryStep(t *testing.T) {
	w := setUp(t)
	for _, step := range []struct {
		name string
		kill func(ctx context.Context, t *testing.T, w *wreck) error
	}{
		{"vouchd while a finger is enrolled", killedEnrolling},
		{"vouchd before the registration is proved", killedRegistering},
		{"vouchd while the sensor waits", killedWaiting},
		{"vouchd while the TPM signs", killedSigning},
		{"vouchd right after the signature", killedSigned},
		{"vouchnode while the sensor waits", killedNode},
		{"the power, with a signed vote on disk", killedPower},
		{"vouchd while the model runs", killedExecuting},
		{"vouchd before the receipt is signed", killedBeforeReceipt},
		{"vouchinfer and vouchpanel", killedHelpers},
	} {
		if !t.Run(step.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), stepLimit)
			defer cancel()
			if err := step.kill(ctx, t, w); err != nil {
				t.Fatal(err)
			}
		}) {
			t.Fatalf("box: %s\nnode: %s", tail(w.path("vouchd.log")), tail(w.path("vouchnode.log")))
		}
	}
	t.Run("the receipts verify", func(t *testing.T) { w.judge(t) })
}

func killedEnrolling(ctx context.Context, t *testing.T, w *wreck) error {
	if _, err := w.client.Enrol(ctx, api.EnrolRequest{Name: "Ada", Consent: true}); err != nil {
		return err
	}
	if err := w.enrolUntil(ctx, func(e api.Enrolment) bool { return e.Taken >= e.Wanted/2 }); err != nil {
		return err
	}
	w.killBox(t)
	if err := w.startBox(ctx); err != nil {
		return err
	}
	st, err := w.client.Status(ctx)
	if err != nil {
		return err
	}
	if e, err := w.client.Enrolment(ctx); err != nil || e.Active || len(st.Humans) != 0 {
		t.Errorf("half an enrolment is left: %+v, humans %+v, %v", e, st.Humans, err)
	}
	return nil
}

func killedRegistering(ctx context.Context, t *testing.T, w *wreck) error {
	if err := w.enrolFinger(ctx); err != nil {
		return err
	}
	w.killBox(t)
	if err := w.startBox(ctx); err != nil {
		return err
	}
	return w.registered(ctx)
}

func killedWaiting(ctx context.Context, t *testing.T, w *wreck) error {
	before := w.signatures()
	id, err := w.waiting(ctx)
	if err != nil {
		return err
	}
	// A wrong finger first: the plug must not buy the try back.
	c, err := w.client.Ceremony(ctx)
	if err != nil {
		return err
	}
	full := c.TriesLeft
	if _, err := w.touchUntil(ctx, w.fingers.stranger, func(c api.Ceremony) bool {
		return c.Stage != api.StageTouch || c.TriesLeft != full
	}); err != nil {
		return err
	}
	w.killBox(t)
	w.spent(t, before, 0)
	if err := w.startBox(ctx); err != nil {
		return err
	}
	if err := w.ask(ctx, id); err != nil {
		return err
	}
	again, err := w.client.Ceremony(ctx)
	if err != nil || again.TriesLeft != full-1 {
		t.Errorf("%d tries are left after the restart, want %d: %v", again.TriesLeft, full-1, err)
	}
	if err := w.touched(ctx); err != nil {
		return err
	}
	err = w.state(ctx, id, api.StateFinal)
	w.spent(t, before, 2) // the vote, the receipt
	return err
}

func killedSigning(ctx context.Context, t *testing.T, w *wreck) error {
	before := w.signatures()
	id, err := w.waiting(ctx)
	if err != nil {
		return err
	}
	w.proxy.Inject(tpmtest.Fault{Command: commandSign, N: 1, Action: tpmtest.Hold})
	if err := w.touched(ctx); err != nil {
		return err
	}
	if err := w.signs(ctx, before+1); err != nil {
		return err
	}
	w.killBox(t)
	if err := w.startBox(ctx); err != nil {
		return err
	}
	// The signature was lost with the memory that waited for it, so it costs another touch.
	if err := w.voted(ctx, id); err != nil {
		return err
	}
	err = w.state(ctx, id, api.StateFinal)
	w.spent(t, before, 3) // the lost one, the vote, the receipt
	return err
}

func killedSigned(ctx context.Context, t *testing.T, w *wreck) error {
	before := w.signatures()
	id, err := w.waiting(ctx)
	if err != nil {
		return err
	}
	// While the node stands still no block can carry the vote.
	if err := w.node.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	defer w.node.cmd.Process.Signal(syscall.SIGCONT)
	if err := w.touched(ctx); err != nil {
		return err
	}
	signed, err := w.logged(ctx, "vote.signed", id)
	if err != nil {
		return err
	}
	w.killBox(t)
	w.spent(t, before, 1)
	if err := w.node.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	if err := w.startBox(ctx); err != nil {
		return err
	}
	resumed, err := w.logged(ctx, "vote.resumed", id)
	if err != nil {
		return err
	}
	if resumed.Fields["tx"] != signed.Fields["tx"] || resumed.Fields["state"] != "included" {
		t.Errorf("the box signed %v and resumed %v", signed.Fields, resumed.Fields)
	}
	err = w.state(ctx, id, api.StateFinal)
	w.spent(t, before, 2)
	return err
}

func killedNode(ctx context.Context, t *testing.T, w *wreck) error {
	before := w.signatures()
	id, err := w.waiting(ctx)
	if err != nil {
		return err
	}
	w.node.kill()
	w.collect(w.node)
	if err := w.touched(ctx); err != nil {
		return err
	}
	if _, err := w.logged(ctx, "vote.signed", id); err != nil {
		return err
	}
	if err := w.startNode(ctx); err != nil {
		return err
	}
	err = w.state(ctx, id, api.StateFinal)
	w.spent(t, before, 2)
	return err
}

func killedPower(ctx context.Context, t *testing.T, w *wreck) error {
	before := w.signatures()
	id, err := w.waiting(ctx)
	if err != nil {
		return err
	}
	w.node.kill()
	w.collect(w.node)
	if err := w.touched(ctx); err != nil {
		return err
	}
	if _, err := w.logged(ctx, "vote.signed", id); err != nil {
		return err
	}
	w.killBox(t)
	w.tpm.Kill()
	proxied := w.tpmPath
	if err := w.startTPM(ctx); err != nil {
		return err
	}
	w.tpmPath = proxied
	if err := w.startNode(ctx); err != nil {
		return err
	}
	if err := w.startBox(ctx); err != nil {
		return err
	}
	err = w.state(ctx, id, api.StateFinal)
	w.spent(t, before, 2)
	return err
}

func killedExecuting(ctx context.Context, t *testing.T, w *wreck) error {
	before := w.signatures()
	id, err := w.waiting(ctx)
	if err != nil {
		return err
	}
	if _, err := w.stopWorkers(ctx); err != nil {
		return err
	}
	if err := w.touched(ctx); err != nil {
		return err
	}
	if err := w.executing(ctx, id); err != nil {
		return err
	}
	w.killBox(t)
	w.spent(t, before, 1)
	if err := w.startBox(ctx); err != nil {
		return err
	}
	err = w.state(ctx, id, api.StateFinal)
	w.spent(t, before, 2)
	return err
}

func killedBeforeReceipt(ctx context.Context, t *testing.T, w *wreck) error {
	before := w.signatures()
	id, err := w.waiting(ctx)
	if err != nil {
		return err
	}
	w.proxy.Inject(tpmtest.Fault{Command: commandSign, N: 2, Action: tpmtest.Hold}) // the vote's is the first
	if err := w.touched(ctx); err != nil {
		return err
	}
	if _, err := w.logged(ctx, "request.executed", id); err != nil {
		return err
	}
	if err := w.signs(ctx, before+2); err != nil {
		return err
	}
	w.killBox(t)
	if err := w.startBox(ctx); err != nil {
		return err
	}
	err = w.state(ctx, id, api.StateFinal)
	w.spent(t, before, 3)
	return err
}

func killedHelpers(ctx context.Context, t *testing.T, w *wreck) error {
	before := w.signatures()
	id, err := w.waiting(ctx)
	if err != nil {
		return err
	}
	w.panel.kill()
	w.collect(w.panel)
	pids, err := w.stopWorkers(ctx)
	if err != nil {
		return err
	}
	if err := w.touched(ctx); err != nil {
		return err
	}
	if err := w.executing(ctx, id); err != nil {
		return err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return err
		}
	}
	if err := w.state(ctx, id, api.StateFinal); err != nil {
		return err
	}
	w.spent(t, before, 2)
	was := w.panelURL
	if err := w.openPanel(ctx); err != nil {
		return err
	}
	resp, err := http.Get(fmt.Sprintf("%s/requests/%d/receipt", was, id))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(b, []byte("What came out")) {
		t.Errorf("the panel came back at %s with %s: %v", was, resp.Status, err)
	}
	return nil
}
