package node_test

import (
	"bytes"
	"encoding/json"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"

	"github.com/vouchbox/vouch/validator/chain"
	"github.com/vouchbox/vouch/validator/node"
)

// replay gives the node's blocks to a second application and compares each app hash with the next
// header's. Then it exports that application, starts a third from the export, and compares the two.
func (n *net) replay() {
	n.t.Helper()
	genesis, err := n.rpc.Genesis(n.ctx())
	if err != nil {
		n.t.Fatal(err)
	}
	app := n.application(genesis.Genesis, genesis.Genesis.AppState, 1)
	defer app.Close()
	last := n.node.Height() - 1
	for height := int64(1); height <= last; height++ {
		got := n.finalize(app, n.block(height))
		if want := n.block(height + 1).AppHash; !bytes.Equal(got, want) {
			n.t.Fatalf("block %d: the replay has the app hash %X, the chain has %s", height, got, want)
		}
	}
	n.t.Logf("%d blocks replayed", last)

	state, err := app.ExportGenesis()
	if err != nil {
		n.t.Fatal(err)
	}
	raw, err := json.Marshal(state)
	if err != nil {
		n.t.Fatal(err)
	}
	successor := n.application(genesis.Genesis, raw, last+1)
	defer successor.Close()
	n.finalize(successor, n.block(last+1))
	again, err := successor.ExportGenesis()
	if err != nil {
		n.t.Fatal(err)
	}
	for _, module := range []string{"human", "ainft", "request"} {
		if !bytes.Equal(state[module], again[module]) {
			n.t.Errorf("x/%s differs after export and import:\n%s\n%s", module, state[module], again[module])
		}
	}
}

// application starts one in memory.
func (n *net) application(doc *cmttypes.GenesisDoc, state []byte, height int64) *chain.App {
	n.t.Helper()
	app, err := chain.New(log.NewNopLogger(), dbm.NewMemDB(), node.DevnetChainID)
	if err != nil {
		n.t.Fatal(err)
	}
	params := doc.ConsensusParams.ToProto()
	if _, err := app.InitChain(&abci.RequestInitChain{
		Time: doc.GenesisTime, ChainId: doc.ChainID, InitialHeight: height, ConsensusParams: &params, AppStateBytes: state,
	}); err != nil {
		n.t.Fatal(err)
	}
	return app
}

func (n *net) block(height int64) *cmttypes.Block {
	n.t.Helper()
	res, err := n.rpc.Block(n.ctx(), &height)
	if err != nil {
		n.t.Fatal(err)
	}
	return res.Block
}

// finalize is what CometBFT's block executor does with a decided block.
func (n *net) finalize(app *chain.App, b *cmttypes.Block) []byte {
	n.t.Helper()
	commit := abci.CommitInfo{}
	if b.Height > 1 {
		commit.Round = b.LastCommit.Round
		validators, err := n.rpc.Validators(n.ctx(), new(b.Height-1), nil, nil)
		if err != nil {
			n.t.Fatal(err)
		}
		for i, v := range validators.Validators {
			commit.Votes = append(commit.Votes, abci.VoteInfo{
				Validator:   abci.Validator{Address: v.Address, Power: v.VotingPower},
				BlockIdFlag: cmtproto.BlockIDFlag(b.LastCommit.Signatures[i].BlockIDFlag),
			})
		}
	}
	res, err := app.FinalizeBlock(&abci.RequestFinalizeBlock{
		Txs: b.Txs.ToSliceOfBytes(), DecidedLastCommit: commit, Misbehavior: b.Evidence.Evidence.ToABCI(),
		Hash: b.Hash(), Height: b.Height, Time: b.Time, NextValidatorsHash: b.NextValidatorsHash, ProposerAddress: b.ProposerAddress,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	if _, err := app.Commit(); err != nil {
		n.t.Fatal(err)
	}
	return res.AppHash
}
