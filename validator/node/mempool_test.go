package node_test

import (
	"bytes"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/vouchbox/vouch/validator/chain/chaintest"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/poh"
)

// The largest payload that may travel inside a request passes the RPC, the mempool and a block.
func TestLargestPayload(t *testing.T) {
	n := newNet(t)
	n.start()
	author, requester := n.funded("author"), n.funded("requester")
	nft := n.mint(author, 100)
	msg := chaintest.Submit(requester.address(), nft.Id)
	msg.Payload = bytes.Repeat([]byte{9}, poh.MaxPayload)
	digest := poh.Sum(msg.Payload)
	msg.PayloadDigest, msg.PayloadSize = digest[:], poh.MaxPayload
	const gas = 8_000_000
	var res requestv1.MsgSubmitResponse
	price := fee[0].Amount.QuoRaw(gasLimit)
	n.deliver("submit the largest payload", n.txWith(requester, false, gas, sdk.NewCoins(sdk.NewCoin(poh.Denom, price.MulRaw(gas))), msg), &res)
	if got := n.read(requestv1.StoreKey, requestv1.PayloadKey(res.Id)); poh.Sum(got) != digest {
		t.Errorf("%d bytes came back", len(got))
	}
}

func TestMempoolRefusals(t *testing.T) {
	n := newNet(t)
	n.start()
	treasury, author, requester := n.funded("treasury"), n.funded("author"), n.funded("requester")
	ann := n.enrol(treasury)
	id := n.submit(requester, n.mint(author, 1000).Id)
	send := banktypes.NewMsgSend(treasury.address(), author.address(), sdk.NewCoins(chaintest.Heart(1)))

	less := sdk.NewCoins(fee[0].SubAmount(fee[0].Amount.QuoRaw(gasLimit)))
	n.refuse("a fee below the price of gas", n.txWith(treasury, false, gasLimit, less, send), "sdk", 13)

	// Somebody who holds ann's vote account number but another key.
	thief := voteSigner(t, chaintest.NewVoteKey(t), ann.owner.address())
	forged := ann.vote
	forged.sign = thief.sign
	height, hash := n.head()
	vote := chaintest.Vote(ann.vote.address(), n.request(id), requestv1.DECISION_APPROVE, height, hash)
	n.refuse("a vote signed by another key", n.tx(forged, true, vote), "sdk", 4)

	poor := ann.vote
	poor.granter = nil
	n.refuse("a vote without a fee grant", n.tx(poor, true, vote), "sdk", 5)
	poor.granter = author.address()
	if text := n.refuse("a vote at a stranger's expense", n.tx(poor, true, vote), "undefined", 1); !strings.Contains(text, "does not allow to pay fees") {
		t.Errorf("a vote at a stranger's expense is refused because: %s", text)
	}

	good := n.tx(ann.vote, true, vote)
	good[len(good)-1] ^= 1
	n.refuse("a vote with a bit flipped", good, "sdk", 4)
	// A waiting transaction stays good after another of the same account: it has no sequence, and the
	// two timeouts, in nanoseconds, differ.
	one := n.tx(ann.vote, true, vote)
	two := n.tx(ann.vote, true, chaintest.Vote(ann.vote.address(), n.request(id), requestv1.DECISION_REJECT, height, hash))
	n.deliver("the later one first", two, nil)
	n.refuse("the earlier one", one, "request", 10)
}
