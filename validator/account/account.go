// Package account acts on the chain for one account: it finds the account's number and balance by
// proof, prices and signs transactions, and waits for their proven inclusion. The box uses it with
// its TPM key, the command line with a key file. Votes do not come from here: validator/prover
// makes them.
package account

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	sdkmath "cosmossdk.io/math"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// ErrRefused means that the chain carried the transaction and refused it; the text has its code.
var ErrRefused = errors.New("the chain refused the transaction")

// Chain proves values and inclusions and takes transactions. *light.Client is one.
type Chain interface {
	Latest(ctx context.Context) (light.Header, error)
	Read(ctx context.Context, store string, key []byte) (light.Value, error)
	ReadAt(ctx context.Context, height int64, store string, key []byte) (light.Value, error)
	Broadcast(ctx context.Context, tx []byte) error
	Inclusion(ctx context.Context, hash [32]byte) (*light.Inclusion, error)
}

// Account is one key's account.
type Account struct {
	chain  Chain
	id     string
	key    tx.PublicKey
	signer tx.Signer
	now    func() time.Time
}

// New returns the account of a signer, whose key is of that curve, on the chain of that id.
func New(c Chain, chainID string, curve tx.Curve, s tx.Signer, now func() time.Time) *Account {
	return &Account{chain: c, id: chainID, key: tx.PublicKey{Curve: curve, Point: s.Compressed()}, signer: s, now: now}
}

// Address is the account's bytes.
func (a *Account) Address() tx.Address { return a.key.Address() }

// String is the account's bech32 address.
func (a *Account) String() string { return a.Address().String() }

// Balance is the account's holding, in aheart, proved.
func (a *Account) Balance(ctx context.Context) (sdkmath.Int, error) {
	return BalanceOf(ctx, a.chain, a.Address())
}

// BalanceOf is an account's holding, in aheart, proved. An account that nobody sent anything to has
// none; this is asked first, because x/bank keeps empty values beside its balances, and ICS-23 cannot
// prove an absence next to one.
func BalanceOf(ctx context.Context, r tx.Reader, address tx.Address) (sdkmath.Int, error) {
	_, err := tx.AccountNumber(ctx, r, address)
	if errors.Is(err, tx.ErrNoAccount) {
		return sdkmath.ZeroInt(), nil
	}
	if err != nil {
		return sdkmath.Int{}, err
	}
	return tx.Balance(ctx, r, address, poh.Denom)
}

// Gas that the transactions may use: what they were measured to use, with room. An inline payload
// costs by the byte.
const (
	gasTransfer   = 150_000
	gasRegister   = 400_000
	gasMint       = 400_000
	gasSubmit     = 400_000
	gasPerPayload = 60 // for each byte of an inline payload
	gasReceipt    = 400_000
	// GasVote is for a vote, whose fee is granted by the box's account.
	GasVote = 300_000
)

// Fee prices gas at the network's floor.
func Fee(gas uint64) sdk.Coins {
	return sdk.NewCoins(sdk.NewCoin(poh.Denom, sdkmath.NewIntFromUint64(gas).MulRaw(poh.MinGasPrice)))
}

// txLife is how long an unordered transaction may wait for a block; the chain remembers it as long.
const txLife = 2 * time.Minute

// poll is how often a transaction on its way is looked for.
const poll = 300 * time.Millisecond

// Send signs msgs in one transaction and proves its inclusion.
func (a *Account) Send(ctx context.Context, gas uint64, msgs ...tx.Message) (*light.Inclusion, error) {
	number, err := tx.AccountNumber(ctx, a.chain, a.Address())
	if err != nil {
		return nil, fmt.Errorf("find the account %s: %w", a, err)
	}
	unsigned, err := tx.Build(a.id, number, a.key, msgs, tx.Options{Gas: gas, Fee: Fee(gas), Timeout: a.now().Add(txLife)})
	if err != nil {
		return nil, fmt.Errorf("build the transaction: %w", err)
	}
	signed, err := unsigned.Sign(ctx, a.signer)
	if err != nil {
		return nil, fmt.Errorf("sign the transaction: %w", err)
	}
	in, err := tx.Send(ctx, a.chain, signed, poll)
	if err != nil {
		return nil, fmt.Errorf("send the transaction: %w", err)
	}
	if in.Code() != 0 {
		return nil, fmt.Errorf("%w: code %d in block %d; the node says: %s", ErrRefused, in.Code(), in.Height(), in.Claim())
	}
	return in, nil
}

// ParseHeart reads an amount as people write it, "12.5 HEART" or "12.5", or as the chain does,
// "12500000000000000000aheart".
func ParseHeart(text string) (sdk.Coin, error) {
	if !strings.HasSuffix(text, poh.Denom) {
		coin, err := poh.ParseHeart(text)
		if err != nil {
			return sdk.Coin{}, err
		}
		text = coin
	}
	return sdk.ParseCoinNormalized(text)
}
