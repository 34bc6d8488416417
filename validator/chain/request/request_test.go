package request_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/chain/ainft"
	"github.com/vouchbox/vouch/validator/chain/chaintest"
	"github.com/vouchbox/vouch/validator/chain/human"
	"github.com/vouchbox/vouch/validator/chain/request"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
)

func TestSubmit(t *testing.T) {
	w := newWorld(t, 0)
	msg := chaintest.Submit(w.requester, 1)
	id, err := w.submit(msg)
	if err != nil || id != 1 {
		t.Fatal(id, err)
	}
	r := w.request(t, id)
	want := poh.Shown{
		ChainID: chaintest.ChainID, RequestID: 1, NFT: 1, Model: poh.Sum([]byte("model")), RulesVersion: 1,
		Requester: w.requester.String(), Purpose: "narration", Instruction: "read the first chapter",
		Payload: poh.Sum(msg.Payload), PayloadSize: 500, MediaType: "audio/wav", Escrow: "10000000000000000007aheart",
	}
	rules, err := w.AINFT.Rules(w.Ctx, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	want.Rules = rules.PoH().Digest()
	if d := want.Digest(); !bytes.Equal(r.Shown, d[:]) {
		t.Errorf("shown is %x, want %s", r.Shown, d)
	}
	if r.State != requestv1.STATE_OPEN || r.DeadlineHeight != 11 || r.Quorum != 2 || !r.Inline {
		t.Errorf("the request is %+v", r)
	}
}

// A request keeps the rules that it was made under.
func TestSubmitKeepsRulesVersion(t *testing.T) {
	w := newWorld(t, 2)
	r := w.open(t)
	w.setQuorum(t, 1)
	w.mustVote(t, 0, r.Id, requestv1.DECISION_APPROVE)
	w.wantState(t, r.Id, requestv1.STATE_OPEN)
	later := w.open(t)
	if later.RulesVersion != 2 || later.Quorum != 1 {
		t.Errorf("the later request is %+v", later)
	}
}

func TestSubmitRefusals(t *testing.T) {
	w := newWorld(t, 0)
	large := bytes.Repeat([]byte{1}, poh.MaxPayload+1)
	before := w.Export(t)
	for name, test := range map[string]struct {
		change func(m *requestv1.MsgSubmit)
		want   error
	}{
		"requester is no address":    {func(m *requestv1.MsgSubmit) { m.Requester = "x" }, nil},
		"no such NFT":                {func(m *requestv1.MsgSubmit) { m.NFTID = 2 }, ainft.ErrUnknown},
		"another purpose":            {func(m *requestv1.MsgSubmit) { m.Purpose = "war" }, request.ErrPurpose},
		"no instruction":             {func(m *requestv1.MsgSubmit) { m.Instruction = "" }, request.ErrInstruction},
		"long instruction":           {func(m *requestv1.MsgSubmit) { m.Instruction = strings.Repeat("a", poh.MaxInstruction+1) }, request.ErrInstruction},
		"no media type":              {func(m *requestv1.MsgSubmit) { m.MediaType = "" }, request.ErrInstruction},
		"long media type":            {func(m *requestv1.MsgSubmit) { m.MediaType = strings.Repeat("a", 128) }, request.ErrInstruction},
		"tampered payload":           {func(m *requestv1.MsgSubmit) { m.Payload[3] ^= 1 }, request.ErrPayload},
		"other digest":               {func(m *requestv1.MsgSubmit) { m.PayloadDigest[0] ^= 1 }, request.ErrPayload},
		"short digest":               {func(m *requestv1.MsgSubmit) { m.PayloadDigest = m.PayloadDigest[1:] }, request.ErrPayload},
		"other size":                 {func(m *requestv1.MsgSubmit) { m.PayloadSize++ }, request.ErrPayload},
		"size of 0":                  {func(m *requestv1.MsgSubmit) { m.Payload, m.PayloadSize = nil, 0 }, request.ErrPayload},
		"impossible size":            {func(m *requestv1.MsgSubmit) { m.Payload, m.PayloadSize = nil, 1<<63 }, request.ErrPayload},
		"payload too large inline":   {func(m *requestv1.MsgSubmit) { inline(m, large) }, request.ErrPayload},
		"escrow below the price":     {func(m *requestv1.MsgSubmit) { m.Escrow.Amount = m.Escrow.Amount.SubRaw(1) }, request.ErrEscrow},
		"escrow in atom":             {func(m *requestv1.MsgSubmit) { m.Escrow.Denom = "atom" }, request.ErrEscrow},
		"no escrow":                  {func(m *requestv1.MsgSubmit) { m.Escrow = sdk.Coin{} }, request.ErrEscrow},
		"more than the balance":      {func(m *requestv1.MsgSubmit) { m.Escrow = chaintest.Heart(1001) }, nil},
		"requester without anything": {func(m *requestv1.MsgSubmit) { m.Requester = w.author.String() }, nil},
	} {
		msg := chaintest.Submit(w.requester, 1)
		test.change(msg)
		if _, err := w.submit(msg); err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if after := w.Export(t); after.Request.String() != before.Request.String() || after.Bank.String() != before.Bank.String() {
		t.Error("a refused request changed the state")
	}
	for name, change := range map[string]func(m *requestv1.MsgSubmit){
		"largest inline payload": func(m *requestv1.MsgSubmit) { inline(m, large[1:]) },
		"larger by digest":       func(m *requestv1.MsgSubmit) { m.Payload, m.PayloadSize = nil, 1<<30 },
		"more than the price":    func(m *requestv1.MsgSubmit) { m.Escrow = chaintest.Heart(20) },
	} {
		msg := chaintest.Submit(w.requester, 1)
		change(msg)
		if _, err := w.submit(msg); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVoteRefusals(t *testing.T) {
	w := newWorld(t, 3)
	author, requester := w.addHuman(t, w.fund(t, w.author)), w.addHuman(t, w.requester)
	r := w.open(t)
	done := w.open(t)
	for i := range 2 {
		w.mustVote(t, i, done.Id, requestv1.DECISION_REJECT)
	}
	w.mustVote(t, 1, r.Id, requestv1.DECISION_ABSTAIN)
	before := w.Export(t)
	for name, test := range map[string]struct {
		change func(m *requestv1.MsgVote)
		want   error
	}{
		"human is no address":      {func(m *requestv1.MsgVote) { m.Human = "x" }, nil},
		"not a human":              {func(m *requestv1.MsgVote) { m.Human = w.owners[0].String() }, human.ErrUnknown},
		"no such request":          {func(m *requestv1.MsgVote) { m.RequestID = 99 }, request.ErrUnknown},
		"request is decided":       {func(m *requestv1.MsgVote) { m.RequestID, m.Shown = done.Id, done.Shown }, request.ErrState},
		"human of the AI's owner":  {func(m *requestv1.MsgVote) { m.Human = author.String() }, request.ErrInterest},
		"human of the requester":   {func(m *requestv1.MsgVote) { m.Human = requester.String() }, request.ErrInterest},
		"second vote":              {func(m *requestv1.MsgVote) { m.Human = w.humans[1].String() }, request.ErrVoted},
		"shown something else":     {func(m *requestv1.MsgVote) { m.Shown = done.Shown }, request.ErrShown},
		"shown nothing":            {func(m *requestv1.MsgVote) { m.Shown = nil }, request.ErrShown},
		"anchor of another hash":   {func(m *requestv1.MsgVote) { m.AnchorHash = bytes.Repeat([]byte{1}, 32) }, request.ErrAnchor},
		"no anchor":                {func(m *requestv1.MsgVote) { m.AnchorHeight, m.AnchorHash = 0, nil }, request.ErrAnchor},
		"anchor in the future":     {func(m *requestv1.MsgVote) { m.AnchorHeight++ }, request.ErrAnchor},
		"anchor of a negative one": {func(m *requestv1.MsgVote) { m.AnchorHeight = -1 }, request.ErrAnchor},
		"no decision":              {func(m *requestv1.MsgVote) { m.Decision = 0 }, request.ErrDecision},
		"unknown decision":         {func(m *requestv1.MsgVote) { m.Decision = 4 }, request.ErrDecision},
		"decision beyond 8 bits":   {func(m *requestv1.MsgVote) { m.Decision = 257 }, request.ErrDecision},
	} {
		msg := w.voteMsg(w.humans[0], r, requestv1.DECISION_APPROVE)
		test.change(msg)
		if err := w.vote(msg); err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if after := w.Export(t); after.Request.String() != before.Request.String() || after.Bank.String() != before.Bank.String() {
		t.Error("a refused vote changed the state")
	}
	if err := w.vote(w.voteMsg(w.humans[0], r, requestv1.DECISION_APPROVE)); err != nil {
		t.Errorf("the unchanged vote: %v", err)
	}
}

// The deadline's block still takes votes; a request that waits for its turn to expire does not.
func TestVoteDeadline(t *testing.T) {
	w := newWorld(t, 2)
	r := w.open(t)
	for w.Ctx.BlockHeight() < r.DeadlineHeight {
		w.NextBlock(t)
	}
	w.mustVote(t, 0, r.Id, requestv1.DECISION_APPROVE)
	// The same height plus one, before any end of block has closed the request.
	w.Ctx = w.Ctx.WithBlockHeight(r.DeadlineHeight + 1)
	msg := w.voteMsg(w.humans[1], r, requestv1.DECISION_APPROVE)
	if err := w.vote(msg); !errors.Is(err, request.ErrDeadline) {
		t.Errorf("a vote after the deadline: %v", err)
	}
}

// Anchors older than the ring are refused, the oldest in it is taken.
func TestAnchorRing(t *testing.T) {
	w := newWorld(t, 2)
	first, firstHash := w.Ctx.BlockHeight(), w.Ctx.HeaderHash()
	w.NextBlock(t)
	second, secondHash := w.Ctx.BlockHeight(), w.Ctx.HeaderHash()
	for w.Ctx.BlockHeight() < first+request.Anchors {
		w.NextBlock(t)
	}
	r := w.open(t)
	if err := w.vote(chaintest.Vote(w.humans[0], r, requestv1.DECISION_APPROVE, first, firstHash)); !errors.Is(err, request.ErrAnchor) {
		t.Errorf("an anchor %d blocks old: %v", request.Anchors, err)
	}
	if err := w.vote(chaintest.Vote(w.humans[0], r, requestv1.DECISION_APPROVE, second, secondHash)); err != nil {
		t.Errorf("an anchor %d blocks old: %v", request.Anchors-1, err)
	}
}

func TestAbstentionsAreBounded(t *testing.T) {
	w := newWorld(t, poh.MaxQuorum+1)
	r := w.open(t)
	for i := range poh.MaxQuorum {
		w.mustVote(t, i, r.Id, requestv1.DECISION_ABSTAIN)
	}
	last := w.humans[poh.MaxQuorum]
	if err := w.vote(w.voteMsg(last, r, requestv1.DECISION_ABSTAIN)); !errors.Is(err, request.ErrDecision) {
		t.Errorf("one abstention more: %v", err)
	}
	if err := w.vote(w.voteMsg(last, r, requestv1.DECISION_APPROVE)); err != nil {
		t.Errorf("an approval: %v", err)
	}
}

func TestPostReceiptRefusals(t *testing.T) {
	w := newWorld(t, 3)
	r, open := w.open(t), w.open(t)
	for i := range 2 {
		w.mustVote(t, i, r.Id, requestv1.DECISION_APPROVE)
	}
	before := w.Export(t)
	for name, test := range map[string]struct {
		change func(m *requestv1.MsgPostReceipt)
		want   error
	}{
		"worker is no address":    {func(m *requestv1.MsgPostReceipt) { m.Worker = "x" }, nil},
		"worker owns no human":    {func(m *requestv1.MsgPostReceipt) { m.Worker = w.author.String() }, request.ErrWorker},
		"worker is a vote key":    {func(m *requestv1.MsgPostReceipt) { m.Worker = w.humans[2].String() }, request.ErrWorker},
		"no such request":         {func(m *requestv1.MsgPostReceipt) { m.RequestID = 99 }, request.ErrUnknown},
		"request is undecided":    {func(m *requestv1.MsgPostReceipt) { m.RequestID = open.Id }, request.ErrState},
		"another model":           {func(m *requestv1.MsgPostReceipt) { m.Execution.Model = r.PayloadDigest }, request.ErrExecution},
		"another input":           {func(m *requestv1.MsgPostReceipt) { m.Execution.Input = m.Execution.Model }, request.ErrExecution},
		"tampered output":         {func(m *requestv1.MsgPostReceipt) { m.Execution.Output[0] ^= 1 }, request.ErrExecution},
		"short output digest":     {func(m *requestv1.MsgPostReceipt) { m.Execution.OutputDigest = []byte{1} }, request.ErrExecution},
		"output too large":        {func(m *requestv1.MsgPostReceipt) { output(m, make([]byte, poh.MaxOutput+1)) }, request.ErrExecution},
		"no runtime":              {func(m *requestv1.MsgPostReceipt) { m.Execution.Runtime = nil }, request.ErrExecution},
		"no engine":               {func(m *requestv1.MsgPostReceipt) { m.Execution.Engine = "" }, request.ErrExecution},
		"long device class":       {func(m *requestv1.MsgPostReceipt) { m.Execution.DeviceClass = strings.Repeat("a", 101) }, request.ErrExecution},
		"device class is missing": {func(m *requestv1.MsgPostReceipt) { m.Execution.DeviceClass = "" }, request.ErrExecution},
	} {
		msg := chaintest.Receipt(w.owners[2], r, w.nft(t))
		test.change(msg)
		if err := w.post(msg); err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if after := w.Export(t); after.Request.String() != before.Request.String() || after.Bank.String() != before.Bank.String() {
		t.Error("a refused receipt changed the state")
	}
	deadline := w.request(t, r.Id).DeadlineHeight
	late := *w
	chain := *w.Chain
	late.Chain = &chain
	late.Ctx, _ = w.Ctx.WithBlockHeight(deadline + 1).CacheContext()
	if err := late.post(chaintest.Receipt(w.owners[2], r, w.nft(t))); !errors.Is(err, request.ErrDeadline) {
		t.Errorf("after the deadline: %v", err)
	}
	largest := chaintest.Receipt(w.owners[2], r, w.nft(t))
	output(largest, make([]byte, poh.MaxOutput))
	if err := w.post(largest); err != nil {
		t.Fatalf("the largest output: %v", err)
	}
	if err := w.post(chaintest.Receipt(w.owners[2], r, w.nft(t))); !errors.Is(err, request.ErrState) {
		t.Errorf("a second receipt: %v", err)
	}
}

// TestKeys: the store holds exactly the keys of requestv1, which proofs are made for.
func TestKeys(t *testing.T) {
	w := newWorld(t, 3)
	r, open := w.open(t), w.open(t)
	for i := range 2 {
		w.mustVote(t, i, r.Id, requestv1.DECISION_APPROVE)
	}
	if err := w.post(chaintest.Receipt(w.owners[0], r, w.nft(t))); err != nil {
		t.Fatal(err)
	}
	store := w.Store(request.ModuleName)
	var (
		gotRequest requestv1.Request
		gotVote    requestv1.Vote
		gotReceipt requestv1.Receipt
	)
	if err := gotRequest.Unmarshal(store.Get(requestv1.RequestKey(1))); err != nil || gotRequest.State != requestv1.STATE_FINAL {
		t.Errorf("under RequestKey: %+v, %v", gotRequest, err)
	}
	if err := gotVote.Unmarshal(store.Get(requestv1.VoteKey(1, w.humans[1]))); err != nil || gotVote.Human != w.humans[1].String() {
		t.Errorf("under VoteKey: %+v, %v", gotVote, err)
	}
	if err := gotReceipt.Unmarshal(store.Get(requestv1.ReceiptKey(1))); err != nil || gotReceipt.Worker != w.owners[0].String() {
		t.Errorf("under ReceiptKey: %+v, %v", gotReceipt, err)
	}
	if got := store.Get(requestv1.PayloadKey(1)); poh.Sum(got) != poh.Digest(r.PayloadDigest) {
		t.Errorf("under PayloadKey: %d bytes", len(got))
	}
	if next := store.Get(requestv1.NextIDKey()); len(next) != 8 || binary.BigEndian.Uint64(next) != 3 {
		t.Errorf("under NextIDKey: %x, want 3", next)
	}
	found := map[byte]int{}
	for it := store.Iterator(nil, nil); it.Valid(); it.Next() {
		found[it.Key()[0]]++
	}
	want := map[byte]int{
		requestv1.NextIDPrefix: 1, requestv1.RequestsPrefix: 2, requestv1.PayloadsPrefix: 2, requestv1.VotesPrefix: 2,
		requestv1.ReceiptsPrefix: 1, requestv1.DeadlinesPrefix: 1, requestv1.AnchorsPrefix: 1,
	}
	for prefix := range byte(255) {
		if found[prefix] != want[prefix] {
			t.Errorf("prefix %d has %d records, want %d (the request that waits is %d)", prefix, found[prefix], want[prefix], open.Id)
		}
	}
}

func TestGenesisRefusals(t *testing.T) {
	w := newWorld(t, 3)
	r := w.open(t)
	w.open(t)
	for i := range 2 {
		w.mustVote(t, i, r.Id, requestv1.DECISION_APPROVE)
	}
	if _, err := chaintest.Import(t, w.Export(t)); err != nil {
		t.Fatalf("unchanged: %v", err)
	}
	for name, change := range map[string]func(*requestv1.GenesisState){
		"next_id of 0":          func(g *requestv1.GenesisState) { g.NextId = 0 },
		"id at next_id":         func(g *requestv1.GenesisState) { g.NextId = 2 },
		"order":                 func(g *requestv1.GenesisState) { g.Requests[0], g.Requests[1] = g.Requests[1], g.Requests[0] },
		"escrow not in bank":    func(g *requestv1.GenesisState) { g.Requests[0].Escrow = chaintest.Heart(11) },
		"escrow in atom":        func(g *requestv1.GenesisState) { g.Requests[0].Escrow.Denom = "atom" },
		"unknown state":         func(g *requestv1.GenesisState) { g.Requests[0].State = 9 },
		"no state":              func(g *requestv1.GenesisState) { g.Requests[0].State = 0 },
		"no deadline":           func(g *requestv1.GenesisState) { g.Requests[0].DeadlineHeight = 0 },
		"requester is no one":   func(g *requestv1.GenesisState) { g.Requests[0].Requester = "x" },
		"tampered payload":      func(g *requestv1.GenesisState) { g.Payloads[0].Content = []byte("x") },
		"payload of nothing":    func(g *requestv1.GenesisState) { g.Payloads[0].RequestID = 9 },
		"a vote is missing":     func(g *requestv1.GenesisState) { g.Votes = g.Votes[1:] },
		"a vote on nothing":     func(g *requestv1.GenesisState) { g.Votes[0].RequestID = 9 },
		"a vote for nothing":    func(g *requestv1.GenesisState) { g.Votes[0].Decision = 0 },
		"a vote by no one":      func(g *requestv1.GenesisState) { g.Votes[0].Human = "x" },
		"receipt before final":  func(g *requestv1.GenesisState) { g.Receipts = []requestv1.Receipt{{RequestID: 1}} },
		"state without voters":  func(g *requestv1.GenesisState) { g.Requests[1].State = requestv1.STATE_FINAL },
		"approved without rest": func(g *requestv1.GenesisState) { g.Requests[0].State = requestv1.STATE_REJECTED },
	} {
		s := w.Export(t)
		change(s.Request)
		if _, err := chaintest.Import(t, s); !errors.Is(err, request.ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func inline(m *requestv1.MsgSubmit, payload []byte) {
	d := poh.Sum(payload)
	m.Payload, m.PayloadDigest, m.PayloadSize = payload, d[:], uint64(len(payload))
}

func output(m *requestv1.MsgPostReceipt, out []byte) {
	d := poh.Sum(out)
	m.Execution.Output, m.Execution.OutputDigest = out, d[:]
}
