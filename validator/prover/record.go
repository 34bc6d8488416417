package prover

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// State of a vote; the package comment draws how it moves.
type State string

const (
	Intended  State = "intent"
	Committed State = "committed"
	Signed    State = "signed"
	Included  State = "included"
	Rejected  State = "rejected"
	Expired   State = "expired"
	Conflict  State = "conflict"
)

// Final reports that nothing more happens to the record by itself.
func (s State) Final() bool {
	return s == Included || s == Rejected || s == Expired || s == Conflict
}

// Record is all that the box knows of one human's vote on one request.
type Record struct {
	State     State        `json:"state"`
	Attempt   uint64       `json:"attempt"` // counts the intents of this request
	Shown     poh.Shown    `json:"shown"`
	Decision  poh.Decision `json:"decision"`
	Human     string       `json:"human"` // bech32
	Anchor    poh.Block    `json:"anchor"`
	Challenge poh.Digest   `json:"challenge"`
	Begun     time.Time    `json:"begun"`
	Account   uint64       `json:"account_number"`
	Granter   string       `json:"granter,omitempty"` // bech32, pays the fee

	// Document is the SignDoc, from Committed on. Timeout is in it: the chain's time.
	Document []byte    `json:"document,omitempty"`
	Timeout  time.Time `json:"timeout,omitzero"`
	// Tx is the signed transaction, from Signed on; Hash is its SHA-256.
	Tx   []byte     `json:"tx,omitempty"`
	Hash poh.Digest `json:"hash,omitzero"`
	// Height is the block that proved the final state. Code is the result of a Rejected one.
	Height int64  `json:"height,omitempty"`
	Code   uint32 `json:"code,omitempty"`
}

// Store keeps records over power cuts: appliance/state satisfies it. Update replaces the value of a
// key by what f makes of it (nil: there is none) as one step that is on disk when Update returns;
// if f fails nothing changes. Get returns nil for a key without value.
type Store interface {
	Update(ctx context.Context, key string, f func(cur []byte) (next []byte, err error)) error
	Get(ctx context.Context, key string) ([]byte, error)
}

// indexKey lists the keys of one human's records that are not final.
func indexKey(human string) string { return "vote-open/" + human }

func recordKey(request uint64, human string) string {
	return "vote/" + strconv.FormatUint(request, 10) + "/" + human
}

func decodeRecord(raw []byte) (Record, error) {
	var r Record
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	switch r.State {
	case Intended, Committed, Signed, Included, Rejected, Expired, Conflict:
		return r, nil
	}
	return Record{}, fmt.Errorf("%w: unknown state %q", ErrRecord, r.State)
}

func encodeRecord(r Record) ([]byte, error) {
	raw, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return raw, nil
}

// load returns the record of a request with its bytes, which name its exact version; nil for none.
func (p *Prover) load(ctx context.Context, key string) (*Record, []byte, error) {
	raw, err := p.store.Get(ctx, key)
	if err != nil {
		return nil, nil, fmt.Errorf("read the record of the vote: %w", err)
	}
	if raw == nil {
		return nil, nil, nil
	}
	r, err := decodeRecord(raw)
	if err != nil {
		return nil, nil, err
	}
	return &r, raw, nil
}

// move replaces exactly the version that was read, or fails with ErrUsed.
func (p *Prover) move(ctx context.Context, key string, from []byte, to Record) error {
	next, err := encodeRecord(to)
	if err != nil {
		return err
	}
	return p.store.Update(ctx, key, func(cur []byte) ([]byte, error) {
		if !bytes.Equal(cur, from) {
			return nil, ErrUsed
		}
		return next, nil
	})
}

func (p *Prover) open(ctx context.Context) ([]string, error) {
	raw, err := p.store.Get(ctx, indexKey(p.Human().String()))
	if err != nil {
		return nil, fmt.Errorf("read the list of open votes: %w", err)
	}
	return decodeIndex(raw)
}

func decodeIndex(raw []byte) ([]string, error) {
	if raw == nil {
		return nil, nil
	}
	var keys []string
	if err := json.Unmarshal(raw, &keys); err != nil {
		return nil, fmt.Errorf("%w: the list of open votes: %w", ErrRecord, err)
	}
	return keys, nil
}

// list adds a key to the open ones or takes it off.
func (p *Prover) list(ctx context.Context, key string, open bool) error {
	return p.store.Update(ctx, indexKey(p.Human().String()), func(cur []byte) ([]byte, error) {
		keys, err := decodeIndex(cur)
		if err != nil {
			return nil, err
		}
		keys = slices.DeleteFunc(keys, func(k string) bool { return k == key })
		if open {
			keys = append(keys, key)
		}
		return json.Marshal(keys)
	})
}

// signed is the record's transaction as it travels.
func (r Record) signed() tx.Signed { return tx.Signed{Raw: r.Tx, Hash: r.Hash} }
