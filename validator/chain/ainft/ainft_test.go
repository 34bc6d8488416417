package ainft_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/chain/ainft"
	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/chaintest"
)

func TestMintAndSetRules(t *testing.T) {
	c := chaintest.New(t)
	owner := c.Account(t, 0)
	server := ainft.NewMsgServer(c.AINFT)
	for want := uint64(1); want <= 2; want++ {
		msg := chaintest.Mint(owner)
		msg.Rules.Version = 77
		res, err := server.Mint(c.Ctx, msg)
		if err != nil || res.Id != want {
			t.Fatalf("mint %d: %v, %v", want, res, err)
		}
	}
	set := &ainftv1.MsgSetRules{Owner: owner.String(), NFTID: 2, Rules: chaintest.Rules()}
	set.Rules.Quorum = 5
	res, err := server.SetRules(c.Ctx, set)
	if err != nil || res.Version != 2 {
		t.Fatalf("set rules: %v, %v", res, err)
	}
	for _, test := range []struct {
		id, version uint64
		quorum      uint32
	}{{1, 1, chaintest.Rules().Quorum}, {2, 1, chaintest.Rules().Quorum}, {2, 2, 5}} {
		r, err := c.AINFT.Rules(c.Ctx, test.id, test.version)
		if err != nil || r.Quorum != test.quorum || r.Version != test.version {
			t.Errorf("rules %d of %d: %+v, %v", test.version, test.id, r, err)
		}
	}
	nft, err := c.AINFT.NFT(c.Ctx, 2)
	if err != nil || nft.RulesVersion != 2 || nft.Owner != owner.String() || nft.MintedHeight != 1 {
		t.Errorf("the NFT is %+v, %v", nft, err)
	}

	// Exactly the keys of ainftv1.
	var got ainftv1.NFT
	store := c.Store(ainft.ModuleName)
	if err := got.Unmarshal(store.Get(ainftv1.NFTKey(2))); err != nil || got.Id != 2 {
		t.Errorf("under NFTKey: %+v, %v", got, err)
	}
	var rules ainftv1.Rules
	if err := rules.Unmarshal(store.Get(ainftv1.RulesKey(2, 2))); err != nil || rules.Quorum != 5 {
		t.Errorf("under RulesKey: %+v, %v", rules, err)
	}
	if next := store.Get(ainftv1.NextIDKey()); len(next) != 8 || binary.BigEndian.Uint64(next) != 3 {
		t.Errorf("under NextIDKey: %x, want 3", next)
	}
	found := 0
	for it := store.Iterator(nil, nil); it.Valid(); it.Next() {
		found++
	}
	if found != 6 {
		t.Errorf("the store holds %d records, want next_id, 2 NFTs and 3 versions of rules", found)
	}
	back, err := chaintest.Import(t, c.Export(t))
	if err != nil || back.Export(t).AINFT.String() != c.Export(t).AINFT.String() {
		t.Errorf("import of the export: %v", err)
	}
}

func TestMintRefusals(t *testing.T) {
	c := chaintest.New(t)
	owner := c.Account(t, 0)
	server := ainft.NewMsgServer(c.AINFT)
	for name, test := range map[string]struct {
		change func(m *ainftv1.MsgMint)
		want   error
	}{
		"owner is no address": {func(m *ainftv1.MsgMint) { m.Owner = "x" }, nil},
		"no name":             {func(m *ainftv1.MsgMint) { m.Name = "" }, ainft.ErrText},
		"long name":           {func(m *ainftv1.MsgMint) { m.Name = strings.Repeat("a", ainft.MaxName+1) }, ainft.ErrText},
		"long description":    {func(m *ainftv1.MsgMint) { m.Description = strings.Repeat("a", ainft.MaxDescription+1) }, ainft.ErrText},
		"model of 31 bytes":   {func(m *ainftv1.MsgMint) { m.Model = m.Model[1:] }, ainft.ErrModel},
		"no purposes":         {func(m *ainftv1.MsgMint) { m.Rules.Purposes = nil }, ainft.ErrRules},
		"no rules":            {func(m *ainftv1.MsgMint) { m.Rules.Rules = nil }, ainft.ErrRules},
		"kind unspecified":    {func(m *ainftv1.MsgMint) { m.Rules.Rules[0].Kind = 0 }, ainft.ErrRules},
		"kind beyond 8 bits":  {func(m *ainftv1.MsgMint) { m.Rules.Rules[0].Kind = 257 }, ainft.ErrRules},
		"quorum of 0":         {func(m *ainftv1.MsgMint) { m.Rules.Quorum = 0 }, ainft.ErrRules},
		"split of 101 %":      {func(m *ainftv1.MsgMint) { m.Rules.Split.Owner += 100 }, ainft.ErrRules},
		"no deadline":         {func(m *ainftv1.MsgMint) { m.Rules.DeadlineBlocks = 0 }, ainft.ErrRules},
		"no price":            {func(m *ainftv1.MsgMint) { m.Rules.Price = sdk.Coin{} }, ainft.ErrRules},
		"price of 0":          {func(m *ainftv1.MsgMint) { m.Rules.Price = chaintest.Heart(0) }, ainft.ErrRules},
		"price in atom":       {func(m *ainftv1.MsgMint) { m.Rules.Price.Denom = "atom" }, ainft.ErrRules},
	} {
		msg := chaintest.Mint(owner)
		test.change(msg)
		if _, err := server.Mint(c.Ctx, msg); err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if gs := c.Export(t).AINFT; gs.NextId != 1 || len(gs.NFTs) != 0 {
		t.Errorf("a refused mint changed the state: %v", gs)
	}
}

func TestSetRulesRefusals(t *testing.T) {
	c := chaintest.New(t)
	owner, other := c.Account(t, 0), c.Account(t, 0)
	server := ainft.NewMsgServer(c.AINFT)
	if _, err := server.Mint(c.Ctx, chaintest.Mint(owner)); err != nil {
		t.Fatal(err)
	}
	bad := chaintest.Rules()
	bad.Quorum = 0
	for name, test := range map[string]struct {
		msg  *ainftv1.MsgSetRules
		want error
	}{
		"no such NFT":         {&ainftv1.MsgSetRules{Owner: owner.String(), NFTID: 2, Rules: chaintest.Rules()}, ainft.ErrUnknown},
		"not the owner":       {&ainftv1.MsgSetRules{Owner: other.String(), NFTID: 1, Rules: chaintest.Rules()}, ainft.ErrNotOwner},
		"owner is no address": {&ainftv1.MsgSetRules{Owner: "", NFTID: 1, Rules: chaintest.Rules()}, nil},
		"bad rules":           {&ainftv1.MsgSetRules{Owner: owner.String(), NFTID: 1, Rules: bad}, ainft.ErrRules},
	} {
		if _, err := server.SetRules(c.Ctx, test.msg); err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if _, err := c.AINFT.Rules(c.Ctx, 1, 2); !errors.Is(err, ainft.ErrUnknown) {
		t.Errorf("version 2 after refusals: %v", err)
	}
}

func TestGenesisRefusals(t *testing.T) {
	c := chaintest.New(t)
	owner := c.Account(t, 0)
	for range 2 {
		if _, err := ainft.NewMsgServer(c.AINFT).Mint(c.Ctx, chaintest.Mint(owner)); err != nil {
			t.Fatal(err)
		}
	}
	for name, change := range map[string]func(*ainftv1.GenesisState){
		"next_id of 0":       func(g *ainftv1.GenesisState) { g.NextId = 0 },
		"id at next_id":      func(g *ainftv1.GenesisState) { g.NextId = 2 },
		"order":              func(g *ainftv1.GenesisState) { g.NFTs[0], g.NFTs[1] = g.NFTs[1], g.NFTs[0] },
		"missing rules":      func(g *ainftv1.GenesisState) { g.Rules = g.Rules[:1] },
		"rules of nothing":   func(g *ainftv1.GenesisState) { g.NFTs = g.NFTs[:1] },
		"bad rules":          func(g *ainftv1.GenesisState) { g.Rules[0].Rules.Quorum = 0 },
		"no rules version":   func(g *ainftv1.GenesisState) { g.NFTs[0].RulesVersion = 0 },
		"owner is no one":    func(g *ainftv1.GenesisState) { g.NFTs[0].Owner = "x" },
		"model of one byte":  func(g *ainftv1.GenesisState) { g.NFTs[0].Model = []byte{1} },
		"rules out of order": func(g *ainftv1.GenesisState) { g.Rules[0], g.Rules[1] = g.Rules[1], g.Rules[0] },
	} {
		s := c.Export(t)
		change(s.AINFT)
		if _, err := chaintest.Import(t, s); !errors.Is(err, ainft.ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
