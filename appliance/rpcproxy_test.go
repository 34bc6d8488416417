package appliance

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// rpcProxy stands between the box and its node: it keeps the transactions that leave the box, and can
// alter, hold back or refuse what passes.
type rpcProxy struct {
	server *httptest.Server
	node   string

	mu    sync.Mutex
	said  []byte // all that the box told the node
	sent  [][]byte
	alter func(method string, result map[string]any) // of an answer; nil: as it is
	gate  func(ctx context.Context, method string) error
}

func newRPCProxy(t *testing.T, node string) *rpcProxy {
	p := &rpcProxy{node: node}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *rpcProxy) URL() string { return p.server.URL }

// lie alters the result of each answer until honest.
func (p *rpcProxy) lie(alter func(method string, result map[string]any)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alter = alter
}

func (p *rpcProxy) honest() { p.lie(nil) }

// stand asks gate before each call; an error cuts the connection.
func (p *rpcProxy) stand(gate func(ctx context.Context, method string) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gate = gate
}

// transactions are the different ones that reached the node.
func (p *rpcProxy) transactions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := make(map[string]bool)
	for _, tx := range p.sent {
		seen[string(tx)] = true
	}
	return len(seen)
}

func (p *rpcProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	var call struct {
		Method string `json:"method"`
		Params struct {
			Tx []byte `json:"tx"`
		} `json:"params"`
	}
	_ = json.Unmarshal(body, &call) // another shape is passed on unread
	p.mu.Lock()
	gate, alter := p.gate, p.alter
	p.said = append(p.said, body...)
	if call.Method == "broadcast_tx_sync" {
		p.sent = append(p.sent, call.Params.Tx)
	}
	p.mu.Unlock()
	if gate != nil && gate(r.Context(), call.Method) != nil {
		panic(http.ErrAbortHandler)
	}
	answer, err := http.Post(p.node, "application/json", bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	out, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if alter != nil {
		var whole map[string]any
		dec := json.NewDecoder(bytes.NewReader(out))
		dec.UseNumber()
		if err := dec.Decode(&whole); err != nil {
			panic(http.ErrAbortHandler)
		}
		if result, ok := whole["result"].(map[string]any); ok {
			alter(call.Method, result)
		}
		if out, err = json.Marshal(whole); err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(out)
}

func getJSON(t *testing.T, url string, into any) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatal(err)
	}
}

// parsed reads a text that the test itself wrote.
func parsed[T any](t *testing.T, parse func(string) (T, error), text string) T {
	t.Helper()
	v, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
