package tx

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	sdktx "github.com/cosmos/cosmos-sdk/types/tx"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	"github.com/cosmos/gogoproto/proto"
	gogoany "github.com/cosmos/gogoproto/types/any"
	"google.golang.org/protobuf/encoding/protowire"
)

// Parsed is a transaction of the form that [Build] makes, taken apart. Its signature is unproven
// until [Parsed.Verify].
type Parsed struct {
	Signer  PublicKey
	Timeout time.Time
	Memo    string
	Gas     uint64
	Granter string

	msgs      []*gogoany.Any
	signature [64]byte
	body      []byte
	auth      []byte
}

// ParseSigned reads a transaction strictly: one signer, SIGN_MODE_DIRECT, unordered, no extension,
// no unknown field, and no second way to write the same bytes.
func ParseSigned(raw []byte) (*Parsed, error) {
	if len(raw) == 0 || len(raw) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, want 1 to %d", ErrMalformed, len(raw), MaxSize)
	}
	var outer sdktx.TxRaw
	if err := decode(raw, &outer); err != nil {
		return nil, err
	}
	var body sdktx.TxBody
	if err := decode(outer.BodyBytes, &body); err != nil {
		return nil, err
	}
	var auth sdktx.AuthInfo
	if err := decode(outer.AuthInfoBytes, &auth); err != nil {
		return nil, err
	}
	switch {
	case len(outer.Signatures) != 1 || len(outer.Signatures[0]) != 64 || len(auth.SignerInfos) != 1:
		return nil, fmt.Errorf("%w: want one signature of 64 bytes by one signer", ErrMalformed)
	case !body.Unordered || body.TimeoutTimestamp == nil || body.TimeoutHeight != 0:
		return nil, fmt.Errorf("%w: want an unordered transaction with a timeout", ErrMalformed)
	case len(body.ExtensionOptions) != 0 || len(body.NonCriticalExtensionOptions) != 0:
		return nil, fmt.Errorf("%w: extensions are not used", ErrMalformed)
	case len(body.Messages) == 0:
		return nil, fmt.Errorf("%w: there is no message", ErrMalformed)
	case auth.Fee == nil || auth.Fee.Payer != "":
		return nil, fmt.Errorf("%w: want a fee that the signer or a granter pays", ErrMalformed)
	}
	info := auth.SignerInfos[0]
	if mode := info.ModeInfo.GetSingle(); mode == nil || mode.Mode != signing.SignMode_SIGN_MODE_DIRECT || info.Sequence != 0 {
		return nil, fmt.Errorf("%w: want SIGN_MODE_DIRECT with sequence 0", ErrMalformed)
	}
	key, err := unpackKey(info.PublicKey)
	if err != nil {
		return nil, err
	}
	for i, m := range body.Messages {
		if m == nil || m.TypeUrl == "" {
			return nil, fmt.Errorf("%w: message %d has no type", ErrMalformed, i)
		}
	}
	return &Parsed{
		Signer: key, Timeout: *body.TimeoutTimestamp, Memo: body.Memo, Gas: auth.Fee.GasLimit, Granter: auth.Fee.Granter,
		msgs: body.Messages, signature: [64]byte(outer.Signatures[0]), body: outer.BodyBytes, auth: outer.AuthInfoBytes,
	}, nil
}

// decode unmarshals and demands that the bytes are what the value marshals to: unknown fields,
// repeated fields and padded numbers all fail that.
func decode(raw []byte, into Message) error {
	if err := into.Unmarshal(raw); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMalformed, proto.MessageName(into), err)
	}
	again, err := into.Marshal()
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMalformed, proto.MessageName(into), err)
	}
	if !bytes.Equal(raw, again) {
		return fmt.Errorf("%w: %s is not in its canonical form", ErrMalformed, proto.MessageName(into))
	}
	return nil
}

func unpackKey(a *gogoany.Any) (PublicKey, error) {
	for _, c := range []Curve{P256, Secp256k1} {
		if a == nil || a.TypeUrl != c.typeURL() {
			continue
		}
		num, typ, n := protowire.ConsumeTag(a.Value)
		if n < 0 || num != 1 || typ != protowire.BytesType {
			break
		}
		b, m := protowire.ConsumeBytes(a.Value[n:])
		if m < 0 || len(b) != 33 {
			break
		}
		k := PublicKey{Curve: c, Point: [33]byte(b)}
		if !bytes.Equal(packKey(k).Value, a.Value) {
			break
		}
		return k, nil
	}
	return PublicKey{}, fmt.Errorf("%w: the signer's key is neither P-256 nor secp256k1", ErrMalformed)
}

// SignBytes is the document that the signature must be over, on this chain, for this account.
func (p *Parsed) SignBytes(chainID string, accountNumber uint64) ([]byte, error) {
	u, err := newUnsigned(chainID, accountNumber, p.Signer, p.body, p.auth)
	if err != nil {
		return nil, err
	}
	return u.signBytes, nil
}

// Verify checks the signature.
func (p *Parsed) Verify(chainID string, accountNumber uint64) error {
	doc, err := p.SignBytes(chainID, accountNumber)
	if err != nil {
		return err
	}
	return p.Signer.Verify(sha256.Sum256(doc), p.signature)
}

// Types lists the type URLs of the messages.
func (p *Parsed) Types() []string {
	var urls []string
	for _, m := range p.msgs {
		urls = append(urls, m.TypeUrl)
	}
	return urls
}

// Only reads the single message of a transaction into a value of its type.
func (p *Parsed) Only(into Message) error {
	if len(p.msgs) != 1 {
		return fmt.Errorf("%w: want one message, got %d", ErrMalformed, len(p.msgs))
	}
	if want := "/" + proto.MessageName(into); p.msgs[0].TypeUrl != want {
		return fmt.Errorf("%w: want a %s, got a %s", ErrMalformed, want, p.msgs[0].TypeUrl)
	}
	return decode(p.msgs[0].Value, into)
}
