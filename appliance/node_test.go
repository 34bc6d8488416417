package appliance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/appliance/api"
)

// field finds a text inside an answer of the node.
func field(result map[string]any, path ...string) (holder map[string]any, text string) {
	for _, name := range path[:len(path)-1] {
		next, ok := result[name].(map[string]any)
		if !ok {
			return nil, ""
		}
		result = next
	}
	text, _ = result[path[len(path)-1]].(string)
	return result, text
}

// other changes the first character of a text and keeps it base64 or hex.
func other(text string) string {
	if text[0] == 'A' {
		return "B" + text[1:]
	}
	return "A" + text[1:]
}

// A node that lies is not believed: the proof that fails is named to who asks and in the status, and the
// box goes on when the node is honest again.
func TestLyingNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	w.open(nil)
	w.enrol()
	nft := w.mint(false, judged)
	id := w.submit(nft, clip())
	a := approval(w.read(id))
	signed := w.signatures()
	for _, c := range []struct {
		name  string
		alter func(method string, result map[string]any)
		link  string
	}{
		{"a record with another content", func(method string, result map[string]any) {
			if h, v := field(result, "response", "value"); method == "abci_query" && v != "" {
				h["value"] = other(v)
			}
		}, "value"},
		{"a record without its proof", func(method string, result map[string]any) {
			if h, _ := field(result, "response", "value"); method == "abci_query" && h != nil {
				h["proofOps"] = nil
			}
		}, "proof"},
		{"a record that is said not to exist", func(method string, result map[string]any) {
			if h, _ := field(result, "response", "value"); method == "abci_query" && h != nil {
				h["value"] = nil
			}
		}, "proof"},
		{"a record of another height", func(method string, result map[string]any) {
			if h, _ := field(result, "response", "height"); method == "abci_query" && h != nil {
				h["height"] = "2"
			}
		}, "height"},
		{"a header with another app hash", func(method string, result map[string]any) {
			if h, v := field(result, "signed_header", "header", "app_hash"); v != "" {
				h["app_hash"] = other(v)
			}
		}, "header"},
		{"a header of another chain", func(method string, result map[string]any) {
			if h, v := field(result, "signed_header", "header", "chain_id"); v != "" {
				h["chain_id"] = "another-chain"
			}
		}, "header"},
	} {
		w.rpc.lie(c.alter)
		p := w.awaitProblem("chain.unproved")
		if !strings.Contains(p.Text, c.link) {
			t.Errorf("%s: the problem does not name %q: %s", c.name, c.link, p.Text)
		}
		_, err := w.client.Review(w.ctx(), id)
		refused(t, c.name+": review", err, api.CodeBlocked, c.link)
		_, err = w.client.Answer(w.ctx(), id, a)
		refused(t, c.name+": answer", err, api.CodeBlocked, c.link)
		w.rpc.honest()
		w.awaitNoProblem("chain.unproved")
	}
	if n := w.signatures() - signed; n != 0 {
		t.Errorf("the TPM signed %d times on a lying node's word", n)
	}

	// A lie about what became of a signed vote is not believed either; the vote is settled later.
	w.rpc.lie(func(method string, result map[string]any) {
		if list, ok := result["txs_results"].([]any); method == "block_results" && ok {
			for _, r := range list {
				r.(map[string]any)["code"] = 13
			}
		}
	})
	if _, err := w.client.Answer(w.ctx(), id, a); err != nil {
		t.Fatal(err)
	}
	w.put(touch(ada()))
	c := w.awaitStage(api.StageFailed)
	if !strings.Contains(c.Message, "result") || !strings.Contains(c.Message, "keeps trying") {
		t.Errorf("a lie about the result: %s", c.Message)
	}
	w.awaitProblem("vote.unsettled")
	w.rpc.honest()
	w.awaitNoProblem("vote.unsettled")
	w.awaitAnswer(id, "approve")
	if n := w.signatures() - signed; n != 1 {
		t.Errorf("the TPM signed %d times for one vote", n)
	}
	if !slices.Contains(w.events(0), "vote.resumed") {
		t.Error("the audit log does not tell that the vote was settled")
	}
}

func (w *world) awaitAnswer(id uint64, answer string) {
	w.t.Helper()
	w.await("the chain holds the vote", func(e api.Event) bool {
		return slices.ContainsFunc(e.Queue, func(q api.Summary) bool { return q.ID == id && q.Answer == answer })
	})
}

// A node that is gone is a problem with a name, and none when it is back.
func TestNodeGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	gone := func(context.Context, string) error { return errors.New("no route") }
	w.rpc.stand(gone)
	w.open(nil)
	w.awaitProblem("chain.unproved")
	_, err := w.client.Review(w.ctx(), 1)
	refused(t, "before the chain was ever seen", err, api.CodeUnready, "out of reach")
	w.rpc.stand(nil)
	w.awaitNoProblem("chain.unproved")
	w.enrol()
	id := w.submit(w.mint(false, judged), clip())
	a := approval(w.read(id))
	w.rpc.stand(gone)
	w.awaitProblem("chain.unproved")
	_, err = w.client.Review(w.ctx(), id)
	refused(t, "review", err, api.CodeUnready, "out of reach")
	_, err = w.client.Answer(w.ctx(), id, a)
	refused(t, "answer", err, api.CodeUnready, "out of reach")
	if s, err := w.client.Status(w.ctx()); err != nil || s.Balance == "not proved yet" || s.Chain.Height == 0 {
		t.Errorf("the status forgot what was proved: %+v, %v", s, err)
	}
	w.rpc.stand(nil)
	w.awaitNoProblem("chain.unproved")
	w.vote(id, a)
}

// A node that takes the call and says nothing does not hang the status.
func TestNodeHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, worldOptions{})
	asked := make(chan struct{}, 100)
	w.rpc.stand(func(ctx context.Context, _ string) error {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-ctx.Done()
		return ctx.Err()
	})
	w.open(nil)
	<-asked // the box waits for the node now
	s, err := w.client.Status(w.ctx())
	if err != nil || s.Chain.Height != 0 {
		t.Fatalf("the status of a box whose node hangs: %+v, %v", s.Chain, err)
	}
	select {
	case <-asked:
		t.Error("the status waited for the node")
	default:
	}
}
