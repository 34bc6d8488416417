package panel

import (
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/vouchbox/vouch/appliance/api"
)

const logRows = 50

// auditBody is one stretch of the audit log, newest first.
type auditBody struct {
	Rows         []auditRow
	Broken       uint64 // the first entry that does not follow the one before; 0: none
	Head         api.AuditHead
	Older, Newer string // addresses; empty: none
}

type auditRow struct {
	api.Entry
	Facts []fact
}

// What is the event in words; one that this panel does not know is shown as it is.
func (r auditRow) What() string {
	switch r.Event {
	case "box.started":
		return "The box started"
	case "human.enrolled":
		return "A person enrolled"
	case "human.registered":
		return "A person is registered on the chain"
	case "human.forgotten":
		return "A person was deleted from this box"
	case "vote.signed":
		return "An answer was signed"
	case "vote.included":
		return "An answer is proved in a block"
	case "vote.refused":
		return "A finger did not match"
	case "vote.cancelled":
		return "An answer was cancelled"
	case "vote.failed":
		return "An answer failed"
	case "vote.resumed":
		return "An answer from before the last stop was followed up"
	case "sensor.replay":
		return "The sensor sent an old picture again"
	case "request.executed":
		return "A model ran"
	case "receipt.posted":
		return "A receipt was posted"
	case "audit.repaired":
		return "The log was mended after a power cut"
	}
	return r.Event
}

// audit shows the newest rows; "until" shows those up to a number.
func (p *Panel) audit(w http.ResponseWriter, r *http.Request) error {
	s, err := p.box.Status(r.Context())
	if err != nil {
		return err
	}
	until := s.Audit.Seq
	if q := r.URL.Query().Get("until"); q != "" {
		n, err := strconv.ParseUint(q, 10, 64)
		if err != nil {
			return api.Errorf(api.CodeNotFound, "The log is read by entry number, and this is none.")
		}
		until = min(until, n)
	}
	after := until - min(until, logRows)
	entries, err := p.box.Audit(r.Context(), after, logRows)
	if err != nil {
		return err
	}
	b := auditBody{Head: s.Audit, Broken: brokenAt(entries)}
	for _, e := range slices.Backward(entries) {
		row := auditRow{Entry: e}
		for _, k := range slices.Sorted(maps.Keys(e.Fields)) {
			row.Facts = append(row.Facts, fact{strings.ReplaceAll(k, "_", " "), e.Fields[k]})
		}
		b.Rows = append(b.Rows, row)
	}
	if after > 0 {
		b.Older = "/log?until=" + strconv.FormatUint(after, 10)
	}
	if until < s.Audit.Seq {
		b.Newer = "/log?until=" + strconv.FormatUint(min(until+logRows, s.Audit.Seq), 10)
	}
	return p.show(w, r, http.StatusOK, "log", page{Title: "Log", Section: "log", Body: b})
}

// brokenAt looks at the links between the entries of one page; vouchd checks their hashes.
func brokenAt(entries []api.Entry) uint64 {
	for i := 1; i < len(entries); i++ {
		if entries[i].Prev != entries[i-1].Hash || entries[i].Seq != entries[i-1].Seq+1 {
			return entries[i].Seq
		}
	}
	return 0
}

// aboutBody says what runs here.
type aboutBody struct {
	Status  api.Status
	Modules []fact
	Go      string
}

func (p *Panel) about(w http.ResponseWriter, r *http.Request) error {
	s, err := p.box.Status(r.Context())
	if err != nil {
		return err
	}
	b := aboutBody{Status: s}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.Go = info.GoVersion
		for _, m := range info.Deps {
			b.Modules = append(b.Modules, fact{m.Path, m.Version})
		}
	}
	return p.show(w, r, http.StatusOK, "about", page{Title: "About", Section: "about", Body: b})
}
