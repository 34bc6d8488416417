package appliance

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/model"
	"github.com/vouchbox/vouch/validator/poh"
)

// maxPayload bounds a payload that travels by digest: what the local API carries.
const maxPayload = api.MaxPayload

var (
	errNoPayload    = errors.New("the payload is not on this box")
	errNotWanted    = errors.New("no request waits for this payload")
	errPayloadLarge = fmt.Errorf("a payload may have %d MiB at most", maxPayload>>20)
)

// payloads are kept by digest, beside the models, in a store that checks what it reads.
type payloads struct{ *model.Store }

func (p payloads) get(d poh.Digest) ([]byte, error) {
	b, err := p.ReadBlob(inference.Digest(d), maxPayload)
	if errors.Is(err, model.ErrNotFound) {
		return nil, errNoPayload
	}
	if err != nil {
		return nil, fmt.Errorf("read the payload %s: %w", d, err)
	}
	return b, nil
}

// put keeps a payload that somebody waits for; nothing else may fill the disk.
func (p payloads) put(r io.Reader, wanted func(poh.Digest) bool) (poh.Digest, uint64, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxPayload+1))
	if err != nil {
		return poh.Digest{}, 0, fmt.Errorf("receive the payload: %w", err)
	}
	if len(b) > maxPayload {
		return poh.Digest{}, 0, errPayloadLarge
	}
	d := poh.Sum(b)
	if !wanted(d) {
		return d, uint64(len(b)), errNotWanted
	}
	if err := p.Put(inference.Digest(d), int64(len(b)), bytes.NewReader(b)); err != nil {
		return poh.Digest{}, 0, fmt.Errorf("keep the payload: %w", err)
	}
	return d, uint64(len(b)), nil
}
