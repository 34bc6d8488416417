package panel

import (
	"errors"
	"net/http"

	"github.com/vouchbox/vouch/appliance/api"
)

// forgetBody asks once more before a person is deleted.
type forgetBody struct {
	api.Human
	Refused *api.Error
}

func (p *Panel) forgetAsk(w http.ResponseWriter, r *http.Request) error {
	return p.showForget(w, r, http.StatusOK, nil)
}

func (p *Panel) showForget(w http.ResponseWriter, r *http.Request, code int, refused *api.Error) error {
	s, err := p.box.Status(r.Context())
	if err != nil {
		return err
	}
	for _, h := range s.Humans {
		if h.ID == r.PathValue("person") {
			return p.show(w, r, code, "forget", page{Title: "Delete " + h.Name, Section: "people", Body: forgetBody{h, refused}})
		}
	}
	return api.Errorf(api.CodeNotFound, "This person is not enrolled on this box, or is deleted already.")
}

func (p *Panel) forget(w http.ResponseWriter, r *http.Request) error {
	err := p.box.Forget(r.Context(), r.PathValue("person"))
	if e, ok := errors.AsType[*api.Error](err); ok && e.Code != api.CodeNotFound {
		return p.showForget(w, r, e.Status, e)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/people", http.StatusSeeOther)
	return nil
}
