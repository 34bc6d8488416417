package human_test

import (
	"bytes"
	"crypto/elliptic"
	"errors"
	"math/big"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/chain/chaintest"
	"github.com/vouchbox/vouch/validator/chain/human"
	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/poh"
)

func register(c *chaintest.Chain, msg *humanv1.MsgRegister) (addr sdk.AccAddress, err error) {
	err = c.Deliver(func(ctx sdk.Context) error {
		res, err := human.NewMsgServer(c.Human).Register(ctx, msg)
		if err != nil {
			return err
		}
		addr, err = sdk.AccAddressFromBech32(res.Address)
		return err
	})
	return addr, err
}

func TestRegister(t *testing.T) {
	c := chaintest.New(t)
	owner, key := c.Account(t, 1000), chaintest.NewVoteKey(t)
	addr, err := register(c, key.Registration(t, chaintest.ChainID, owner))
	if err != nil {
		t.Fatal(err)
	}
	account := c.Auth.GetAccount(c.Ctx, addr)
	if account == nil || account.GetPubKey() == nil || !bytes.Equal(account.GetPubKey().Bytes(), key.Public()) {
		t.Fatalf("the vote key's account is %v", account)
	}
	if got, want := c.ModuleBalance(human.ModuleName), chaintest.Heart(100).Amount; !got.Equal(want) {
		t.Errorf("the module holds %s, want %s", got, want)
	}
	if got, want := c.Balance(owner), chaintest.Heart(900).Amount; !got.Equal(want) {
		t.Errorf("the owner has %s, want %s", got, want)
	}
	h, err := c.Human.Human(c.Ctx, addr)
	if err != nil || h.Owner != owner.String() || h.Address != addr.String() || h.RegisteredHeight != 1 {
		t.Errorf("the record is %+v, %v", h, err)
	}
	if owns, err := c.Human.Owns(c.Ctx, owner); err != nil || !owns {
		t.Errorf("Owns(owner) = %v, %v", owns, err)
	}
	if owns, err := c.Human.Owns(c.Ctx, addr); err != nil || owns {
		t.Errorf("Owns(vote account) = %v, %v", owns, err)
	}
}

// An account that somebody sent money to before has no key yet; it must get one.
func TestRegisterAdoptsAccount(t *testing.T) {
	c := chaintest.New(t)
	owner, key := c.Account(t, 1000), chaintest.NewVoteKey(t)
	var addr sdk.AccAddress
	probe, _ := c.Ctx.CacheContext()
	res, err := human.NewMsgServer(c.Human).Register(probe, key.Registration(t, chaintest.ChainID, owner))
	if err != nil {
		t.Fatal(err)
	}
	if addr, err = sdk.AccAddressFromBech32(res.Address); err != nil {
		t.Fatal(err)
	}
	c.Auth.SetAccount(c.Ctx, c.Auth.NewAccountWithAddress(c.Ctx, addr))
	number := c.Auth.GetAccount(c.Ctx, addr).GetAccountNumber()
	if _, err := register(c, key.Registration(t, chaintest.ChainID, owner)); err != nil {
		t.Fatal(err)
	}
	if a := c.Auth.GetAccount(c.Ctx, addr); a.GetAccountNumber() != number || a.GetPubKey() == nil {
		t.Errorf("the account is %v, want number %d with a key", a, number)
	}
}

func TestRegisterRefusals(t *testing.T) {
	c := chaintest.New(t)
	owner, other := c.Account(t, 1000), c.Account(t, 1000)
	key := chaintest.NewVoteKey(t)
	taken := chaintest.NewVoteKey(t)
	if _, err := register(c, taken.Registration(t, chaintest.ChainID, owner)); err != nil {
		t.Fatal(err)
	}
	before := c.Export(t)
	for name, test := range map[string]struct {
		change func(m *humanv1.MsgRegister)
		want   error
	}{
		"owner is no address":           {func(m *humanv1.MsgRegister) { m.Owner = "human1" }, nil},
		"owner of another chain":        {func(m *humanv1.MsgRegister) { m.Owner = "cosmos1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnd9f0ta" }, nil},
		"key is empty":                  {func(m *humanv1.MsgRegister) { m.VoteKey = nil }, human.ErrVoteKey},
		"key is uncompressed":           {func(m *humanv1.MsgRegister) { m.VoteKey = append([]byte{4}, make([]byte, 64)...) }, human.ErrVoteKey},
		"key has no such prefix":        {func(m *humanv1.MsgRegister) { m.VoteKey[0] = 5 }, human.ErrVoteKey},
		"key is not on the curve":       {func(m *humanv1.MsgRegister) { m.VoteKey = offCurve() }, human.ErrVoteKey},
		"possession is missing":         {func(m *humanv1.MsgRegister) { m.Possession = nil }, human.ErrPossession},
		"possession is altered":         {func(m *humanv1.MsgRegister) { m.Possession[5] ^= 1 }, human.ErrPossession},
		"possession of another owner":   {func(m *humanv1.MsgRegister) { m.Owner = other.String() }, human.ErrPossession},
		"possession of another chain":   {func(m *humanv1.MsgRegister) { *m = *key.Registration(t, "vouch-1", owner) }, human.ErrPossession},
		"possession with a high s":      {func(m *humanv1.MsgRegister) { m.Possession = highS(m.Possession) }, human.ErrPossession},
		"bond is too small":             {func(m *humanv1.MsgRegister) { m.Bond.Amount = m.Bond.Amount.SubRaw(1) }, human.ErrBond},
		"bond in another denomination":  {func(m *humanv1.MsgRegister) { m.Bond.Denom = "atom" }, human.ErrBond},
		"bond is missing":               {func(m *humanv1.MsgRegister) { m.Bond = sdk.Coin{} }, human.ErrBond},
		"bond is more than owner has":   {func(m *humanv1.MsgRegister) { m.Bond = chaintest.Heart(901) }, nil},
		"key is registered already":     {func(m *humanv1.MsgRegister) { *m = *taken.Registration(t, chaintest.ChainID, owner) }, human.ErrRegistered},
		"key registered by other owner": {func(m *humanv1.MsgRegister) { *m = *taken.Registration(t, chaintest.ChainID, other) }, human.ErrRegistered},
	} {
		msg := key.Registration(t, chaintest.ChainID, owner)
		test.change(msg)
		_, err := register(c, msg)
		if err == nil || test.want != nil && !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	if after := c.Export(t); after.Human.String() != before.Human.String() || after.Bank.String() != before.Bank.String() {
		t.Error("a refused registration changed the state")
	}
	if _, err := register(c, key.Registration(t, chaintest.ChainID, owner)); err != nil {
		t.Errorf("the unchanged message: %v", err)
	}
}

// TestKeys: the store holds exactly the keys of humanv1, which proofs are made for.
func TestKeys(t *testing.T) {
	c := chaintest.New(t)
	owner := c.Account(t, 1000)
	addr, err := register(c, chaintest.NewVoteKey(t).Registration(t, chaintest.ChainID, owner))
	if err != nil {
		t.Fatal(err)
	}
	var h humanv1.Human
	if err := h.Unmarshal(c.Store(human.ModuleName).Get(humanv1.HumanKey(addr))); err != nil || h.Address != addr.String() {
		t.Errorf("under HumanKey: %+v, %v", h, err)
	}
	var p humanv1.Params
	if err := p.Unmarshal(c.Store(human.ModuleName).Get([]byte{humanv1.ParamsPrefix})); err != nil || p.MinBond.Denom != poh.Denom {
		t.Errorf("under ParamsPrefix: %+v, %v", p, err)
	}
	found := 0
	for it := c.Store(human.ModuleName).Iterator(nil, nil); it.Valid(); it.Next() {
		found++
	}
	if found != 3 {
		t.Errorf("the store holds %d records, want params, a human and its owner's index", found)
	}
}

func TestGenesisRefusals(t *testing.T) {
	c := chaintest.New(t)
	owner := c.Account(t, 1000)
	for range 2 {
		if _, err := register(c, chaintest.NewVoteKey(t).Registration(t, chaintest.ChainID, owner)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := chaintest.Import(t, c.Export(t)); err != nil {
		t.Fatalf("unchanged: %v", err)
	}
	for name, change := range map[string]func(*humanv1.GenesisState){
		"order":            func(g *humanv1.GenesisState) { g.Humans[0], g.Humans[1] = g.Humans[1], g.Humans[0] },
		"twice":            func(g *humanv1.GenesisState) { g.Humans[1] = g.Humans[0] },
		"foreign address":  func(g *humanv1.GenesisState) { g.Humans[0].Address = owner.String() },
		"no owner":         func(g *humanv1.GenesisState) { g.Humans[0].Owner = "" },
		"bad key":          func(g *humanv1.GenesisState) { g.Humans[0].VoteKey = offCurve() },
		"bond not in bank": func(g *humanv1.GenesisState) { g.Humans[0].Bond = chaintest.Heart(200) },
		"bond in atom":     func(g *humanv1.GenesisState) { g.Humans[0].Bond.Denom = "atom" },
		"missing human":    func(g *humanv1.GenesisState) { g.Humans = g.Humans[:1] },
		"no min bond":      func(g *humanv1.GenesisState) { g.Params.MinBond = sdk.Coin{} },
	} {
		s := c.Export(t)
		change(s.Human)
		if _, err := chaintest.Import(t, s); !errors.Is(err, human.ErrGenesis) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// offCurve is a compressed point whose x has no y on P-256.
func offCurve() []byte {
	for x := byte(0); ; x++ {
		b := append([]byte{2}, make([]byte, 32)...)
		b[32] = x
		if px, _ := elliptic.UnmarshalCompressed(elliptic.P256(), b); px == nil {
			return b
		}
	}
}

// highS is the other valid form of the same signature.
func highS(sig []byte) []byte {
	s := new(big.Int).Sub(elliptic.P256().Params().N, new(big.Int).SetBytes(sig[32:]))
	return append(bytes.Clone(sig[:32]), s.FillBytes(make([]byte, 32))...)
}
