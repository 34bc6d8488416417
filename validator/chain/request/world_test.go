package request_test

import (
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/chain/ainft"
	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/chaintest"
	"github.com/vouchbox/vouch/validator/chain/human"
	"github.com/vouchbox/vouch/validator/chain/request"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
)

// world is a chain with an NFT, a requester and people.
type world struct {
	*chaintest.Chain
	author, requester sdk.AccAddress
	owners, humans    []sdk.AccAddress // humans[i] belongs to owners[i]
	server            requestv1.MsgServer
}

func newWorld(t chaintest.TB, people int) *world {
	t.Helper()
	w := &world{Chain: chaintest.New(t)}
	w.author, w.requester = w.Account(t, 0), w.Account(t, 1000)
	w.server = request.NewMsgServer(w.Request)
	if _, err := ainft.NewMsgServer(w.AINFT).Mint(w.Ctx, chaintest.Mint(w.author)); err != nil {
		t.Fatal(err)
	}
	for range people {
		w.addHuman(t, w.Account(t, 100))
	}
	return w
}

func (w *world) addHuman(t chaintest.TB, owner sdk.AccAddress) sdk.AccAddress {
	t.Helper()
	res, err := human.NewMsgServer(w.Human).Register(w.Ctx, chaintest.NewVoteKey(t).Registration(t, chaintest.ChainID, owner))
	if err != nil {
		t.Fatal(err)
	}
	addr, err := sdk.AccAddressFromBech32(res.Address)
	if err != nil {
		t.Fatal(err)
	}
	w.owners, w.humans = append(w.owners, owner), append(w.humans, addr)
	return addr
}

func (w *world) submit(msg *requestv1.MsgSubmit) (id uint64, err error) {
	err = w.Deliver(func(ctx sdk.Context) error {
		res, err := w.server.Submit(ctx, msg)
		if err == nil {
			id = res.Id
		}
		return err
	})
	return id, err
}

func (w *world) open(t chaintest.TB) requestv1.Request {
	t.Helper()
	id, err := w.submit(chaintest.Submit(w.requester, 1))
	if err != nil {
		t.Fatal(err)
	}
	return w.request(t, id)
}

func (w *world) request(t chaintest.TB, id uint64) requestv1.Request {
	t.Helper()
	r, err := w.Request.Request(w.Ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) nft(t chaintest.TB) ainftv1.NFT {
	t.Helper()
	nft, err := w.AINFT.NFT(w.Ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	return nft
}

// voteMsg is a valid vote anchored at the present block.
func (w *world) voteMsg(human sdk.AccAddress, r requestv1.Request, d requestv1.Decision) *requestv1.MsgVote {
	return chaintest.Vote(human, r, d, w.Ctx.BlockHeight(), w.Ctx.HeaderHash())
}

func (w *world) vote(msg *requestv1.MsgVote) error {
	return w.Deliver(func(ctx sdk.Context) error {
		_, err := w.server.Vote(ctx, msg)
		return err
	})
}

func (w *world) mustVote(t chaintest.TB, i int, id uint64, d requestv1.Decision) {
	t.Helper()
	if err := w.vote(w.voteMsg(w.humans[i], w.request(t, id), d)); err != nil {
		t.Fatal(err)
	}
}

func (w *world) post(msg *requestv1.MsgPostReceipt) error {
	return w.Deliver(func(ctx sdk.Context) error {
		_, err := w.server.PostReceipt(ctx, msg)
		return err
	})
}

func (w *world) wantState(t *testing.T, id uint64, want requestv1.State) {
	t.Helper()
	if got := w.request(t, id).State; got != want {
		t.Errorf("request %d is %s, want %s", id, got, want)
	}
}

// fund gives an existing account enough for a bond.
func (w *world) fund(t chaintest.TB, addr sdk.AccAddress) sdk.AccAddress {
	t.Helper()
	if err := w.Bank.SendCoins(w.Ctx, w.Account(t, 100), addr, sdk.NewCoins(chaintest.Heart(100))); err != nil {
		t.Fatal(err)
	}
	return addr
}

func (w *world) setQuorum(t chaintest.TB, quorum uint32) {
	t.Helper()
	rules := chaintest.Rules()
	rules.Quorum = quorum
	msg := &ainftv1.MsgSetRules{Owner: w.author.String(), NFTID: 1, Rules: rules}
	if _, err := ainft.NewMsgServer(w.AINFT).SetRules(w.Ctx, msg); err != nil {
		t.Fatal(err)
	}
}
