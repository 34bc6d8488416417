package node_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/chaintest"
	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/node"
)

// person is a box's account and the vote key of its human.
type person struct{ owner, vote signer }

// enrol funds an owner, registers its human and lets it vote at the owner's expense.
func (n *net) enrol(treasury signer) person {
	n.t.Helper()
	owner, key := accountSigner(n.t, secp256k1.GenPrivKey()), chaintest.NewVoteKey(n.t)
	p := person{owner, voteSigner(n.t, key, owner.address())}
	n.deliver("fund", n.tx(treasury, false, banktypes.NewMsgSend(treasury.address(), owner.address(), sdk.NewCoins(chaintest.Heart(200)))), nil)
	var res humanv1.MsgRegisterResponse
	n.deliver("register and grant", n.tx(owner, false, key.Registration(n.t, node.DevnetChainID, owner.address()), &feegrant.MsgGrantAllowance{
		Granter: owner.address().String(), Grantee: p.vote.address().String(),
		Allowance: packed(n.t, &feegrant.BasicAllowance{SpendLimit: sdk.NewCoins(chaintest.Heart(10))}),
	}), &res)
	if res.Address != p.vote.address().String() {
		n.t.Fatalf("registered as %s, want %s", res.Address, p.vote.address())
	}
	return p
}

func (n *net) request(id uint64) requestv1.Request {
	n.t.Helper()
	var r requestv1.Request
	n.record(requestv1.StoreKey, requestv1.RequestKey(id), &r)
	return r
}

func (n *net) voteTx(p person, id uint64, d requestv1.Decision) []byte {
	n.t.Helper()
	height, hash := n.head()
	return n.tx(p.vote, true, chaintest.Vote(p.vote.address(), n.request(id), d, height, hash))
}

func (n *net) mint(author signer, deadline uint64) ainftv1.NFT {
	n.t.Helper()
	msg := chaintest.Mint(author.address())
	msg.Rules.DeadlineBlocks = deadline
	var res ainftv1.MsgMintResponse
	n.deliver("mint", n.tx(author, false, msg), &res)
	var nft ainftv1.NFT
	n.record(ainftv1.StoreKey, ainftv1.NFTKey(res.Id), &nft)
	return nft
}

func (n *net) submit(requester signer, nft uint64) uint64 {
	n.t.Helper()
	var res requestv1.MsgSubmitResponse
	n.deliver("submit", n.tx(requester, false, chaintest.Submit(requester.address(), nft)), &res)
	return res.Id
}

// gained wants what an account has more than before, less the fees of the transactions it paid for.
func (n *net) gained(who string, s signer, before math.Int, atto string, txs int64) {
	n.t.Helper()
	want, _ := math.NewIntFromString(atto)
	want = want.Sub(fee[0].Amount.MulRaw(txs))
	if got := n.balance(s.address()).Sub(before); !got.Equal(want) {
		n.t.Errorf("%s gained %s, want %s", who, got, want)
	}
}

// TestThreeRequests runs the protocol on a real node with real transactions: one request is approved,
// executed and paid; one is rejected and refunded; one expires. The node restarts in the middle.
// Afterwards a second application replays the blocks and must agree on each app hash.
func TestThreeRequests(t *testing.T) {
	n := newNet(t)
	n.start()
	treasury, author, requester := n.funded("treasury"), n.funded("author"), n.funded("requester")
	ann, bob, cem := n.enrol(treasury), n.enrol(treasury), n.enrol(treasury)
	patient, hasty := n.mint(author, 1000), n.mint(author, 2)

	tampered := chaintest.Submit(requester.address(), patient.Id)
	tampered.Payload[0] ^= 1
	n.refuse("tampered payload", n.tx(requester, false, tampered), "request", 4)

	// Approved, at quorum 2.
	first := n.submit(requester, patient.Id)
	annHad, bobHad, cemHad, authorHad := n.balance(ann.owner.address()), n.balance(bob.owner.address()), n.balance(cem.owner.address()), n.balance(author.address())
	vote := n.voteTx(ann, first, requestv1.DECISION_APPROVE)
	n.deliver("vote", vote, nil)
	n.refuse("second vote of one human", n.voteTx(ann, first, requestv1.DECISION_REJECT), "request", 10)
	n.refuse("a vote that shows another request", n.tx(cem.vote, true, foreignShown(n, cem, first)), "request", 11)

	before := n.node.Height()
	n.stop()
	n.start()
	if got := n.request(first); got.Approvals != 1 || n.node.Height() < before {
		t.Fatalf("after the restart: height %d (was %d), %+v", n.node.Height(), before, got)
	}

	// The mempool's memory is gone; the chain's is not.
	if text := n.refuse("the same transaction again", vote, "sdk", 18); !strings.Contains(text, "already used") {
		t.Errorf("the same transaction again is refused because: %s", text)
	}
	n.deliver("deciding vote", n.voteTx(bob, first, requestv1.DECISION_APPROVE), nil)
	if r := n.request(first); r.State != requestv1.STATE_APPROVED {
		t.Fatalf("the first request is %s", r.State)
	}
	// Ann paid for two transactions that entered a block: her vote and her second vote.
	n.gained("ann", ann.owner, annHad, "1500000000000000001", 2)
	n.gained("bob", bob.owner, bobHad, "1500000000000000001", 1)
	n.deliver("receipt", n.tx(cem.owner, false, chaintest.Receipt(cem.owner.address(), n.request(first), patient)), nil)
	if r := n.request(first); r.State != requestv1.STATE_FINAL {
		t.Fatalf("the first request is %s", r.State)
	}
	// Cem paid for the refused vote and the receipt.
	n.gained("cem", cem.owner, cemHad, "2500000000000000001", 2)
	n.gained("author", author, authorHad, "4000000000000000002", 0)
	var receipt requestv1.Receipt
	n.record(requestv1.StoreKey, requestv1.ReceiptKey(first), &receipt)
	if !bytes.Equal(receipt.Execution.Model, patient.Model) || receipt.Worker != cem.owner.address().String() {
		t.Errorf("the receipt is %+v", receipt)
	}

	// Rejected: 10 HEART and 7 atto less the voters' 3 HEART and 2 atto come back.
	requesterHad := n.balance(requester.address())
	second := n.submit(requester, patient.Id)
	n.deliver("reject", n.voteTx(ann, second, requestv1.DECISION_REJECT), nil)
	n.deliver("reject", n.voteTx(cem, second, requestv1.DECISION_REJECT), nil)
	if r := n.request(second); r.State != requestv1.STATE_REJECTED {
		t.Errorf("the second request is %s", r.State)
	}
	n.gained("requester", requester, requesterHad, "-3000000000000000002", 1)

	// Expired: everything comes back.
	requesterHad = n.balance(requester.address())
	third := n.submit(requester, hasty.Id)
	n.waitHeight(n.request(third).DeadlineHeight + 1)
	if r := n.request(third); r.State != requestv1.STATE_EXPIRED {
		t.Errorf("the third request is %s", r.State)
	}
	n.gained("requester", requester, requesterHad, "0", 1)

	n.checkAnchors()
	n.replay()
}

// foreignShown is a vote on a request with the digest of something else.
func foreignShown(n *net, p person, id uint64) *requestv1.MsgVote {
	height, hash := n.head()
	msg := chaintest.Vote(p.vote.address(), n.request(id), requestv1.DECISION_APPROVE, height, hash)
	msg.Shown = bytes.Repeat([]byte{7}, 32)
	return msg
}

// checkAnchors compares the hashes that the chain remembers with those that CometBFT committed.
func (n *net) checkAnchors() {
	n.t.Helper()
	last := n.node.Height() - 1
	for height := max(1, last-20); height <= last; height++ {
		commit, err := n.rpc.Commit(n.ctx(), &height)
		if err != nil {
			n.t.Fatal(err)
		}
		got := n.read(requestv1.StoreKey, binary.BigEndian.AppendUint64([]byte{requestv1.AnchorsPrefix}, uint64(height)))
		if want := commit.Commit.BlockID.Hash; !bytes.Equal(got, want) || len(got) != 32 {
			n.t.Errorf("block %d is remembered as %X, committed as %s", height, got, want)
		}
	}
}
