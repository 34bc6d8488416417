package panel

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
)

const reasonField = "reason"

// reviewBody is a review with what was filled in when it had to be shown again.
type reviewBody struct {
	api.Review
	Humans  []api.Human
	Given   api.Answer
	Refused *api.Error // why the last answer was not taken
}

// CanAnswer reports whether the form is shown.
func (b reviewBody) CanAnswer() bool {
	return b.Blocked == "" && b.State == api.StateOpen && b.Review.Answer == ""
}

// ShowsCount reports whether others' answers are shown: not before one's own, which they would sway.
func (b reviewBody) ShowsCount() bool { return b.State != api.StateOpen || b.Review.Answer != "" }

// Playable reports whether browsers play the artefact.
func (b reviewBody) Playable() bool { return playable(b.Payload.MediaType) }

// Checked lists the machine's checks, Judged the human's.
func (b reviewBody) Checked() []api.Rule { return b.rules(false) }

// Judged lists the rules that the human answers.
func (b reviewBody) Judged() []api.Rule { return b.rules(true) }

func (b reviewBody) rules(judged bool) []api.Rule {
	var out []api.Rule
	for _, r := range b.Rules {
		if r.Judged == judged {
			out = append(out, r)
		}
	}
	return out
}

// Said is how a rule was answered before.
func (b reviewBody) Said(id string) string { return b.Given.Rules[id] }

func (p *Panel) review(w http.ResponseWriter, r *http.Request) error {
	id, err := requestID(r)
	if err != nil {
		return err
	}
	return p.showReview(w, r, id, http.StatusOK, api.Answer{}, nil)
}

func (p *Panel) showReview(w http.ResponseWriter, r *http.Request, id uint64, code int, given api.Answer, refused *api.Error) error {
	v, err := p.box.Review(r.Context(), id)
	if err != nil {
		return err
	}
	s, err := p.box.Status(r.Context())
	if err != nil {
		return err
	}
	if given.Digest != v.Digest {
		given = api.Answer{} // those answers were about something else
	}
	return p.show(w, r, code, "review", page{
		Title: v.AI, Section: "queue",
		Body: reviewBody{Review: v, Humans: s.Humans, Given: given, Refused: refused},
	})
}

func (p *Panel) answer(w http.ResponseWriter, r *http.Request) error {
	id, err := requestID(r)
	if err != nil {
		return err
	}
	if err := parseForm(w, r); err != nil {
		return err
	}
	a := api.Answer{
		Person: r.PostFormValue("person"), Decision: r.PostFormValue("decision"), Digest: r.PostFormValue("digest"),
		Reason: strings.TrimSpace(r.PostFormValue(reasonField)), Rules: map[string]string{},
	}
	for field, values := range r.PostForm {
		if rule, ok := strings.CutPrefix(field, "rule."); ok && len(values) == 1 && values[0] != "" {
			a.Rules[rule] = values[0]
		}
	}
	if a.Decision == "reject" && a.Reason == "" {
		return p.showReview(w, r, id, http.StatusUnprocessableEntity, a,
			api.Errorf(api.CodeInvalid, "A rejection needs a reason, so that the requester knows what to change. Write one below."))
	}
	_, err = p.box.Answer(r.Context(), id, a)
	if e, ok := errors.AsType[*api.Error](err); ok && e.Code != api.CodeNotFound {
		return p.showReview(w, r, id, e.Status, a, e)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/touch", http.StatusSeeOther)
	return nil
}

// playable lists the audio that browsers play; everything else is only ever a download, so that no
// artefact runs as a page of the box.
func playable(mediaType string) bool {
	switch mediaType {
	case "audio/wav", "audio/x-wav", "audio/wave", "audio/mpeg", "audio/ogg", "audio/flac":
		return true
	}
	return false
}

// clip serves the artefact with ranges, so that the player can seek.
func (p *Panel) clip(w http.ResponseWriter, r *http.Request) error {
	id, err := requestID(r)
	if err != nil {
		return err
	}
	body, info, err := p.box.Payload(r.Context(), id)
	if err != nil {
		return err
	}
	defer body.Close()
	raw, err := io.ReadAll(io.LimitReader(body, api.MaxPayload+1))
	if err != nil {
		return errors.Join(api.ErrUnreachable, err)
	}
	if len(raw) > api.MaxPayload {
		return api.Errorf(api.CodeTooLarge, "The artefact of request %d is larger than the panel shows.", id)
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if playable(info.MediaType) {
		w.Header().Set("Content-Type", info.MediaType)
	} else {
		w.Header().Set("Content-Disposition", "attachment")
	}
	w.Header().Set("ETag", `"`+info.Digest+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw))
	return nil
}
