package tx

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdktx "github.com/cosmos/cosmos-sdk/types/tx"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	"github.com/cosmos/gogoproto/proto"
	gogoany "github.com/cosmos/gogoproto/types/any"
	"google.golang.org/protobuf/encoding/protowire"
)

// Limits of a transaction. MaxTimeout is how far cosmos-sdk lets an unordered one reach ahead of
// the block's time (x/auth/ante DefaultMaxTimeoutDuration).
const (
	MaxSize    = 512 << 10 // bytes
	MaxMemo    = 256       // bytes
	MaxTimeout = 10 * time.Minute
)

// Options of a transaction.
type Options struct {
	Gas     uint64
	Fee     sdk.Coins
	Granter Address // pays the fee by feegrant; empty: the signer pays
	// Timeout is the block time after which the chain must not take the transaction. Together with
	// the signer it is also the transaction's nonce, so keep its nanoseconds.
	Timeout time.Time
	Memo    string
}

// Message is a protobuf message of a module, such as requestv1.MsgVote.
type Message interface {
	proto.Message
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

// Unsigned is a transaction whose bytes are fixed and that nobody signed.
type Unsigned struct {
	chainID   string
	account   uint64
	key       PublicKey
	body      []byte
	auth      []byte
	signBytes []byte
}

// Build fixes the bytes of a transaction by one signer.
func Build(chainID string, accountNumber uint64, key PublicKey, msgs []Message, opts Options) (*Unsigned, error) {
	switch {
	case chainID == "":
		return nil, fmt.Errorf("%w: the chain id is missing", ErrOptions)
	case len(key.Address()) == 0:
		return nil, fmt.Errorf("%w: the signer's key has no curve", ErrOptions)
	case len(msgs) == 0:
		return nil, fmt.Errorf("%w: there is no message", ErrOptions)
	case opts.Gas == 0:
		return nil, fmt.Errorf("%w: the gas limit is missing", ErrOptions)
	case opts.Timeout.Unix() <= 0:
		return nil, fmt.Errorf("%w: the timeout is missing", ErrOptions)
	case len(opts.Memo) > MaxMemo:
		return nil, fmt.Errorf("%w: the memo has %d bytes, at most %d fit", ErrOptions, len(opts.Memo), MaxMemo)
	}
	timeout := opts.Timeout.UTC()
	body := &sdktx.TxBody{Memo: opts.Memo, Unordered: true, TimeoutTimestamp: &timeout}
	for _, m := range msgs {
		raw, err := m.Marshal()
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrOptions, proto.MessageName(m), err)
		}
		body.Messages = append(body.Messages, &gogoany.Any{TypeUrl: "/" + proto.MessageName(m), Value: raw})
	}
	bodyBytes, err := body.Marshal()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	auth := &sdktx.AuthInfo{
		SignerInfos: []*sdktx.SignerInfo{{
			PublicKey: packKey(key),
			ModeInfo:  &sdktx.ModeInfo{Sum: &sdktx.ModeInfo_Single_{Single: &sdktx.ModeInfo_Single{Mode: signing.SignMode_SIGN_MODE_DIRECT}}},
		}},
		Fee: &sdktx.Fee{Amount: opts.Fee, GasLimit: opts.Gas, Granter: opts.Granter.String()},
	}
	authBytes, err := auth.Marshal()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	return newUnsigned(chainID, accountNumber, key, bodyBytes, authBytes)
}

func newUnsigned(chainID string, account uint64, key PublicKey, body, auth []byte) (*Unsigned, error) {
	doc := sdktx.SignDoc{BodyBytes: body, AuthInfoBytes: auth, ChainId: chainID, AccountNumber: account}
	raw, err := doc.Marshal()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return &Unsigned{chainID: chainID, account: account, key: key, body: body, auth: auth, signBytes: raw}, nil
}

// packKey encodes cosmos.crypto.*.PubKey{key = 1}.
func packKey(k PublicKey) *gogoany.Any {
	raw := protowire.AppendTag(nil, 1, protowire.BytesType)
	return &gogoany.Any{TypeUrl: k.Curve.typeURL(), Value: protowire.AppendBytes(raw, k.Point[:])}
}

// SignBytes is cosmos.tx.v1beta1.SignDoc in protobuf: what the signature is over.
func (u *Unsigned) SignBytes() []byte { return u.signBytes }

// Digest is SHA-256 of SignBytes.
func (u *Unsigned) Digest() [32]byte { return sha256.Sum256(u.signBytes) }

// Signed is a transaction as it travels. Hash is SHA-256 of Raw: the transaction's name.
type Signed struct {
	Raw  []byte
	Hash [32]byte
}

// Sign asks the signer once and checks its answer.
func (u *Unsigned) Sign(ctx context.Context, s Signer) (Signed, error) {
	sig, err := sign(ctx, s, u.key, u.Digest())
	if err != nil {
		return Signed{}, err
	}
	raw, err := (&sdktx.TxRaw{BodyBytes: u.body, AuthInfoBytes: u.auth, Signatures: [][]byte{sig[:]}}).Marshal()
	if err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(raw) > MaxSize {
		return Signed{}, fmt.Errorf("%w: the transaction has %d bytes, at most %d fit in a block", ErrOptions, len(raw), MaxSize)
	}
	return Signed{Raw: raw, Hash: sha256.Sum256(raw)}, nil
}
