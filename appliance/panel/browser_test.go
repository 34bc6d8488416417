package panel_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/api/apitest"
	"github.com/vouchbox/vouch/appliance/panel/paneltest"
)

// tabTo presses Tab until the element with the focus matches a CSS selector.
func tabTo(t *testing.T, b *paneltest.Browser, selector string) {
	t.Helper()
	const most = 60
	for range most {
		b.Press(t, kb.Tab)
		if paneltest.Eval[bool](t, b, "!!document.activeElement && document.activeElement.matches("+quote(selector)+")") {
			return
		}
	}
	t.Fatalf("%s is not reached by %d tabs", selector, most)
}

func quote(s string) string { return "`" + s + "`" }

// A request is reviewed, approved and followed to its block with Tab, Space and Enter alone.
func TestApproveByKeyboard(t *testing.T) {
	t.Parallel()
	box := apitest.New(apitest.Household())
	b := paneltest.New(t)
	b.Open(t, open(t, box)+"/")
	tabTo(t, b, "a.skip")
	tabTo(t, b, "a[href='/requests/12']")
	b.Press(t, kb.Enter)
	b.See(t, "Clear Voice is asked to do this")

	tabTo(t, b, "[name='rule.own-voice']")
	b.Press(t, " ")
	b.Press(t, kb.Enter) // Enter in a field would press a form's first button
	tabTo(t, b, "[name='rule.no-child']")
	b.Press(t, kb.ArrowRight, kb.ArrowRight)
	if got := paneltest.Eval[string](t, b, "document.querySelector(`[name='rule.no-child']:checked`).value"); got != "unsure" {
		t.Errorf("the arrows chose %q, want unsure", got)
	}
	if got := box.Answers(); len(got) != 0 {
		t.Fatalf("Enter in a field answered: %+v", got)
	}
	tabTo(t, b, "button[value=approve]")
	if w := paneltest.Eval[string](t, b, "getComputedStyle(document.activeElement).outlineStyle"); w != "solid" {
		t.Errorf("the focus is not visible: outline %s", w)
	}
	b.Press(t, kb.Enter)
	b.See(t, "Touch the sensor now")
	if path := b.Path(t); path != "/touch" {
		t.Errorf("the ceremony is at %s", path)
	}
	if got := box.Answers(); len(got) != 1 || got[0].Answer.Decision != "approve" || got[0].Answer.Rules["no-child"] != "unsure" {
		t.Fatalf("the box took %+v", got)
	}

	// From here on the page is never loaded again: only the stream moves it.
	if paneltest.Eval[bool](t, b, "(window.sameDocument = true)") != true {
		t.Fatal("no script runs")
	}
	box.Update(func(s *apitest.State) {
		s.Ceremony.TriesLeft, s.Ceremony.Message = 4, "That was another finger. 4 tries left."
	})
	b.See(t, "4 tries left")
	for _, step := range []struct {
		stage api.Stage
		says  string
	}{
		{api.StageMatching, "Checking the finger"}, {api.StageSigning, "Signing once"},
		{api.StageSent, "Waiting for a block"}, {api.StageIncluded, "Signed at block 123461"},
	} {
		box.Update(func(s *apitest.State) {
			s.Ceremony.Stage, s.Ceremony.Height, s.Ceremony.Message = step.stage, 123_461, ""
		})
		b.See(t, step.says)
	}
	if !paneltest.Eval[bool](t, b, "window.sameDocument === true") {
		t.Error("the page was loaded anew")
	}
	tabTo(t, b, "main a[href='/requests/12']")
}

func TestCancelByKeyboardAndRejectWithReason(t *testing.T) {
	t.Parallel()
	box := apitest.New(apitest.Household())
	b := paneltest.New(t)
	b.Allow("status of 422") // the page that asks for the reason
	b.Open(t, open(t, box)+"/requests/12")
	tabTo(t, b, "[name='rule.own-voice']")
	b.Press(t, kb.ArrowRight)
	tabTo(t, b, "[name='rule.no-child']")
	b.Press(t, " ")
	tabTo(t, b, "button[value=reject]")
	b.Press(t, " ")
	b.See(t, "A rejection needs a reason")
	tabTo(t, b, "#reason")
	b.Press(t, "no consent")
	tabTo(t, b, "button[value=reject]")
	b.Press(t, " ")
	b.See(t, "Touch the sensor now")
	if got := box.Answers(); len(got) != 1 || got[0].Answer.Reason != "no consent" || got[0].Answer.Rules["own-voice"] != "no" {
		t.Fatalf("the box took %+v", got)
	}
	tabTo(t, b, "form[action='/touch/cancel'] button")
	b.Press(t, kb.Enter)
	b.See(t, "Nothing was signed")
}

// With scripts off the same way leads to the same end: pages in motion reload themselves.
func TestApproveWithoutScripts(t *testing.T) {
	t.Parallel()
	box := apitest.New(apitest.Household())
	b := paneltest.New(t)
	if _, err := chromedp.Call(b.Ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.Open(t, open(t, box)+"/requests/12")
	click := func(css chromedp.CSS) { b.Do(t, chromedp.Click(css)) }
	click("[name='rule.own-voice'][value=yes]")
	click("[name='rule.no-child'][value=yes]")
	click("button[value=approve]")
	b.See(t, "Touch the sensor now")
	box.Update(func(s *apitest.State) { s.Ceremony = ceremony(api.StageIncluded) })
	b.See(t, "Signed at block 123461")
	if n := box.Listeners(); n != 0 {
		t.Errorf("%d event streams are open: scripts were on", n)
	}
}

func TestEnrolLive(t *testing.T) {
	t.Parallel()
	box := apitest.New(apitest.Household())
	b := paneltest.New(t)
	b.Open(t, open(t, box)+"/people")
	tabTo(t, b, "#name")
	b.Press(t, "Bo Lind")
	tabTo(t, b, "[name=consent]")
	b.Press(t, " ")
	tabTo(t, b, "form button")
	b.Press(t, kb.Enter)
	b.See(t, "Bo Lind, touch the sensor")
	box.Update(func(s *apitest.State) { s.Enrolment.Taken, s.Enrolment.Message = 5, "Good. A little lower." })
	b.See(t, "5 of 8 touches")
	b.See(t, "A little lower")
	box.Update(func(s *apitest.State) {
		s.Enrolment = api.Enrolment{Name: "Bo Lind", Human: &api.Human{Name: "Bo Lind", Views: 8}}
	})
	b.See(t, "Bo Lind is enrolled")
}

// A new request shows on an open home page by itself.
func TestHomeFollowsTheBox(t *testing.T) {
	t.Parallel()
	household := apitest.Household()
	box := apitest.New(household)
	box.Update(func(s *apitest.State) { s.Reviews = nil })
	b := paneltest.New(t)
	b.Open(t, open(t, box)+"/")
	b.See(t, "Nothing needs you")
	box.Update(func(s *apitest.State) { s.Reviews = household.Reviews })
	b.See(t, "1 request waits for your answer")
}

// The clip plays: its length is known, and seeking works.
func TestClipPlays(t *testing.T) {
	t.Parallel()
	b := paneltest.New(t)
	b.Open(t, open(t, apitest.New(apitest.Household()))+"/requests/12")
	b.Do(t, chromedp.Poll[chromedp.Void]("document.querySelector('audio').readyState >= 1"))
	if d := paneltest.Eval[float64](t, b, "document.querySelector('audio').duration"); d != 2 {
		t.Errorf("the clip lasts %v s, want 2", d)
	}
	paneltest.Eval[float64](t, b, "document.querySelector('audio').currentTime = 1.5")
	b.Do(t, chromedp.Poll[chromedp.Void]("!document.querySelector('audio').seeking && document.querySelector('audio').currentTime === 1.5",
		chromedp.WithPollingTimeout(10*time.Second)))
}

// Every screen names its landmarks, headings, buttons and fields to assistive technology.
func TestAccessibilityTree(t *testing.T) {
	t.Parallel()
	b := paneltest.New(t)
	b.Allow("status of 404")
	for _, s := range screens() {
		b.Open(t, open(t, in(s))+s.path)
		tree, err := chromedp.Call(b.Ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			t.Fatal(err)
		}
		var roles []string
		for _, n := range tree.Nodes {
			if n.Ignored {
				continue
			}
			role, name := text(n.Role), text(n.Name)
			roles = append(roles, role)
			switch role {
			case "button", "link", "heading", "radio", "checkbox", "textbox", "navigation", "progressbar", "DisclosureTriangle":
				if name == "" {
					t.Errorf("%s: a %s has no name", s.name, role)
				}
			}
		}
		for _, want := range []string{"main", "navigation", "banner", "heading"} {
			if !slices.Contains(roles, want) {
				t.Errorf("%s: no %s in %v", s.name, want, roles)
			}
		}
		// WCAG 2.2, 2.5.8 (24 CSS px) and no text under 16 px. A link inside running text is exempt.
		for _, small := range paneltest.Eval[[]string](t, b, `[...document.querySelectorAll("main *, nav *, .chip")]
			.filter(e => e.checkVisibility() && getComputedStyle(e).clipPath === "none")
			.flatMap(e => {
				const out = [], box = e.getBoundingClientRect();
				const own = [...e.childNodes].some(c => c.nodeType === 3 && c.data.trim());
				if (own && parseFloat(getComputedStyle(e).fontSize) < 16) out.push("text " + e.textContent.trim());
				if (e.matches("button, input, textarea, summary, nav a, a.button, a.row, .crumb a") && (box.width < 24 || box.height < 24)) out.push("target " + e.outerHTML.slice(0, 80));
				return out;
			})`) {
			t.Errorf("%s: too small: %s", s.name, small)
		}
	}
}

func text(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	return strings.Trim(string(v.Value), `"`)
}
