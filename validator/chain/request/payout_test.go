package request_test

import (
	"testing"

	"cosmossdk.io/math"

	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/vouchbox/vouch/validator/chain/chaintest"
	"github.com/vouchbox/vouch/validator/chain/request"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
)

// The escrow is 10 HEART and 7 atto. Voters have 30 %: 3 HEART and 2.1 atto, rounded down to 2.
const (
	voters = "3000000000000000002"
	half   = "1500000000000000001"
	third  = "1000000000000000000" // 2 atto are left over for the network
	// The owner has 40 % and the worker 25 %, both rounded down; the network has the rest.
	ownerShare   = "4000000000000000002"
	workerShare  = "2500000000000000001"
	networkShare = "500000000000000002"
	// A rejected request gives back what the voters did not take.
	refund = "7000000000000000005"
)

// ledger is who has what, before.
type ledger struct {
	w      *world
	before map[string]math.Int
}

func (w *world) ledger() ledger {
	l := ledger{w, map[string]math.Int{}}
	for name := range l.accounts() {
		l.before[name] = l.now(name)
	}
	return l
}

func (l ledger) accounts() map[string]func() math.Int {
	out := map[string]func() math.Int{
		"author":    func() math.Int { return l.w.Balance(l.w.author) },
		"requester": func() math.Int { return l.w.Balance(l.w.requester) },
		"network":   func() math.Int { return l.w.ModuleBalance(authtypes.FeeCollectorName) },
		"escrow":    func() math.Int { return l.w.ModuleBalance(request.ModuleName) },
	}
	for i, name := range []string{"ann", "bob", "cem", "dia", "eva"} {
		if i < len(l.w.owners) {
			out[name] = func() math.Int { return l.w.Balance(l.w.owners[i]) }
		}
	}
	return out
}

func (l ledger) now(name string) math.Int { return l.accounts()[name]() }

// want checks every account: one that is not named must not have moved.
func (l ledger) want(t *testing.T, gains map[string]string) {
	t.Helper()
	for name := range l.accounts() {
		want, ok := gains[name]
		if !ok {
			want = "0"
		}
		if got := l.now(name).Sub(l.before[name]).String(); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestPayoutApproved(t *testing.T) {
	w := newWorld(t, 4)
	r := w.open(t)
	l := w.ledger()
	w.mustVote(t, 0, r.Id, requestv1.DECISION_APPROVE)
	w.mustVote(t, 1, r.Id, requestv1.DECISION_ABSTAIN)
	l.want(t, nil)
	w.NextBlock(t)
	w.mustVote(t, 2, r.Id, requestv1.DECISION_APPROVE)
	w.wantState(t, r.Id, requestv1.STATE_APPROVED)
	// Two voters share 3 HEART and 2 atto; the one who abstained has nothing.
	l.want(t, map[string]string{"ann": half, "cem": half, "escrow": "-" + voters})
	if got, want := w.request(t, r.Id).DeadlineHeight, w.Ctx.BlockHeight()+10; got != want {
		t.Errorf("the receipt is due by block %d, want %d", got, want)
	}

	l = w.ledger()
	if err := w.post(chaintest.Receipt(w.owners[3], r, w.nft(t))); err != nil {
		t.Fatal(err)
	}
	w.wantState(t, r.Id, requestv1.STATE_FINAL)
	l.want(t, map[string]string{"author": ownerShare, "dia": workerShare, "network": networkShare, "escrow": "-" + refund})
	if held := w.ModuleBalance(request.ModuleName); !held.IsZero() {
		t.Errorf("the module still holds %s", held)
	}
}

func TestPayoutRejected(t *testing.T) {
	w := newWorld(t, 3)
	r := w.open(t)
	l := w.ledger()
	w.mustVote(t, 0, r.Id, requestv1.DECISION_REJECT)
	w.mustVote(t, 1, r.Id, requestv1.DECISION_APPROVE)
	w.mustVote(t, 2, r.Id, requestv1.DECISION_REJECT)
	w.wantState(t, r.Id, requestv1.STATE_REJECTED)
	// All three voted and have the same, whichever side won. What does not divide is the network's.
	l.want(t, map[string]string{
		"ann": third, "bob": third, "cem": third, "network": "2", "requester": refund, "escrow": "-10000000000000000007",
	})
}

func TestPayoutExpired(t *testing.T) {
	w := newWorld(t, 3)
	l := w.ledger()
	open, approved := w.open(t), w.open(t)
	w.mustVote(t, 0, open.Id, requestv1.DECISION_APPROVE)
	w.mustVote(t, 0, approved.Id, requestv1.DECISION_APPROVE)
	w.mustVote(t, 1, approved.Id, requestv1.DECISION_APPROVE)
	for w.Ctx.BlockHeight() < open.DeadlineHeight {
		w.NextBlock(t)
	}
	// The last block that may carry a vote has not ended yet.
	w.wantState(t, open.Id, requestv1.STATE_OPEN)
	w.NextBlock(t)
	w.wantState(t, open.Id, requestv1.STATE_EXPIRED)
	w.wantState(t, approved.Id, requestv1.STATE_EXPIRED)
	// Nobody is paid for a request without a verdict; a verdict is paid without a receipt.
	l.want(t, map[string]string{"ann": half, "bob": half, "requester": "-" + voters})
}

func TestExpiryIsBounded(t *testing.T) {
	const total, perBlock = 250, 100
	w := newWorld(t, 0)
	w.requester = w.Account(t, 10000)
	for range total {
		w.open(t)
	}
	for range 9 {
		w.NextBlock(t)
	}
	expired := func() (n int) {
		for _, r := range w.Export(t).Request.Requests {
			if r.State == requestv1.STATE_EXPIRED {
				n++
			}
		}
		return n
	}
	w.NextBlock(t)
	for _, want := range []int{0, perBlock, 2 * perBlock, total, total} {
		if got := expired(); got != want {
			t.Errorf("%d expired before block %d, want %d", got, w.Ctx.BlockHeight(), want)
		}
		w.NextBlock(t)
	}
	if held := w.ModuleBalance(request.ModuleName); !held.IsZero() {
		t.Errorf("the module still holds %s", held)
	}
}
