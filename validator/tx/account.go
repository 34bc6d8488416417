package tx

import (
	"context"
	"fmt"

	"cosmossdk.io/math"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vouchbox/vouch/validator/light"
)

// Stores and key prefixes of cosmos-sdk v0.55 (x/auth/types/keys.go, x/bank/types/keys.go).
const (
	authStore     = "acc"
	accountPrefix = 0x01
	bankStore     = "bank"
	balancePrefix = 0x02
	baseAccount   = "/cosmos.auth.v1beta1.BaseAccount"
)

// Reader proves what a key of a store holds: *light.Client, with its errors.
type Reader interface {
	Read(ctx context.Context, store string, key []byte) (light.Value, error)
}

// AccountKey is where x/auth keeps an account.
func AccountKey(a Address) []byte { return append([]byte{accountPrefix}, a...) }

// BalanceKey is where x/bank keeps an account's balance of one denomination. The address is
// length-prefixed because another part of the key follows.
func BalanceKey(a Address, denom string) []byte {
	k := append([]byte{balancePrefix, byte(len(a))}, a...)
	return append(k, denom...)
}

// AccountNumber reads the number that signatures of an account are bound to.
func AccountNumber(ctx context.Context, r Reader, a Address) (uint64, error) {
	v, err := r.Read(ctx, authStore, AccountKey(a))
	if err != nil {
		return 0, fmt.Errorf("read account %s: %w", a, err)
	}
	if v.Absent() {
		return 0, fmt.Errorf("%w: %s", ErrNoAccount, a)
	}
	addr, number, err := parseAccount(v.Bytes())
	if err != nil {
		return 0, fmt.Errorf("account %s: %w", a, err)
	}
	if addr != a.String() {
		return 0, fmt.Errorf("%w: the account at %s is of %s", ErrMalformed, a, addr)
	}
	return number, nil
}

// parseAccount reads google.protobuf.Any of cosmos.auth.v1beta1.BaseAccount{address = 1,
// account_number = 3}. Linking x/auth for two fields would double the binary's packages.
func parseAccount(raw []byte) (address string, number uint64, err error) {
	var url string
	var inner []byte
	err = eachField(raw, func(num protowire.Number, b []byte, _ uint64) {
		switch num {
		case 1:
			url = string(b)
		case 2:
			inner = b
		}
	})
	if err != nil {
		return "", 0, err
	}
	if url != baseAccount {
		return "", 0, fmt.Errorf("%w: want a %s, got a %q, which this program does not sign for", ErrMalformed, baseAccount, url)
	}
	err = eachField(inner, func(num protowire.Number, b []byte, v uint64) {
		switch num {
		case 1:
			address = string(b)
		case 3:
			number = v
		}
	})
	return address, number, err
}

func eachField(b []byte, f func(num protowire.Number, b []byte, v uint64)) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		b = b[n:]
		switch typ {
		case protowire.BytesType:
			var v []byte
			if v, n = protowire.ConsumeBytes(b); n >= 0 {
				f(num, v, 0)
			}
		case protowire.VarintType:
			var v uint64
			if v, n = protowire.ConsumeVarint(b); n >= 0 {
				f(num, nil, v)
			}
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrMalformed, protowire.ParseError(n))
		}
		b = b[n:]
	}
	return nil
}

// Balance reads how much of a denomination an account holds; none is zero.
func Balance(ctx context.Context, r Reader, a Address, denom string) (math.Int, error) {
	v, err := r.Read(ctx, bankStore, BalanceKey(a, denom))
	if err != nil {
		return math.Int{}, fmt.Errorf("read the balance of %s: %w", a, err)
	}
	if v.Absent() {
		return math.ZeroInt(), nil
	}
	var amount math.Int
	if err := amount.Unmarshal(v.Bytes()); err != nil {
		return math.Int{}, fmt.Errorf("%w: the balance of %s: %w", ErrMalformed, a, err)
	}
	if amount.IsNegative() {
		return math.Int{}, fmt.Errorf("%w: the balance of %s is %s", ErrMalformed, a, amount)
	}
	return amount, nil
}
