package panel

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/vouchbox/vouch/appliance/api"
)

// touchBody is the ceremony as a person sees it.
type touchBody struct {
	api.Ceremony
	AI string // whose request it is
}

// Step is one line of the ceremony's list.
type Step struct {
	Text  string
	State string // done, now, next, stopped
}

// Steps are the four things that happen after a decision, in order.
func (b touchBody) Steps() []Step {
	at := map[api.Stage]int{
		api.StageTouch: 0, api.StageMatching: 1, api.StageSigning: 2, api.StageSent: 3, api.StageIncluded: 4,
	}
	now, moving := at[b.Stage]
	steps := []Step{{Text: "Touch"}, {Text: "Match"}, {Text: "Sign"}, {Text: "In a block"}}
	for i := range steps {
		switch {
		case !moving:
			steps[i].State = "stopped"
		case i < now:
			steps[i].State = "done"
		case i == now:
			steps[i].State = "now"
		default:
			steps[i].State = "next"
		}
	}
	return steps
}

// Heading says the stage in a few words.
func (b touchBody) Heading() string {
	switch b.Stage {
	case api.StageTouch:
		return "Touch the sensor now"
	case api.StageMatching:
		return "Checking the finger"
	case api.StageSigning:
		return "Signing once"
	case api.StageSent:
		return "Sent. Waiting for a block"
	case api.StageIncluded:
		return "Signed"
	case api.StageRefused:
		return "Not signed: no match"
	case api.StageFailed:
		return "Not signed: something failed"
	case api.StageCancelled:
		return "Cancelled. Nothing was signed"
	}
	return "Nothing waits for a finger"
}

// Tries says how many are left, unless the box's own message does.
func (b touchBody) Tries() string {
	if b.TriesLeft == 0 || strings.Contains(b.Message, "left") {
		return ""
	}
	return plural(b.TriesLeft, "try", "tries") + " left"
}

// Moving reports whether the page must follow the box.
func (b touchBody) Moving() bool { return !b.Stage.Ended() }

func (p *Panel) touchBody(ctx context.Context) (any, error) {
	c, err := p.box.Ceremony(ctx)
	if err != nil {
		return nil, err
	}
	b := touchBody{Ceremony: c}
	if c.Request == 0 {
		return b, nil
	}
	rows, err := p.box.Requests(ctx, listed)
	if err != nil {
		return nil, err
	}
	for _, s := range rows {
		if s.ID == c.Request {
			b.AI = s.AI
		}
	}
	return b, nil
}

func (p *Panel) touch(w http.ResponseWriter, r *http.Request) error {
	v, err := p.touchBody(r.Context())
	if err != nil {
		return err
	}
	pg := page{Title: "Touch", Section: "queue", Live: "/touch/live", Body: v}
	if b, ok := v.(touchBody); ok && b.Moving() {
		pg.Refresh = 2
	}
	return p.show(w, r, http.StatusOK, "touch", pg)
}

func (p *Panel) touchLive(w http.ResponseWriter, r *http.Request) error {
	return p.live(w, r, "touch", []string{"ceremony"}, p.touchBody)
}

func (p *Panel) touchCancel(w http.ResponseWriter, r *http.Request) error {
	_, err := p.box.Cancel(r.Context())
	return seeOther(w, r, "/touch", err)
}

// seeOther goes on to a page that shows the present state: a conflict means that the state had moved
// on before the button was pressed, and that page says how.
func seeOther(w http.ResponseWriter, r *http.Request, to string, err error) error {
	if e, ok := errors.AsType[*api.Error](err); ok && e.Code == api.CodeConflict {
		err = nil
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
