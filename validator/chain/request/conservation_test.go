package request_test

import (
	"testing"

	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/vouchbox/vouch/validator/chain/ainft"
	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/chaintest"
	"github.com/vouchbox/vouch/validator/chain/human"
	"github.com/vouchbox/vouch/validator/chain/request"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// TestConservation: whatever people send in whatever order, money is neither made nor lost, the
// modules hold exactly the bonds and what is left of the escrows, and the state can be exported,
// imported and exported again without a difference.
func TestConservation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, 4)
		w.requester = w.Account(t, 100_000)
		rich := w.Account(t, 1000)
		supply := w.Bank.GetSupply(w.Ctx, poh.Denom)
		requests := uint64(0)
		anyRequest := func() uint64 { return rapid.Uint64Range(1, requests+1).Draw(t, "request") }
		person := func() int { return rapid.IntRange(0, len(w.humans)-1).Draw(t, "person") }
		t.Repeat(map[string]func(*rapid.T){
			"set rules": func(t *rapid.T) {
				rules := chaintest.Rules()
				rules.Quorum = rapid.Uint32Range(1, 3).Draw(t, "quorum")
				rules.DeadlineBlocks = rapid.Uint64Range(1, 6).Draw(t, "deadline")
				rules.Price.Amount = math.NewInt(rapid.Int64Range(1, 1<<40).Draw(t, "price"))
				owner := rapid.Uint32Range(0, poh.BasisPoints).Draw(t, "owner")
				voters := rapid.Uint32Range(0, poh.BasisPoints-owner).Draw(t, "voters")
				worker := rapid.Uint32Range(0, poh.BasisPoints-owner-voters).Draw(t, "worker")
				rules.Split = ainftv1.Split{Owner: owner, Voters: voters, Worker: worker, Network: poh.BasisPoints - owner - voters - worker}
				msg := &ainftv1.MsgSetRules{Owner: w.author.String(), NFTID: 1, Rules: rules}
				if _, err := ainft.NewMsgServer(w.AINFT).SetRules(w.Ctx, msg); err != nil {
					t.Fatal(err)
				}
			},
			"submit": func(t *rapid.T) {
				msg := chaintest.Submit(w.requester, 1)
				msg.Escrow.Amount = math.NewInt(rapid.Int64Range(1, 1<<41).Draw(t, "escrow"))
				if rapid.IntRange(0, 9).Draw(t, "tamper") == 0 {
					msg.Payload[0] ^= 1
				}
				if id, err := w.submit(msg); err == nil {
					requests = id
				}
			},
			"vote": func(t *rapid.T) {
				id, i := anyRequest(), person()
				r, err := w.Request.Request(w.Ctx, id)
				if err != nil {
					return
				}
				_ = w.vote(w.voteMsg(w.humans[i], r, requestv1.Decision(rapid.Int32Range(0, 3).Draw(t, "decision"))))
			},
			"receipt": func(t *rapid.T) {
				id, i := anyRequest(), person()
				r, err := w.Request.Request(w.Ctx, id)
				if err != nil {
					return
				}
				_ = w.post(chaintest.Receipt(w.owners[i], r, w.nft(t)))
			},
			"register": func(t *rapid.T) {
				if len(w.humans) < 8 {
					w.addHuman(t, rich)
				}
			},
			"block": func(t *rapid.T) { w.NextBlock(t) },
			"": func(t *rapid.T) {
				s := w.Export(t)
				if got := w.Bank.GetSupply(w.Ctx, poh.Denom); !got.Equal(supply) {
					t.Fatalf("the supply went from %s to %s", supply, got)
				}
				bonds := math.ZeroInt()
				for _, h := range s.Human.Humans {
					bonds = bonds.Add(h.Bond.Amount)
				}
				if held := w.ModuleBalance(human.ModuleName); !held.Equal(bonds) {
					t.Fatalf("x/human holds %s for bonds of %s", held, bonds)
				}
				if held, want := w.ModuleBalance(request.ModuleName), escrows(t, w, s); !held.Equal(want) {
					t.Fatalf("x/request holds %s for escrows of %s", held, want)
				}
			},
		})
		s := w.Export(t)
		back, err := chaintest.Import(t, s)
		if err != nil {
			t.Fatal(err)
		}
		again := back.Export(t)
		if again.Request.String() != s.Request.String() || again.Human.String() != s.Human.String() ||
			again.AINFT.String() != s.AINFT.String() || again.Bank.String() != s.Bank.String() {
			t.Fatal("the import of the export differs from it")
		}
	})
}

// escrows is what must be left, reckoned apart from the keeper: all of an open request, and an
// approved one less the voters' basis points, rounded down.
func escrows(t chaintest.TB, w *world, s chaintest.State) math.Int {
	sum := math.ZeroInt()
	for _, r := range s.Request.Requests {
		switch r.State {
		case requestv1.STATE_OPEN:
			sum = sum.Add(r.Escrow.Amount)
		case requestv1.STATE_APPROVED:
			rules, err := w.AINFT.Rules(w.Ctx, 1, r.RulesVersion)
			if err != nil {
				t.Fatal(err)
			}
			sum = sum.Add(r.Escrow.Amount).Sub(r.Escrow.Amount.MulRaw(int64(rules.Split.Voters)).QuoRaw(10_000))
		}
	}
	return sum
}
