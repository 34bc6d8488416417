package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/panel/paneltest"
)

// visitor is a person with a keyboard at the panel of a whole box.
type visitor struct {
	*stage
	b    *paneltest.Browser
	shot int
}

// tab presses Tab until a CSS selector has the focus, then the keys.
func (v *visitor) tab(t *testing.T, selector string, keys ...string) {
	t.Helper()
	const most = 80
	for range most {
		v.b.Press(t, kb.Tab)
		if paneltest.Eval[bool](t, v.b, fmt.Sprintf("!!document.activeElement && document.activeElement.matches(%q)", selector)) {
			v.b.Press(t, keys...)
			return
		}
	}
	t.Fatalf("%d tabs do not reach %s", most, selector)
}

// picture keeps the page as a desktop and as a phone show it.
func (v *visitor) picture(t *testing.T, name string) {
	t.Helper()
	v.shot++
	for _, view := range paneltest.Views() {
		if view.Name != "desktop-light" && view.Name != "phone-dark" {
			continue
		}
		v.b.Show(t, view)
		v.b.Screenshot(t, view, fmt.Sprintf("box-%02d-%s-%s", v.shot, name, view.Name))
		if paneltest.Eval[bool](t, v.b, "document.documentElement.scrollWidth > innerWidth") {
			t.Errorf("%s scrolls sideways at %d px", name, view.Width)
		}
	}
	v.b.Show(t, paneltest.Views()[0])
}

// press touches through the sensor page, as a visitor of the demo does.
func (v *visitor) press(ctx context.Context) error {
	form := strings.NewReader(url.Values{"who": {"ada"}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, v.sensorURL+"/touch", form)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Query().Get("touched") != "ada" {
		return fmt.Errorf("the sensor page answered %s at %s", resp.Status, resp.Request.URL)
	}
	return nil
}

// A person enrols, reads a request, answers it with the keyboard alone, and gives the receipt to a
// stranger, who runs the command line that the page prints.
func TestPanelOfWholeBox(t *testing.T) {
	s, err := newStage(testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	clip := s.path("clip.wav")
	for _, step := range []func(context.Context) error{
		s.openTPM, s.openSensor, s.openChain, s.openBox, s.openPanel, s.fund, s.mint,
		func(ctx context.Context) error { return speak(ctx, clip) },
	} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	v := &visitor{stage: s, b: paneltest.New(t)}
	v.b.Show(t, paneltest.Views()[0])
	v.enrolAtPanel(t)
	id, err := s.submit(t.Context(), clip, firstAsk)
	if err != nil {
		t.Fatal(err)
	}
	v.approveAtPanel(t, id)
	v.receiptAtPanel(t, id)
	v.b.Open(t, s.panelURL+"/log")
	v.picture(t, "log")
	v.b.Open(t, s.panelURL+"/about")
	v.picture(t, "about")
}

func (v *visitor) enrolAtPanel(t *testing.T) {
	v.b.Open(t, v.panelURL+"/")
	v.picture(t, "home-first")
	v.b.Open(t, v.panelURL+"/people")
	v.picture(t, "people")
	v.tab(t, "#name", "Ada")
	v.tab(t, "[name=consent]", " ")
	v.tab(t, "main form button", kb.Enter)
	v.b.See(t, "Ada, touch the sensor")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	taken := func(n int) func(api.Enrolment) bool {
		return func(e api.Enrolment) bool { return e.Taken >= n }
	}
	if err := v.enrolUntil(ctx, taken(3)); err != nil {
		t.Fatal(err)
	}
	v.b.See(t, "3 of 8 touches")
	v.picture(t, "enrolling")
	if err := v.enrolUntil(ctx, taken(8)); err != nil {
		t.Fatal(err)
	}
	v.b.See(t, "Ada is enrolled")
	v.picture(t, "enrolled")
	if err := v.registered(ctx); err != nil {
		t.Fatal(err)
	}
}

func (v *visitor) approveAtPanel(t *testing.T, id uint64) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	page := fmt.Sprintf("/requests/%d", id)
	v.b.Open(t, v.panelURL+"/")
	v.b.See(t, "1 request waits for your answer")
	v.picture(t, "home-waiting")
	v.tab(t, "a[href='/requests']", kb.Enter)
	v.b.See(t, "Waits for your answer")
	v.picture(t, "queue")
	v.tab(t, "main a[href='"+page+"']", kb.Enter)
	v.b.See(t, firstAsk)
	opened := time.Now()
	v.picture(t, "review")

	// The clip is there and plays to where it is asked to.
	v.b.Do(t, chromedp.Poll[chromedp.Void]("document.querySelector('audio').readyState >= 1", chromedp.WithPollingTimeout(10*time.Second)))
	if d := paneltest.Eval[float64](t, v.b, "document.querySelector('audio').duration"); d < 2 || d > 10 {
		t.Errorf("the clip lasts %v s", d)
	}
	v.tab(t, "audio", " ")
	v.b.Do(t, chromedp.Poll[chromedp.Void]("document.querySelector('audio').played.length > 0", chromedp.WithPollingTimeout(10*time.Second)))

	r, err := v.client.Review(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range r.Rules {
		if q.Judged {
			v.tab(t, "[name='rule."+q.ID+"']", " ")
		}
	}
	select {
	case <-time.After(time.Until(opened.Add(time.Duration(r.ReadingSeconds)*time.Second + 200*time.Millisecond))):
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	v.tab(t, "button[value=approve]", kb.Enter)
	v.b.See(t, "Touch the sensor now")
	v.picture(t, "touch")
	if err := v.press(ctx); err != nil {
		t.Fatal(err)
	}
	v.b.See(t, "Signed at block ")
	v.picture(t, "signed")
	if err := v.await(ctx, func(e api.Event) (bool, error) {
		for _, q := range e.Queue {
			if q.ID == id && q.State == api.StateFinal {
				return true, nil
			}
		}
		return false, nil
	}); err != nil {
		t.Fatal(err)
	}
	v.tab(t, "main a[href='"+page+"']", kb.Enter)
	v.b.See(t, "Answered: ")
	v.picture(t, "review-final")
	v.tab(t, "main a[href='"+page+"/receipt']", kb.Enter)
	v.b.See(t, "What came out")
	v.picture(t, "receipt")
}

func (v *visitor) receiptAtPanel(t *testing.T, id uint64) {
	link := fmt.Sprintf("/requests/%d/receipt/file", id)
	if n := paneltest.Eval[int](t, v.b, fmt.Sprintf("document.querySelectorAll('a[download][href=%q]').length", link)); n != 1 {
		t.Fatalf("the page has %d links to the receipt's file", n)
	}
	file := paneltest.Eval[string](t, v.b, "document.querySelector('a[download]').download")
	if file == "" || filepath.Base(file) != file {
		t.Fatalf("the receipt would be saved as %q", file)
	}
	stranger := t.TempDir()
	if _, err := chromedp.CallBrowser(v.b.Ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: stranger,
	}); err != nil {
		t.Fatal(err)
	}
	v.tab(t, "a[download]", kb.Enter)
	if err := awaitFile(t.Context(), filepath.Join(stranger, file)); err != nil {
		t.Fatal(err)
	}
	line := paneltest.Eval[string](t, v.b, "document.querySelector('section[aria-labelledby=check] pre').textContent")
	verify := exec.CommandContext(t.Context(), "sh", "-c", line)
	verify.Dir, verify.Env = stranger, []string{"PATH=" + v.cfg.bin}
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("the page prints the command %q: %v\n%s", line, err, out)
	}
}

// awaitFile waits until a browser has saved a file: it gives a file its name when it is whole.
func awaitFile(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		if fi, err := os.Stat(path); err == nil && fi.Size() > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the browser did not save %s: %w", path, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// The sensor page says what it is, shows well, works without scripts, and touches only when it is asked.
func TestSensorPage(t *testing.T) {
	s, err := newStage(testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.openSensor(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := paneltest.New(t)
	if _, err := chromedp.Call(b.Ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	for _, view := range paneltest.Views() {
		b.Show(t, view)
		b.Open(t, s.sensorURL)
		b.See(t, "no part of the product")
		b.Screenshot(t, view, "sensor-"+view.Name)
		if paneltest.Eval[bool](t, b, "document.documentElement.scrollWidth > innerWidth") {
			t.Errorf("it scrolls sideways at %d px", view.Width)
		}
	}
	b.Do(t, chromedp.Click(chromedp.CSS("button[value=stranger]")))
	b.See(t, "Nobody read the finger")
	b.Screenshot(t, paneltest.Views()[3], "sensor-nobody")
	for _, form := range []url.Values{{}, {"who": {"nobody"}}} {
		resp, err := http.PostForm(s.sensorURL+"/touch", form)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("a touch with %v gave %s", form, resp.Status)
		}
	}
}
