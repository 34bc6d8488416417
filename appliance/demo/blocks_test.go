package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/tx"
)

// landed is what the chain holds, counted in its blocks and not in its state.
type landed struct {
	votes     map[uint64][]vote // by request: every transaction that a block carries, whatever its code
	receipts  map[uint64]int    // with code 0
	registers int               // with code 0
}

type vote struct {
	human string
	hash  string
	code  uint32
}

// readBlocks reads every block of the node at rpc.
func readBlocks(ctx context.Context, rpc string) (landed, error) {
	out := landed{votes: make(map[uint64][]vote), receipts: make(map[uint64]int)}
	var s struct {
		SyncInfo struct {
			Height int64 `json:"latest_block_height,string"`
		} `json:"sync_info"`
	}
	if err := query(ctx, rpc, "status", &s); err != nil {
		return landed{}, err
	}
	for h := int64(1); h < s.SyncInfo.Height; h++ {
		if err := out.add(ctx, rpc, h); err != nil {
			return landed{}, fmt.Errorf("block %d: %w", h, err)
		}
	}
	return out, nil
}

func (l *landed) add(ctx context.Context, rpc string, height int64) error {
	var b struct {
		Block struct {
			Data struct {
				Txs [][]byte `json:"txs"`
			} `json:"data"`
		} `json:"block"`
	}
	if err := query(ctx, rpc, fmt.Sprintf("block?height=%d", height), &b); err != nil {
		return err
	}
	if len(b.Block.Data.Txs) == 0 {
		return nil
	}
	var r struct {
		Results []struct {
			Code uint32 `json:"code"`
		} `json:"txs_results"`
	}
	if err := query(ctx, rpc, fmt.Sprintf("block_results?height=%d", height), &r); err != nil {
		return err
	}
	if len(r.Results) != len(b.Block.Data.Txs) {
		return fmt.Errorf("%d transactions with %d results", len(b.Block.Data.Txs), len(r.Results))
	}
	for i, raw := range b.Block.Data.Txs {
		p, err := tx.ParseSigned(raw)
		if err != nil {
			return err
		}
		code := r.Results[i].Code
		var v requestv1.MsgVote
		var posted requestv1.MsgPostReceipt
		switch {
		case p.Only(&v) == nil:
			l.votes[v.RequestID] = append(l.votes[v.RequestID], vote{human: p.Signer.Address().String(), hash: fmt.Sprintf("%x", sha256.Sum256(raw)), code: code})
		case p.Only(&posted) == nil:
			if code != 0 {
				break // refused: it changed nothing
			}
			l.receipts[posted.RequestID]++
		case code == 0 && slices.Contains(p.Types(), "/vouch.human.v1.MsgRegister"):
			l.registers++
		}
	}
	return nil
}

// query calls a method of the node's JSON-RPC server.
func query(ctx context.Context, rpc, method string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.Replace(rpc, "tcp://", "http://", 1)+"/"+method, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var reply struct {
		Result json.RawMessage `json:"result"`
		Error  json.RawMessage `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if reply.Error != nil {
		return fmt.Errorf("%s: %s", method, reply.Error)
	}
	return json.Unmarshal(reply.Result, into)
}

// exactlyOnce checks that the chain took one vote, one receipt and no refused document for each request,
// all of one human.
func (l landed) exactlyOnce(t *testing.T, requests []uint64, human string) {
	t.Helper()
	if l.registers != 1 {
		t.Errorf("the human was registered %d times", l.registers)
	}
	if len(l.votes) != len(requests) {
		t.Errorf("votes on %d requests, want %d: %v", len(l.votes), len(requests), l.votes)
	}
	for _, id := range requests {
		if v := l.votes[id]; len(v) != 1 || v[0].code != 0 || v[0].human != human {
			t.Errorf("request %d: the blocks carry the votes %+v, want one of %s with code 0", id, v, human)
		}
		if l.receipts[id] != 1 {
			t.Errorf("request %d: the blocks carry %d receipts, want 1", id, l.receipts[id])
		}
	}
}
