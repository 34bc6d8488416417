package light

import (
	"bytes"
	"crypto/sha256"
	"errors"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/crypto/merkle"
	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	"github.com/cometbft/cometbft/types"
)

// TxProof says that a block carries a transaction. It is worth nothing before [TxProof.Verify].
type TxProof struct {
	Height int64  `json:"height"`
	Tx     []byte `json:"tx"`
	// Path is tendermint.crypto.Proof in protobuf: from the hash of Tx to the header's data hash.
	Path []byte `json:"path"`
}

// Verify proves that block h carries the transaction with the wanted hash and returns its bytes.
func (p TxProof) Verify(h Header, want [32]byte) ([]byte, error) {
	if p.Height != h.Height {
		return nil, lie("height", nil, "the transaction's proof is for block %d, the header is of block %d", p.Height, h.Height)
	}
	if sha256.Sum256(p.Tx) != want {
		return nil, lie("transaction", nil, "asked for transaction %X, got one that hashes to %X", want, sha256.Sum256(p.Tx))
	}
	path, err := parsePath(p.Path)
	if err != nil {
		return nil, lie("transaction", err, "the proof of transaction %X cannot be read", want)
	}
	if err := path.Verify(h.DataHash, want[:]); err != nil {
		return nil, lie("transaction", err, "transaction %X is not under the data hash of block %d", want, h.Height)
	}
	return bytes.Clone(p.Tx), nil
}

func parsePath(b []byte) (*merkle.Proof, error) {
	if len(b) > maxProofPart {
		return nil, errors.New("the proof is too long")
	}
	pb := new(cmtcrypto.Proof)
	if err := pb.Unmarshal(b); err != nil {
		return nil, err
	}
	return merkle.ProofFromProto(pb)
}

// Inclusion is a transaction proven to be in a block, with the result that the chain agreed on.
type Inclusion struct {
	header Header
	index  uint32
	code   uint32
	data   []byte
	log    string
	tx     []byte
	proof  TxProof
}

// Height of the block that carries the transaction.
func (i *Inclusion) Height() int64 { return i.header.Height }

// Block is the header that carries the transaction.
func (i *Inclusion) Block() Header { return i.header }

// Index of the transaction in its block, from 0.
func (i *Inclusion) Index() uint32 { return i.index }

// Code is the ABCI result: 0 when the transaction took effect.
func (i *Inclusion) Code() uint32 { return i.code }

// Data is the ABCI result's data: cosmos.base.abci.v1beta1.TxMsgData of an SDK chain. Like the code
// it is under the next block's last results hash.
func (i *Inclusion) Data() []byte { return bytes.Clone(i.data) }

// Claim is what the node says about the result, in words. Nothing proves it: it is for people only.
func (i *Inclusion) Claim() string { return i.log }

// Tx returns the transaction's bytes.
func (i *Inclusion) Tx() []byte { return bytes.Clone(i.tx) }

// Proof exports the proof for a receipt file.
func (i *Inclusion) Proof() TxProof { return i.proof }

// include joins the proof of the bytes with the proof of the results. The results fix the number of
// transactions, without which a Merkle path does not fix an index.
func include(h, next Header, want [32]byte, p TxProof, results []*abci.ExecTxResult) (*Inclusion, error) {
	tx, err := p.Verify(h, want)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		if r == nil {
			return nil, lie("result", nil, "result %d of block %d is missing", i, h.Height)
		}
	}
	if got := types.NewResults(results).Hash(); !bytes.Equal(got, next.LastResultsHash) {
		return nil, lie("result", nil, "the results of block %d do not hash to the last results hash of block %d", h.Height, next.Height)
	}
	path, err := parsePath(p.Path)
	if err != nil {
		return nil, lie("transaction", err, "the proof of transaction %X cannot be read", want)
	}
	if path.Total != int64(len(results)) {
		return nil, lie("transaction", nil, "the proof counts %d transactions in block %d, which has %d results", path.Total, h.Height, len(results))
	}
	r := results[path.Index]
	return &Inclusion{header: h, index: uint32(path.Index), code: r.Code, data: r.Data, log: r.Log, tx: tx, proof: p}, nil
}
