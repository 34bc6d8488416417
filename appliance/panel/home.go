package panel

import (
	"context"
	"net/http"

	"github.com/vouchbox/vouch/appliance/api"
)

const listed = 100 // requests

// homeBody is the box at a glance; Next is the one thing to do.
type homeBody struct {
	Status   api.Status
	Waiting  []api.Summary
	Ceremony api.Ceremony
	Enrols   api.Enrolment
}

// InTouch reports whether an answer waits for its finger or its block.
func (h homeBody) InTouch() bool { return !h.Ceremony.Stage.Ended() }

func (p *Panel) homeBody(ctx context.Context) (any, error) {
	s, err := p.box.Status(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := p.box.Requests(ctx, listed)
	if err != nil {
		return nil, err
	}
	c, err := p.box.Ceremony(ctx)
	if err != nil {
		return nil, err
	}
	e, err := p.box.Enrolment(ctx)
	if err != nil {
		return nil, err
	}
	return homeBody{Status: s, Waiting: split(rows).Waiting, Ceremony: c, Enrols: e}, nil
}

func (p *Panel) home(w http.ResponseWriter, r *http.Request) error {
	b, err := p.homeBody(r.Context())
	if err != nil {
		return err
	}
	return p.show(w, r, http.StatusOK, "home", page{Title: "Home", Section: "home", Live: "/live", Refresh: 15, Body: b})
}

func (p *Panel) homeLive(w http.ResponseWriter, r *http.Request) error {
	return p.live(w, r, "home", []string{"status", "queue", "ceremony", "enrolment"}, p.homeBody)
}

// queueBody sorts requests by what they want of a person.
type queueBody struct {
	Waiting []api.Summary // open, and not answered here
	Running []api.Summary // answered here or decided, not at their end
	Done    []api.Summary
}

func split(rows []api.Summary) queueBody {
	var q queueBody
	for _, s := range rows {
		switch {
		case s.State == api.StateOpen && s.Answer == "":
			q.Waiting = append(q.Waiting, s)
		case s.State == api.StateOpen || s.State == api.StateApproved:
			q.Running = append(q.Running, s)
		default:
			q.Done = append(q.Done, s)
		}
	}
	return q
}

func stateWord(s api.RequestState) string {
	switch s {
	case api.StateOpen:
		return "Open"
	case api.StateApproved:
		return "Approved, running"
	case api.StateRejected:
		return "Rejected"
	case api.StateExpired:
		return "Expired"
	case api.StateFinal:
		return "Final"
	}
	return string(s)
}

func (p *Panel) queueBody(ctx context.Context) (any, error) {
	rows, err := p.box.Requests(ctx, listed)
	if err != nil {
		return nil, err
	}
	return split(rows), nil
}

func (p *Panel) queue(w http.ResponseWriter, r *http.Request) error {
	b, err := p.queueBody(r.Context())
	if err != nil {
		return err
	}
	return p.show(w, r, http.StatusOK, "queue", page{Title: "Queue", Section: "queue", Live: "/requests/live", Refresh: 15, Body: b})
}

func (p *Panel) queueLive(w http.ResponseWriter, r *http.Request) error {
	return p.live(w, r, "queue", []string{"queue"}, p.queueBody)
}
