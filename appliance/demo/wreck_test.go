package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
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
	_, err := w.touchUntil(ctx, w.fingers.ada, func(c api.Ceremony) bool { return c.Stage != api.StageTouch })
	return err
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
