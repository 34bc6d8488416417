package panel

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
)

// Config is what the panel cannot learn from the box.
type Config struct {
	// Hosts are further names that browsers may ask by, without port; 127.0.0.1, ::1 and localhost
	// always are. Any other is refused, so that a foreign site cannot point its name here.
	Hosts []string
	Log   *slog.Logger // nil: no log
}

// Panel is an http.Handler.
type Panel struct {
	box     api.Box
	log     *slog.Logger
	pages   map[string]*template.Template
	statics map[string]static
	handler http.Handler
	// tick is how often an open page asks whether the box still answers.
	tick time.Duration
}

// New reads the templates. The box need not answer yet.
func New(box api.Box, c Config) (*Panel, error) {
	pages, err := parsePages()
	if err != nil {
		return nil, fmt.Errorf("reading the panel's templates: %w", err)
	}
	statics, err := readStatics()
	if err != nil {
		return nil, fmt.Errorf("reading the panel's static files: %w", err)
	}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &Panel{box: box, log: log, pages: pages, statics: statics, tick: 5 * time.Second}
	p.handler = guard(c.Hosts, p.refuse, p.routes())
	return p, nil
}

// ServeHTTP implements http.Handler.
func (p *Panel) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }

func (p *Panel) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":                        p.home,
		"GET /live":                       p.homeLive,
		"GET /requests":                   p.queue,
		"GET /requests/live":              p.queueLive,
		"GET /requests/{id}":              p.review,
		"POST /requests/{id}/answer":      p.answer,
		"GET /requests/{id}/clip":         p.clip,
		"GET /requests/{id}/receipt":      p.receipt,
		"GET /requests/{id}/receipt/file": p.receiptFile,
		"POST /requests/{id}/payload":     p.upload,
		"GET /people/{person}/forget":     p.forgetAsk,
		"POST /people/{person}/forget":    p.forget,
		"GET /touch":                      p.touch,
		"GET /touch/live":                 p.touchLive,
		"POST /touch/cancel":              p.touchCancel,
		"GET /people":                     p.people,
		"POST /people":                    p.enrol,
		"GET /people/enrolment":           p.enrolment,
		"GET /people/enrolment/live":      p.enrolmentLive,
		"POST /people/enrolment/cancel":   p.enrolmentCancel,
		"GET /log":                        p.audit,
		"GET /about":                      p.about,
		"GET /static/{name}":              p.static,
		"/":                               p.unknown,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := f(w, r); err != nil {
				p.refuse(w, r, err)
			}
		})
	}
	return mux
}

func (p *Panel) unknown(_ http.ResponseWriter, r *http.Request) error {
	return api.Errorf(api.CodeNotFound, "This box has no page at this address.")
}

// page is what the layout needs around a screen.
type page struct {
	Title   string
	Section string // of the navigation
	Box     string
	Demo    bool // the TPM is a program
	Live    string
	// Refresh reloads the page after so many seconds where scripts are off; Always also where they run.
	Refresh int
	Always  bool
	Body    any
}

// show renders a screen around a body. The status, and with it the box, is asked first.
func (p *Panel) show(w http.ResponseWriter, r *http.Request, code int, name string, pg page) error {
	s, err := p.box.Status(r.Context())
	if err != nil {
		return err
	}
	pg.Box, pg.Demo = s.Box, s.TPM.Software
	return p.render(w, code, name, pg)
}

// refuse turns an error into a page. A box that does not answer is waited for.
func (p *Panel) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(r.Context().Err(), context.Canceled) {
		return // nobody is left to read it
	}
	code, name, pg := http.StatusInternalServerError, "error", page{Title: "Something broke"}
	if e, ok := errors.AsType[*api.Error](err); ok {
		code, pg.Title, pg.Body = e.Status, e.Title, e
	} else if errors.Is(err, api.ErrUnreachable) {
		code, name, pg = http.StatusServiceUnavailable, "waiting", page{Title: "Waiting for the box", Refresh: 3, Always: true}
		w.Header().Set("Retry-After", "3")
	} else {
		p.log.Error("page failed", "path", r.URL.Path, "err", err)
		pg.Body = api.Errorf(api.CodeInternal, "The panel could not make this page. Its log says why; try again.")
	}
	if err := p.render(w, code, name, pg); err != nil {
		p.log.Error("error page failed", "path", r.URL.Path, "err", err)
		http.Error(w, "The panel could not make this page. Its log says why.", http.StatusInternalServerError)
	}
}

func requestID(r *http.Request) (uint64, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, api.Errorf(api.CodeNotFound, "A request is named by its number, and this is none.")
	}
	return id, nil
}

const maxForm = 64 << 10 // bytes

func parseForm(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return api.Errorf(api.CodeInvalid, "The form that came is not one of this panel. Go back and send it again.")
	}
	return nil
}
