package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/audit"
	"github.com/vouchbox/vouch/tpm/tpmtest"
)

// One rule to judge: the least reading time.
const shortRules = `{
  "purposes": ["Find speech in a clip"],
  "rules": [{"id": "own-voice", "text": "The voice is synthetic.", "kind": "judgement"}],
  "quorum": 1, "price": "2HEART", "deadline_blocks": 2000,
  "split": {"owner": 4000, "voters": 3000, "worker": 2500, "network": 500}
}`

// commandSign is TPM_CC_Sign (TPM 2.0 Library, Part 2, 6.5.2).
const commandSign = 0x15d

// wreck is a stage whose programs are killed. The box reaches its TPM through a proxy, which counts
// signatures and can hold one back.
type wreck struct {
	*stage
	proxy *tpmtest.Proxy
	clip  string
	asked []uint64
}

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

func setUp(t *testing.T) *wreck {
	t.Helper()
	s, err := newStage(testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	w := &wreck{stage: s, clip: s.path("clip.wav")}
	for _, step := range []func(context.Context) error{
		s.openTPM,
		func(context.Context) error {
			w.proxy = tpmtest.NewProxy(t, s.tpmPath)
			s.tpmPath = w.proxy.Path()
			return os.WriteFile(s.path("rules.json"), []byte(shortRules), 0o600)
		},
		s.openSensor, s.openChain, s.openBox, s.openPanel, s.fund,
		func(ctx context.Context) error { return s.mintWith(ctx, s.path("rules.json")) },
		func(ctx context.Context) error { return speak(ctx, w.clip) },
	} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// killBox ends vouchd as a crash does. What it started ends too, and its log holds together.
func (w *wreck) killBox(t *testing.T) {
	t.Helper()
	children := descendants(w.box.cmd.Process.Pid)
	w.box.kill()
	w.collect(w.box)
	for _, pid := range children {
		awaitEnd(t, pid)
	}
	w.verifyLog(t)
}

// verifyLog checks the chain of the audit log on disk. A kill may leave its last line unfinished.
func (w *wreck) verifyLog(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile(w.path("box", "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	if head, err := audit.Verify(bytes.NewReader(b)); err != nil && !errors.Is(err, audit.ErrTorn) || head.Seq == 0 {
		t.Errorf("the audit log, head %d: %v", head.Seq, err)
	}
}

// logged waits until the audit log on disk tells an event of a request.
func (w *wreck) logged(ctx context.Context, event string, request uint64) (audit.Entry, error) {
	for {
		b, err := os.ReadFile(w.path("box", "audit.log"))
		if err != nil {
			return audit.Entry{}, err
		}
		for line := range bytes.Lines(b) {
			var e audit.Entry
			if json.Unmarshal(line, &e) == nil && e.Event == event && e.Fields["request"] == fmt.Sprint(request) {
				return e, nil
			}
		}
		select {
		case <-ctx.Done():
			return audit.Entry{}, fmt.Errorf("the audit log does not tell %s of request %d: %w", event, request, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// signatures counts the signatures that the TPM was asked for.
func (w *wreck) signatures() (n int) {
	for _, e := range w.proxy.Exchanges() {
		if binary.BigEndian.Uint32(e.Command[6:]) == commandSign {
			n++
		}
	}
	return n
}

// signs waits until the TPM was asked for n signatures.
func (w *wreck) signs(ctx context.Context, n int) error {
	for w.signatures() < n {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the TPM was asked for %d signatures, want %d: %w", w.signatures(), n, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// request submits one more request and notes it.
func (w *wreck) request(ctx context.Context) (uint64, error) {
	id, err := w.submit(ctx, w.clip, firstAsk)
	w.asked = append(w.asked, id)
	return id, err
}

// waiting submits a request and brings it to where the sensor waits for a finger.
func (w *wreck) waiting(ctx context.Context) (uint64, error) {
	id, err := w.request(ctx)
	if err != nil {
		return 0, err
	}
	return id, w.ask(ctx, id)
}

// voted approves a request and wants it in a block.
func (w *wreck) voted(ctx context.Context, id uint64) error {
	c, err := w.answer(ctx, id, w.fingers.ada)
	if err == nil && c.Stage != api.StageIncluded {
		err = fmt.Errorf("the vote ended as %s: %s", c.Stage, c.Message)
	}
	return err
}

// touched puts a finger down until the ceremony has it.
func (w *wreck) touched(ctx context.Context) error {
	for ctx.Err() == nil {
		c, err := w.client.Ceremony(ctx)
		if err != nil || c.Stage != api.StageTouch {
			return err
		}
		// A touch that nobody read is repeated.
		_ = w.fingers.touch(ctx, w.fingers.ada)
	}
	return ctx.Err()
}

// state waits until the box proved a request to be in a state.
func (w *wreck) state(ctx context.Context, id uint64, want api.RequestState) error {
	err := w.await(ctx, func(e api.Event) (bool, error) {
		for _, q := range e.Queue {
			if q.ID == id && q.State == want {
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("request %d does not become %s: %w", id, want, err)
	}
	return nil
}

// spent checks how many signatures a step took.
func (w *wreck) spent(t *testing.T, before, want int) {
	t.Helper()
	if n := w.signatures() - before; n != want {
		t.Errorf("the TPM was asked for %d signatures, want %d", n, want)
	}
}

func killedEnrolling(ctx context.Context, t *testing.T, w *wreck) error {
	if _, err := w.client.Enrol(ctx, api.EnrolRequest{Name: "Ada", Consent: true}); err != nil {
		return err
	}
	for {
		e, err := w.client.Enrolment(ctx)
		if err != nil {
			return err
		}
		if e.Taken >= e.Wanted/2 {
			break
		}
		_ = w.fingers.touch(ctx, w.fingers.ada)
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
	for c.Stage == api.StageTouch && c.TriesLeft == full {
		_ = w.fingers.touch(ctx, w.fingers.stranger)
		if c, err = w.client.Ceremony(ctx); err != nil {
			return err
		}
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

// stopWorkers makes the inference processes stand still, once they have given their known answer.
func (w *wreck) stopWorkers(ctx context.Context) (pids []int, err error) {
	if err := w.await(ctx, func(e api.Event) (bool, error) {
		return e.Status != nil && e.Status.GPU.Detail != "", nil
	}); err != nil {
		return nil, err
	}
	pids = descendants(w.box.cmd.Process.Pid)
	if len(pids) == 0 {
		return nil, errors.New("the box runs no inference process")
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return nil, err
		}
	}
	return pids, nil
}

// executing waits until the box proved the approval and a later block: the model is asked to run.
func (w *wreck) executing(ctx context.Context, id uint64) error {
	if err := w.state(ctx, id, api.StateApproved); err != nil {
		return err
	}
	var first int64
	return w.await(ctx, func(e api.Event) (bool, error) {
		if e.Status == nil {
			return false, nil
		}
		if first == 0 {
			first = e.Status.Chain.Height
		}
		return e.Status.Chain.Height > first+1, nil
	})
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

// judge looks at the end from outside: the blocks, the log, and what a stranger finds in the receipts.
func (w *wreck) judge(t *testing.T) {
	st, err := w.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Humans) != 1 {
		t.Fatalf("the box holds %d people, want Ada alone", len(st.Humans))
	}
	found, err := readBlocks(t.Context(), w.rpc)
	if err != nil {
		t.Fatal(err)
	}
	found.exactlyOnce(t, w.asked, st.Humans[0].Address)
	for _, id := range w.asked {
		signed, err := w.logged(t.Context(), "vote.signed", id)
		if err != nil {
			t.Fatal(err)
		}
		if v := found.votes[id]; len(v) == 1 && v[0].hash != signed.Fields["tx"] {
			t.Errorf("request %d: the box signed %s and the chain has %s", id, signed.Fields["tx"], v[0].hash)
		}
		var res result
		res.Receipt = w.path(fmt.Sprintf("receipt-%d.json", id))
		if err := w.vouch(t.Context(), nil, "receipt", "get", fmt.Sprint(id), "--file", res.Receipt); err != nil {
			t.Fatal(err)
		}
		if err := w.trusted(&res.Trusted); err != nil {
			t.Fatal(err)
		}
		if err := w.verify(t.Context(), &res); err != nil {
			t.Errorf("request %d: %v", id, err)
		}
	}
	w.verifyLog(t)
}
