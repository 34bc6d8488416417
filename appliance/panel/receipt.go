package panel

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/vouchbox/vouch/appliance/api"
)

// receiptBody is what came of a request, and how anybody checks it.
type receiptBody struct {
	api.Review
	Chain  api.Chain
	Output output
	File   string // name of the receipt file
}

func (p *Panel) receipt(w http.ResponseWriter, r *http.Request) error {
	id, err := requestID(r)
	if err != nil {
		return err
	}
	v, err := p.box.Review(r.Context(), id)
	if err != nil {
		return err
	}
	if v.Outcome == nil {
		return api.Errorf(api.CodeConflict, "Request %d has no receipt yet: it must be approved and executed first.", id)
	}
	s, err := p.box.Status(r.Context())
	if err != nil {
		return err
	}
	return p.show(w, r, http.StatusOK, "receipt", page{
		Title: "Receipt", Section: "queue",
		Body: receiptBody{Review: v, Chain: s.Chain, Output: readOutput(v.Outcome.Output), File: receiptName(id)},
	})
}

func receiptName(id uint64) string { return fmt.Sprintf("vouch-receipt-%d.json", id) }

func (p *Panel) receiptFile(w http.ResponseWriter, r *http.Request) error {
	id, err := requestID(r)
	if err != nil {
		return err
	}
	b, err := p.box.Receipt(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="`+receiptName(id)+`"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b) // the browser is gone: nobody is left to tell
	return nil
}
