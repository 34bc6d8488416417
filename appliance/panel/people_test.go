package panel_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/api/apitest"
)

// The box keeps the digest of api.ConsentText as what the person agreed to, so that text is what the
// page must show, whole and alone.
func TestConsentIsTheTextOfTheBox(t *testing.T) {
	_, body := fetch(t, open(t, apitest.New(apitest.Household()))+"/people")
	var shown *html.Node
	for n := range parse(t, body).Descendants() {
		if attr(n, "id") == "consent-text" {
			shown = n
		}
	}
	if shown == nil {
		t.Fatal("no consent text")
	}
	if got, want := words(shown), strings.Join(strings.Fields(api.ConsentText), " "); got != want {
		t.Errorf("the page shows\n%s\nthe box keeps the digest of\n%s", got, want)
	}
	paragraphs := 0
	for n := range shown.Descendants() {
		if n.Data == "p" {
			paragraphs++
		}
	}
	if want := strings.Count(api.ConsentText, "\n\n"); paragraphs != want {
		t.Errorf("%d paragraphs, the text has %d", paragraphs, want)
	}
}

func TestForgetByForm(t *testing.T) {
	box := apitest.New(apitest.Household())
	base := open(t, box)
	if _, body := fetch(t, base+"/people"); !strings.Contains(body, `href="/people/p1/forget"`) {
		t.Fatal("the people's page offers no deletion")
	}
	if resp, body := fetch(t, base+"/people/p1/forget"); resp.StatusCode != 200 || !strings.Contains(body, "bond stays locked") {
		t.Errorf("the question: %s, or it does not say what stays", resp.Status)
	}
	if s, err := box.Status(t.Context()); err != nil || len(s.Humans) != 1 {
		t.Fatalf("asking deleted: %+v, %v", s.Humans, err)
	}

	box.Update(func(s *apitest.State) { s.Ceremony = ceremony(api.StageTouch) })
	resp, body := post(t, base, "/people/p1/forget", nil)
	if resp.StatusCode != 409 || !strings.Contains(body, "sensor is in use") || !strings.Contains(body, "Delete Ada Marsh from this box?") {
		t.Errorf("while an answer waits: %s\n%s", resp.Status, outline(t, body))
	}
	box.Update(func(s *apitest.State) { s.Ceremony = api.Ceremony{Stage: api.StageIdle} })
	resp, _ = post(t, base, "/people/p1/forget", nil)
	redirects(t, resp, "/people")
	if _, body := fetch(t, base+"/people"); strings.Contains(body, "Ada Marsh") {
		t.Error("the person is still shown")
	}
	if resp, body := post(t, base, "/people/p1/forget", nil); resp.StatusCode != 404 || strings.Contains(body, "Ada Marsh") {
		t.Errorf("a second time: %s", resp.Status)
	}
	if resp, _ := fetch(t, base+"/people/p404/forget"); resp.StatusCode != 404 {
		t.Errorf("nobody: %s", resp.Status)
	}
}
