package light

import (
	"bytes"
	"time"

	"github.com/cometbft/cometbft/types"

	"github.com/vouchbox/vouch/validator/poh"
)

// Header is the part of a verified block header that proofs hang on.
type Header struct {
	poh.Block
	ChainID string
	Time    time.Time
	// AppHash commits to the state after block Height-1.
	AppHash []byte
	// DataHash commits to this block's transactions.
	DataHash []byte
	// LastResultsHash commits to the results of block Height-1.
	LastResultsHash []byte
}

// HeaderOf copies what proofs need. The caller says by calling it that h was verified.
func HeaderOf(h *types.Header) Header {
	return Header{
		Block:           poh.Block{Height: h.Height, Hash: poh.Digest(h.Hash())},
		ChainID:         h.ChainID,
		Time:            h.Time,
		AppHash:         bytes.Clone(h.AppHash),
		DataHash:        bytes.Clone(h.DataHash),
		LastResultsHash: bytes.Clone(h.LastResultsHash),
	}
}
