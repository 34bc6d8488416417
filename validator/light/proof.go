package light

import (
	"bytes"
	"fmt"

	cmtcrypto "github.com/cometbft/cometbft/proto/tendermint/crypto"
	ics23 "github.com/cosmos/ics23/go"
)

// Bounds of what a proof may carry, in bytes.
const (
	MaxKey       = 4 << 10
	MaxValue     = 4 << 20
	maxProofPart = 1 << 20
)

// Types of the two steps that cosmos-sdk's store proves a key with (store/v2/types/proof.go).
const (
	opTree  = "ics23:iavl"
	opStore = "ics23:simple"
)

// Proof says what a key held after block Height, with the two ICS-23 proofs that lead from it to an
// app hash: from the key to the root of its store, from the store's name to the app hash. It is
// worth nothing before [Proof.Verify].
type Proof struct {
	Height int64  `json:"height"`
	Store  string `json:"store"`
	Key    []byte `json:"key"`
	// Value is empty when the key was absent.
	Value  []byte `json:"value,omitempty"`
	Absent bool   `json:"absent,omitempty"`
	// Tree and Root are ics23.CommitmentProof in protobuf.
	Tree []byte `json:"tree"`
	Root []byte `json:"root"`
}

// Value is what a key held, or that it held nothing, proven. Only [Proof.Verify] makes one.
type Value struct {
	proof  Proof
	header Header
}

// Bytes returns the proven value; nil when the key is proven absent.
func (v Value) Bytes() []byte { return bytes.Clone(v.proof.Value) }

// Absent reports that the key is proven to hold nothing.
func (v Value) Absent() bool { return v.proof.Absent }

// Height is the block after which the key held the value.
func (v Value) Height() int64 { return v.proof.Height }

// Block is the header that commits to the state: Height()+1.
func (v Value) Block() Header { return v.header }

// Proof exports the proof for a receipt file.
func (v Value) Proof() Proof { return v.proof }

// Verify proves what key of store held after block h.Height-1. The caller vouches for h alone: the
// names and heights inside the proof are compared with what is asked for here.
func (p Proof) Verify(h Header, store string, key []byte) (Value, error) {
	what := fmt.Sprintf("the value of %s/%X", store, key)
	switch {
	case p.Store != store:
		return Value{}, lie("store", nil, "asked for store %q, got a proof for %q", store, p.Store)
	case !bytes.Equal(p.Key, key):
		return Value{}, lie("key", nil, "asked for %s/%X, got a proof for the key %X", store, key, p.Key)
	case p.Height != h.Height-1:
		return Value{}, lie("height", nil, "%s is of height %d, the header of height %d commits to %d", what, p.Height, h.Height, h.Height-1)
	case p.Absent && len(p.Value) != 0:
		return Value{}, lie("value", nil, "%s is called absent and has %d bytes", what, len(p.Value))
	case !p.Absent && len(p.Value) == 0:
		return Value{}, lie("value", nil, "%s is empty and not called absent", what)
	case len(key) == 0 || len(key) > MaxKey || len(p.Value) > MaxValue:
		return Value{}, lie("value", nil, "%s is out of bounds", what)
	}
	tree, err := parseProof(p.Tree, p.Absent)
	if err != nil {
		return Value{}, lie("proof", err, "the proof of %s cannot be read", what)
	}
	root, err := tree.Calculate()
	if err != nil {
		return Value{}, lie("proof", err, "the proof of %s leads nowhere", what)
	}
	if p.Absent {
		if !ics23.VerifyNonMembership(ics23.IavlSpec, root, tree, key) {
			return Value{}, lie("absence", tree.GetNonexist().Verify(ics23.IavlSpec, root, key), "%s/%X is not proven absent", store, key)
		}
	} else if !ics23.VerifyMembership(ics23.IavlSpec, root, tree, key, p.Value) {
		return Value{}, lie("value", nil, "%s does not hash to its store's root", what)
	}
	top, err := parseProof(p.Root, false)
	if err != nil {
		return Value{}, lie("proof", err, "the proof of store %q cannot be read", store)
	}
	if !ics23.VerifyMembership(ics23.TendermintSpec, h.AppHash, top, []byte(store), root) {
		return Value{}, lie("value", nil, "%s does not hash to the app hash of block %d", what, h.Height)
	}
	p.Key, p.Value = bytes.Clone(p.Key), bytes.Clone(p.Value)
	return Value{proof: p, header: h}, nil
}

// parseProof admits single proofs only: batches and compressed ones say the same in more ways.
func parseProof(b []byte, absence bool) (*ics23.CommitmentProof, error) {
	if len(b) == 0 || len(b) > maxProofPart {
		return nil, fmt.Errorf("%d bytes of proof, want 1 to %d", len(b), maxProofPart)
	}
	p := new(ics23.CommitmentProof)
	if err := p.Unmarshal(b); err != nil {
		return nil, err
	}
	if exist := p.GetExist(); exist != nil && !absence {
		return p, checkProof(exist)
	}
	if n := p.GetNonexist(); n != nil && absence {
		for _, side := range []*ics23.ExistenceProof{n.Left, n.Right} {
			if side != nil {
				if err := checkProof(side); err != nil {
					return nil, err
				}
			}
		}
		return p, nil
	}
	return nil, fmt.Errorf("got a proof of kind %T", p.Proof)
}

// checkProof refuses holes that the hashing code would walk into.
func checkProof(p *ics23.ExistenceProof) error {
	if p.Leaf == nil {
		return fmt.Errorf("the proof has no leaf")
	}
	for i, step := range p.Path {
		if step == nil {
			return fmt.Errorf("step %d of the proof is empty", i)
		}
	}
	return nil
}

// proofOf takes the two steps apart that a node answers abci_query with.
func proofOf(ops *cmtcrypto.ProofOps, p Proof) (Proof, error) {
	if ops == nil || len(ops.Ops) != 2 || ops.Ops[0].Type != opTree || ops.Ops[1].Type != opStore {
		return Proof{}, lie("proof", nil, "the value of %s/%X comes without the two steps of a proof", p.Store, p.Key)
	}
	if !bytes.Equal(ops.Ops[0].Key, p.Key) {
		return Proof{}, lie("key", nil, "asked for %s/%X, the proof is for the key %X", p.Store, p.Key, ops.Ops[0].Key)
	}
	if string(ops.Ops[1].Key) != p.Store {
		return Proof{}, lie("store", nil, "asked for store %q, the proof is for %q", p.Store, ops.Ops[1].Key)
	}
	p.Tree, p.Root = ops.Ops[0].Data, ops.Ops[1].Data
	return p, nil
}
