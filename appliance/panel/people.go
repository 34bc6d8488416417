package panel

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/vouchbox/vouch/appliance/api"
)

// peopleBody is who is enrolled and the form for one more.
type peopleBody struct {
	Humans  []api.Human
	Sensor  api.Sensor
	Active  bool   // an enrolment is under way
	Name    string // as given, when the form is shown again
	Refused *api.Error
	Consent consentBody
}

func (p *Panel) people(w http.ResponseWriter, r *http.Request) error {
	return p.showPeople(w, r, http.StatusOK, "", nil)
}

func (p *Panel) showPeople(w http.ResponseWriter, r *http.Request, code int, name string, refused *api.Error) error {
	s, err := p.box.Status(r.Context())
	if err != nil {
		return err
	}
	e, err := p.box.Enrolment(r.Context())
	if err != nil {
		return err
	}
	return p.show(w, r, code, "people", page{
		Title: "People", Section: "people",
		Body: peopleBody{Humans: s.Humans, Sensor: s.Sensor, Active: e.Active, Name: name, Refused: refused, Consent: consent()},
	})
}

func (p *Panel) enrol(w http.ResponseWriter, r *http.Request) error {
	if err := parseForm(w, r); err != nil {
		return err
	}
	q := api.EnrolRequest{Name: strings.TrimSpace(r.PostFormValue("name")), Consent: r.PostFormValue("consent") == "yes"}
	_, err := p.box.Enrol(r.Context(), q)
	if e, ok := errors.AsType[*api.Error](err); ok {
		return p.showPeople(w, r, e.Status, q.Name, e)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/people/enrolment", http.StatusSeeOther)
	return nil
}

// enrolmentBody is the enrolment as the person at the sensor follows it.
type enrolmentBody struct{ api.Enrolment }

// Touches has one entry for each view that is wanted: true when it was taken.
func (b enrolmentBody) Touches() []bool {
	const most = 40 // marks that a phone has room for
	t := make([]bool, max(0, min(b.Wanted, most)))
	for i := range t {
		t[i] = i < b.Taken
	}
	return t
}

// Clarity is the last touch's quality in a word.
func (b enrolmentBody) Clarity() string {
	switch {
	case b.Taken == 0 && b.Quality == 0:
		return ""
	case b.Quality >= 70:
		return "clear"
	case b.Quality >= 40:
		return "usable"
	}
	return "faint"
}

func (p *Panel) enrolmentBody(ctx context.Context) (any, error) {
	e, err := p.box.Enrolment(ctx)
	return enrolmentBody{e}, err
}

func (p *Panel) enrolment(w http.ResponseWriter, r *http.Request) error {
	e, err := p.box.Enrolment(r.Context())
	if err != nil {
		return err
	}
	pg := page{Title: "Enrolment", Section: "people", Live: "/people/enrolment/live", Body: enrolmentBody{e}}
	if e.Active {
		pg.Refresh = 2
	}
	return p.show(w, r, http.StatusOK, "enrolment", pg)
}

func (p *Panel) enrolmentLive(w http.ResponseWriter, r *http.Request) error {
	return p.live(w, r, "enrolment", []string{"enrolment"}, p.enrolmentBody)
}

func (p *Panel) enrolmentCancel(w http.ResponseWriter, r *http.Request) error {
	_, err := p.box.CancelEnrolment(r.Context())
	return seeOther(w, r, "/people/enrolment", err)
}
