package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

const (
	answerTime  = 20 * time.Second // arming the sensor included
	forgetTime  = 30 * time.Second // settling what is signed included
	payloadTime = 60 * time.Second
	defaultRows = 50

	digestHeader = "Vouch-Payload-Digest"
)

// NewHandler serves box under /v1. It authenticates nobody: see [Serve].
func NewHandler(box Box) http.Handler { return newHandler(box, keepAlive) }

func newHandler(box Box, keepAlive time.Duration) http.Handler {
	h := &handler{box: box, keepAlive: keepAlive}
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /v1/status":                h.status,
		"GET /v1/requests":              h.requests,
		"GET /v1/requests/{id}":         h.review,
		"GET /v1/requests/{id}/payload": h.payload,
		"GET /v1/requests/{id}/receipt": h.receipt,
		"POST /v1/requests/{id}/answer": h.answer,
		"POST /v1/payloads":             h.putPayload,
		"GET /v1/ceremony":              h.ceremony,
		"DELETE /v1/ceremony":           h.cancel,
		"GET /v1/enrolment":             h.enrolment,
		"POST /v1/enrolment":            h.enrol,
		"DELETE /v1/enrolment":          h.cancelEnrolment,
		"DELETE /v1/humans/{person}":    h.forget,
		"GET /v1/audit":                 h.audit,
		"GET " + eventsPath:             h.events,
		"/":                             h.unknown,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := f(w, r); err != nil {
				writeError(w, err)
			}
		})
	}
	return mux
}

type handler struct {
	box       Box
	keepAlive time.Duration
}

func (h *handler) unknown(_ http.ResponseWriter, r *http.Request) error {
	return Errorf(CodeNotFound, "vouchd has no %s %s", r.Method, clip(r.URL.Path))
}

func (h *handler) status(w http.ResponseWriter, r *http.Request) error {
	return reply(w)(h.box.Status(r.Context()))
}

func (h *handler) requests(w http.ResponseWriter, r *http.Request) error {
	limit, err := parseCount("limit", r.FormValue("limit"), defaultRows, MaxLimit)
	if err != nil {
		return err
	}
	return reply(w)(h.box.Requests(r.Context(), int(limit)))
}

func (h *handler) review(w http.ResponseWriter, r *http.Request) error {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return err
	}
	return reply(w)(h.box.Review(r.Context(), id))
}

func (h *handler) payload(w http.ResponseWriter, r *http.Request) error {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return err
	}
	body, p, err := h.box.Payload(r.Context(), id)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(payloadTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	w.Header().Set("Content-Type", p.MediaType)
	w.Header().Set("Content-Length", strconv.FormatUint(p.Size, 10))
	w.Header().Set(digestHeader, p.Digest)
	// A broken body cannot become an error any more: the length that was promised tells the client.
	_, _ = io.Copy(w, body)
	return nil
}

func (h *handler) putPayload(w http.ResponseWriter, r *http.Request) error {
	if err := wantType(r, "application/octet-stream"); err != nil {
		return err
	}
	p, err := h.box.PutPayload(r.Context(), http.MaxBytesReader(w, r.Body, MaxPayload))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return Errorf(CodeTooLarge, "the payload has more than %d bytes", MaxPayload)
	}
	return reply(w)(p, err)
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request) error {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return err
	}
	a, err := body[Answer](r)
	if err != nil {
		return err
	}
	if err := a.Validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	defer cancel()
	return reply(w)(h.box.Answer(ctx, id, a))
}

func (h *handler) ceremony(w http.ResponseWriter, r *http.Request) error {
	return reply(w)(h.box.Ceremony(r.Context()))
}

func (h *handler) cancel(w http.ResponseWriter, r *http.Request) error {
	return reply(w)(h.box.Cancel(r.Context()))
}

func (h *handler) enrol(w http.ResponseWriter, r *http.Request) error {
	q, err := body[EnrolRequest](r)
	if err != nil {
		return err
	}
	if err := q.Validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	defer cancel()
	return reply(w)(h.box.Enrol(ctx, q))
}

func (h *handler) enrolment(w http.ResponseWriter, r *http.Request) error {
	return reply(w)(h.box.Enrolment(r.Context()))
}

func (h *handler) cancelEnrolment(w http.ResponseWriter, r *http.Request) error {
	return reply(w)(h.box.CancelEnrolment(r.Context()))
}

func (h *handler) forget(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), forgetTime)
	defer cancel()
	return reply(w)(struct{}{}, h.box.Forget(ctx, r.PathValue("person")))
}

func (h *handler) receipt(w http.ResponseWriter, r *http.Request) error {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return err
	}
	b, err := h.box.Receipt(r.Context(), id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b)
	return nil
}

func (h *handler) audit(w http.ResponseWriter, r *http.Request) error {
	after, err := parseCount("after", r.FormValue("after"), 0, 1<<63)
	if err != nil {
		return err
	}
	limit, err := parseCount("limit", r.FormValue("limit"), defaultRows, MaxLimit)
	if err != nil {
		return err
	}
	return reply(w)(h.box.Audit(r.Context(), after, int(limit)))
}

func wantType(r *http.Request, want string) error {
	if got, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || got != want {
		return Errorf(CodeInvalid, "the body must be %s", want)
	}
	return nil
}

func body[T any](r *http.Request) (T, error) {
	if err := wantType(r, "application/json"); err != nil {
		var none T
		return none, err
	}
	return decode[T](r.Body)
}

// reply takes a method's two results at once.
func reply(w http.ResponseWriter) func(any, error) error {
	return func(v any, err error) error {
		if err != nil {
			return err
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(b) // the client is gone: nobody is left to tell
		return nil
	}
}

// asError gives every error a code; what the box did not name is internal.
func asError(err error) *Error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return Errorf(CodeInternal, "%v", err)
	}
	if e.Status < 400 || e.Status > 599 {
		filled := *e
		filled.Status = Errorf(e.Code, "").Status
		return &filled
	}
	return e
}

func writeError(w http.ResponseWriter, err error) {
	e := asError(err)
	b, err := json.Marshal(e)
	if err != nil {
		http.Error(w, e.Title, e.Status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.Status)
	_, _ = w.Write(b)
}
