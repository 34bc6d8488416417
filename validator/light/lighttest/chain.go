// Package lighttest is a chain in memory for tests of what reads a chain: blocks signed by
// generated validators, state in cosmos-sdk's real multistore with its real proofs, and nodes that
// serve it by CometBFT's JSON-RPC and can be told to lie. Only tests import it.
package lighttest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"cosmossdk.io/log/v2"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/store/v2/rootmulti"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"

	"github.com/vouchbox/vouch/validator/poh"
)

// ID is the chain's id.
const ID = "vouch-test-1"

// Interval is the time between two blocks.
const Interval = 5 * time.Second

// Stores are the substores of every chain.
var stores = []string{"acc", "ainft", "bank", "human", "request"}

// State is what a transaction may change.
type State interface {
	Height() int64
	Time() time.Time
	Get(store string, key []byte) []byte
	Set(store string, key, value []byte)
	Delete(store string, key []byte)
}

// Chain makes a block on each Commit. The same calls make the same chain.
type Chain struct {
	// App executes a transaction and returns its code. Set it before the first block.
	App func(s State, tx []byte) uint32
	// Check is asked when a transaction is broadcast; it may be nil.
	Check func(tx []byte) uint32
	// Auto makes two blocks after each broadcast.
	Auto bool

	mu      sync.Mutex
	store   *rootmulti.Store
	keys    map[string]*storetypes.KVStoreKey
	signers []ed25519.PrivKey // of the next block
	next    []ed25519.PrivKey // of the block after
	blocks  []block           // blocks[i] has height i+1
	mempool [][]byte
	cache   map[[32]byte]bool
	appHash []byte
	now     time.Time
}

type block struct {
	signed  types.SignedHeader
	vals    *types.ValidatorSet
	txs     types.Txs
	results []*abci.ExecTxResult
}

// New makes a chain with validators of equal power and three blocks.
func New(tb testing.TB, validators int) *Chain {
	tb.Helper()
	c := &Chain{
		keys:  map[string]*storetypes.KVStoreKey{},
		cache: map[[32]byte]bool{},
		now:   time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		App:   func(State, []byte) uint32 { return 0 },
	}
	c.store = rootmulti.NewStore(dbm.NewMemDB(), log.NewNopLogger())
	for _, name := range stores {
		c.keys[name] = storetypes.NewKVStoreKey(name)
		c.store.MountStoreWithDB(c.keys[name], storetypes.StoreTypeIAVL, nil)
	}
	if err := c.store.LoadLatestVersion(); err != nil {
		tb.Fatal(err)
	}
	// An empty tree proves nothing, not even absence.
	for _, name := range stores {
		c.Set(name, []byte{0xff}, []byte("last"))
	}
	c.Validators("validator", validators)
	c.Commit(3)
	return c
}

// Validators replaces all validators from the block after the next.
func (c *Chain) Validators(seed string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next = nil
	for i := range n {
		c.next = append(c.next, ed25519.GenPrivKeyFromSecret(fmt.Appendf(nil, "%s %d", seed, i)))
	}
	if len(c.blocks) == 0 {
		c.signers = c.next
	}
}

func set(keys []ed25519.PrivKey) *types.ValidatorSet {
	var vals []*types.Validator
	for _, k := range keys {
		vals = append(vals, types.NewValidator(k.PubKey(), 10))
	}
	return types.NewValidatorSet(vals)
}

// Set writes state that the next block commits to.
func (c *Chain) Set(store string, key, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store.GetKVStore(c.keys[store]).Set(key, value)
}

// Delete removes state.
func (c *Chain) Delete(store string, key []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.store.GetKVStore(c.keys[store]).Delete(key)
}

// Deliver puts transactions into the next block.
func (c *Chain) Deliver(txs ...[]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mempool = append(c.mempool, txs...)
}

// Sleep lets time pass without a block.
func (c *Chain) Sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Now is the clock: a second after the newest block.
func (c *Chain) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now.Add(time.Second)
}

// Block names a block of the chain.
func (c *Chain) Block(height int64) poh.Block {
	c.mu.Lock()
	defer c.mu.Unlock()
	return poh.Block{Height: height, Hash: poh.Digest(c.blocks[height-1].signed.Hash())}
}

// Height of the newest block.
func (c *Chain) Height() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(len(c.blocks))
}

// Commit makes n blocks; the first one carries what was delivered.
func (c *Chain) Commit(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range n {
		c.commit()
	}
}

func (c *Chain) commit() {
	c.now = c.now.Add(Interval)
	b := block{vals: set(c.signers), txs: types.ToTxs(c.mempool)}
	c.mempool = nil
	signers := c.signers
	h := &types.Header{
		Version: cmtversion.Consensus{Block: version.BlockProtocol}, ChainID: ID, Height: int64(len(c.blocks)) + 1, Time: c.now,
		DataHash: b.txs.Hash(), NextValidatorsHash: set(c.next).Hash(), ValidatorsHash: b.vals.Hash(), ConsensusHash: digest("consensus"),
		AppHash: c.appHash, LastResultsHash: types.ABCIResults{}.Hash(), EvidenceHash: types.EvidenceList{}.Hash(),
		ProposerAddress: b.vals.Proposer.Address, LastCommitHash: digest("genesis"),
	}
	if len(c.blocks) > 0 {
		last := c.blocks[len(c.blocks)-1]
		h.LastBlockID, h.LastCommitHash = last.signed.Commit.BlockID, last.signed.Commit.Hash()
		h.LastResultsHash = types.NewResults(last.results).Hash()
	}
	for _, tx := range b.txs {
		b.results = append(b.results, &abci.ExecTxResult{Code: c.App(state{c, h}, tx), GasWanted: 1000, GasUsed: 500})
	}
	c.appHash = c.store.Commit().Hash
	id := types.BlockID{Hash: h.Hash(), PartSetHeader: types.PartSetHeader{Total: 1, Hash: digest("parts")}}
	commit := &types.Commit{Height: h.Height, BlockID: id}
	for _, v := range b.vals.Validators {
		i := slices.IndexFunc(signers, func(k ed25519.PrivKey) bool { return k.PubKey().Equals(v.PubKey) })
		vote := &types.Vote{Type: cmtproto.PrecommitType, Height: h.Height, BlockID: id, Timestamp: c.now.Add(time.Second), ValidatorAddress: v.Address}
		sig, err := signers[i].Sign(types.VoteSignBytes(ID, vote.ToProto()))
		if err != nil {
			panic(err)
		}
		vote.Signature = sig
		commit.Signatures = append(commit.Signatures, vote.CommitSig())
	}
	b.signed = types.SignedHeader{Header: h, Commit: commit}
	c.blocks = append(c.blocks, b)
	c.signers = c.next
}

func digest(s string) []byte {
	d := sha256.Sum256([]byte(s))
	return d[:]
}

// state is the chain while a block is executed; the chain is locked.
type state struct {
	c *Chain
	h *types.Header
}

func (s state) Height() int64   { return s.h.Height }
func (s state) Time() time.Time { return s.h.Time }

func (s state) Get(store string, key []byte) []byte {
	return s.c.store.GetKVStore(s.c.keys[store]).Get(key)
}

func (s state) Set(store string, key, value []byte) {
	s.c.store.GetKVStore(s.c.keys[store]).Set(key, value)
}

func (s state) Delete(store string, key []byte) {
	s.c.store.GetKVStore(s.c.keys[store]).Delete(key)
}
