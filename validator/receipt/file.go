package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cometbft/cometbft/types"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"

	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/poh"
)

// Bounds of a file. MaxVotes is two full sides less one vote, and as many abstentions.
const (
	MaxFile   = 16 << 20 // bytes
	MaxVotes  = 3 * poh.MaxQuorum
	maxBlocks = 1_000
	maxLinks  = 5_000
)

// Period is how long a block's validators are trusted to vouch for the next: two thirds of an
// unbonding time of three weeks.
const Period = 14 * 24 * time.Hour

const format = "vouch/receipt/1"

// file is the JSON. Nothing in it is believed before its link.
type file struct {
	Format    string `json:"format"`
	ChainID   string `json:"chain_id"`
	RequestID uint64 `json:"request_id"`
	// Output is the model's answer, for people; the execution's record proves it.
	Output  string  `json:"output"`
	Trusted trusted `json:"trusted"`
	// Blocks are tendermint.types.LightBlock: the trusted one, then ascending.
	Blocks [][]byte `json:"blocks"`
	// Links are tendermint.types.Header, descending from the one before the trusted block.
	Links [][]byte `json:"links,omitempty"`
	// At is the height whose state is proven; the header after it commits to it.
	At      int64       `json:"at"`
	Request light.Proof `json:"request"`
	NFT     light.Proof `json:"nft"`
	Rules   light.Proof `json:"rules"`
	Params  light.Proof `json:"human_params"`
	Votes   []vote      `json:"votes"`
	Receipt light.Proof `json:"receipt"`
	// Payload is what the request was about, if the file carries it.
	Payload []byte `json:"payload,omitempty"`
}

type trusted struct {
	Height int64      `json:"height"`
	Hash   poh.Digest `json:"hash"`
}

type vote struct {
	Vote  light.Proof `json:"vote"`
	Human light.Proof `json:"human"`
	// Tx is the transaction that cast the vote. AccountNumber is part of what it signs.
	Tx            light.TxProof `json:"tx"`
	AccountNumber uint64        `json:"account_number"`
}

func encodeFile(f file) ([]byte, error) {
	raw, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write the receipt: %w", err)
	}
	return append(raw, '\n'), nil
}

// decodeFile demands the canonical form: the bytes that encodeFile writes.
func decodeFile(raw []byte) (file, error) {
	var f file
	if len(raw) > MaxFile {
		return f, fmt.Errorf("the file has %d bytes, at most %d are read", len(raw), MaxFile)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return f, fmt.Errorf("the file is no receipt: %w", err)
	}
	again, err := encodeFile(f)
	if err != nil {
		return f, err
	}
	switch {
	case !bytes.Equal(again, raw):
		return f, errors.New("the file is not in its canonical form")
	case f.Format != format:
		return f, fmt.Errorf("the file has the format %q, this program reads %q", f.Format, format)
	case len(f.Blocks) == 0 || len(f.Blocks) > maxBlocks || len(f.Links) > maxLinks:
		return f, fmt.Errorf("%d blocks and %d links, want 1 to %d and at most %d", len(f.Blocks), len(f.Links), maxBlocks, maxLinks)
	case len(f.Votes) == 0 || len(f.Votes) > MaxVotes:
		return f, fmt.Errorf("%d votes, want 1 to %d", len(f.Votes), MaxVotes)
	case f.At <= 0 || f.RequestID == 0 || f.ChainID == "":
		return f, errors.New("the chain, the request or the height is missing")
	}
	return f, nil
}

// decodeBlock reads a light block that is well-formed and of the chain, so that its methods are safe
// to call.
func decodeBlock(raw []byte, chainID string) (*types.LightBlock, error) {
	pb := new(cmtproto.LightBlock)
	if err := pb.Unmarshal(raw); err != nil {
		return nil, err
	}
	lb, err := types.LightBlockFromProto(pb)
	if err != nil {
		return nil, err
	}
	return lb, lb.ValidateBasic(chainID)
}

func encodeBlock(lb *types.LightBlock) ([]byte, error) {
	pb, err := lb.ToProto()
	if err != nil {
		return nil, err
	}
	return pb.Marshal()
}

func decodeHeader(raw []byte) (*types.Header, error) {
	pb := new(cmtproto.Header)
	if err := pb.Unmarshal(raw); err != nil {
		return nil, err
	}
	h, err := types.HeaderFromProto(pb)
	if err != nil {
		return nil, err
	}
	return &h, h.ValidateBasic()
}
