package panel_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/api/apitest"
)

// post sends a form as a browser of the panel's own page would and does not follow.
func post(t *testing.T, base, path string, form url.Values) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", base)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return send(t, req)
}

func send(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func redirects(t *testing.T, resp *http.Response, to string) {
	t.Helper()
	if resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != to {
		t.Fatalf("%s to %q, want 303 to %q", resp.Status, resp.Header.Get("Location"), to)
	}
}

func answers() url.Values {
	return url.Values{
		"digest": {apitest.Household().Reviews[0].Digest}, "decision": {"approve"},
		"rule.own-voice": {"yes"}, "rule.no-child": {"unsure"}, "reason": {" fine "},
	}
}

func TestAnswerByForm(t *testing.T) {
	box := apitest.New(apitest.Household())
	base := open(t, box)
	fetch(t, base+"/requests/12")
	resp, _ := post(t, base, "/requests/12/answer", answers())
	redirects(t, resp, "/touch")
	got := box.Answers()
	if len(got) != 1 || got[0].ID != 12 || got[0].Answer.Decision != "approve" || got[0].Answer.Reason != "fine" ||
		got[0].Answer.Rules["own-voice"] != "yes" || got[0].Answer.Rules["no-child"] != "unsure" {
		t.Fatalf("the box took %+v", got)
	}
	if _, body := fetch(t, base+"/touch"); !strings.Contains(body, "Touch the sensor now") || !strings.Contains(body, `<noscript><meta http-equiv="refresh" content="2"></noscript>`) {
		t.Errorf("the ceremony's page does not call for a touch or does not refresh itself")
	}
	resp, _ = post(t, base, "/touch/cancel", nil)
	redirects(t, resp, "/touch")
	resp, _ = post(t, base, "/touch/cancel", nil) // pressed twice: the state is shown, no error
	redirects(t, resp, "/touch")
	if _, body := fetch(t, base+"/touch"); !strings.Contains(body, "Nothing was signed") || strings.Contains(body, "http-equiv") {
		t.Errorf("the cancelled ceremony is not shown, or its page still refreshes")
	}
}

// What was filled in is kept, the box's reason is shown, and nothing is signed.
func TestAnswerRefused(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(url.Values)
		refusal error
		status  int
		says    string
		kept    bool
	}{
		{"rejection without a reason", func(f url.Values) { f.Set("decision", "reject"); f.Set("reason", " ") }, nil, 422, "needs a reason", true},
		{"too early", nil, api.Errorf(api.CodeConflict, "read on: 6 more seconds"), 409, "Read on: 6 more seconds", true},
		{"another digest", func(f url.Values) { f.Set("digest", strings.Repeat("0", 64)) }, nil, 409, "changed while it was on the screen", false},
		{"a rule without an answer", func(f url.Values) { f.Del("rule.no-child") }, nil, 422, "is not answered", true},
		{"no decision", func(f url.Values) { f.Del("decision") }, nil, 422, "must be approve, reject or abstain", true},
		{"sensor gone", nil, api.Errorf(api.CodeUnready, "plug the sensor in"), 503, "Plug the sensor in", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			box := apitest.New(apitest.Household())
			box.RefuseAnswers(c.refusal)
			base := open(t, box)
			fetch(t, base+"/requests/12")
			form := answers()
			if c.change != nil {
				c.change(form)
			}
			resp, body := post(t, base, "/requests/12/answer", form)
			if resp.StatusCode != c.status || !strings.Contains(body, c.says) {
				t.Errorf("%s, want %d and %q in\n%s", resp.Status, c.status, c.says, outline(t, body))
			}
			if kept := strings.Contains(body, `name="rule.own-voice" value="yes" required checked`); kept != c.kept {
				t.Errorf("answers kept = %v, want %v", kept, c.kept)
			}
			if len(box.Answers()) != 0 {
				t.Errorf("the box took %+v", box.Answers())
			}
		})
	}
}

func TestEnrolByForm(t *testing.T) {
	box := apitest.New(apitest.Household())
	base := open(t, box)
	resp, body := post(t, base, "/people", url.Values{"name": {"Bo"}})
	if resp.StatusCode != 422 || !strings.Contains(body, "without agreeing") || !strings.Contains(body, `value="Bo"`) {
		t.Errorf("without consent: %s, want 422, why, and the name kept", resp.Status)
	}
	resp, _ = post(t, base, "/people", url.Values{"name": {"Bo"}, "consent": {"yes"}})
	redirects(t, resp, "/people/enrolment")
	resp, _ = post(t, base, "/people/enrolment/cancel", nil)
	redirects(t, resp, "/people/enrolment")
	if _, body := fetch(t, base+"/people/enrolment"); !strings.Contains(body, "Nothing was kept") {
		t.Error("the cancelled enrolment is not shown")
	}
}

// A GET, whatever its path, leaves the box as it was.
func TestGetChangesNothing(t *testing.T) {
	box := apitest.New(apitest.Household())
	box.Update(func(s *apitest.State) {
		s.Ceremony = ceremony(api.StageTouch)
		s.Enrolment = api.Enrolment{Active: true, Name: "Bo", Wanted: 8}
	})
	base := open(t, box)
	for _, path := range []string{"/requests/12/answer?decision=approve", "/touch/cancel", "/people/enrolment/cancel"} {
		resp, _ := fetch(t, base+path)
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s = %s, want 404", path, resp.Status)
		}
	}
	c, err := box.Ceremony(t.Context())
	if err != nil || c.Stage != api.StageTouch {
		t.Errorf("ceremony = %+v, %v", c, err)
	}
	e, err := box.Enrolment(t.Context())
	if err != nil || !e.Active || len(box.Answers()) != 0 {
		t.Errorf("enrolment = %+v, %v, answers %v", e, err, box.Answers())
	}
}

func TestForeignSitesAndNames(t *testing.T) {
	box := apitest.New(apitest.Household())
	box.Update(func(s *apitest.State) { s.Ceremony = ceremony(api.StageTouch) })
	base := open(t, box)
	for _, c := range []struct {
		name         string
		method, host string
		header       map[string]string
		status       int
	}{
		{"own page", "GET", "", nil, 200},
		{"localhost", "GET", "localhost:8480", nil, 200},
		{"IPv6 loopback", "GET", "[::1]:8480", nil, 200},
		{"rebound name", "GET", "evil.example", nil, 421},
		{"rebound name with the port", "GET", "evil.example:8480", nil, 421},
		{"name that starts like one", "GET", "127.0.0.1.evil.example", nil, 421},
		{"cross-site post", "POST", "", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"}, 403},
		{"same-site other port", "POST", "", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}, 403},
		{"old browser, foreign origin", "POST", "", map[string]string{"Origin": "http://evil.example"}, 403},
		{"sandboxed frame", "POST", "", map[string]string{"Origin": "null"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, base+map[string]string{"GET": "/", "POST": "/touch/cancel"}[c.method], nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.host != "" {
				req.Host = c.host
			}
			for k, v := range c.header {
				req.Header.Set(k, v)
			}
			if resp, body := send(t, req); resp.StatusCode != c.status {
				t.Errorf("%s, want %d: %s", resp.Status, c.status, outline(t, body))
			} else if resp.Header.Get("Content-Security-Policy") == "" {
				t.Error("the refusal has no policy")
			}
		})
	}
	if c, err := box.Ceremony(t.Context()); err != nil || c.Stage != api.StageTouch {
		t.Errorf("a foreign site changed the ceremony: %+v, %v", c, err)
	}
}

func TestClip(t *testing.T) {
	box := apitest.New(apitest.Household())
	base := open(t, box)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/requests/12/clip", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=0-3")
	resp, body := send(t, req)
	if resp.StatusCode != http.StatusPartialContent || body != "RIFF" || resp.Header.Get("Content-Type") != "audio/wav" {
		t.Errorf("%s %s %q, want the first four bytes of a WAV", resp.Status, resp.Header.Get("Content-Type"), body)
	}
	box.Update(func(s *apitest.State) { s.Reviews[0].Payload.MediaType = "text/html" })
	resp, _ = fetch(t, base+"/requests/12/clip")
	if resp.Header.Get("Content-Type") != "application/octet-stream" || resp.Header.Get("Content-Disposition") != "attachment" {
		t.Errorf("a payload that claims to be a page came as %q", resp.Header.Get("Content-Type"))
	}
	box.Update(func(s *apitest.State) { s.Payloads = nil })
	if resp, _ = fetch(t, base+"/requests/12/clip"); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without the bytes: %s", resp.Status)
	}
}

func TestReceiptFile(t *testing.T) {
	base := open(t, apitest.New(apitest.Household()))
	resp, body := fetch(t, base+"/requests/11/receipt/file")
	if want := string(apitest.Household().Receipts[apitest.Final]); body != want || resp.Header.Get("Content-Disposition") != `attachment; filename="vouch-receipt-11.json"` {
		t.Errorf("%q as %q", body, resp.Header.Get("Content-Disposition"))
	}
	if resp, body = fetch(t, base+"/requests/12/receipt"); resp.StatusCode != http.StatusConflict || !strings.Contains(body, "no receipt yet") {
		t.Errorf("of an open request: %s", resp.Status)
	}
}

func TestLogPagesAndBreaks(t *testing.T) {
	box := apitest.New(apitest.Household())
	box.Update(func(s *apitest.State) {
		s.Audit = nil
		for i := uint64(1); i <= 120; i++ {
			s.Audit = append(s.Audit, api.Entry{Seq: i, Event: "e", Prev: string(rune('a' + i)), Hash: string(rune('b' + i))})
		}
		s.Status.Audit.Seq = 120
	})
	base := open(t, box)
	_, body := fetch(t, base+"/log")
	if !strings.Contains(body, `href="/log?until=70"`) || strings.Contains(body, "Newer") || strings.Contains(body, "broken") {
		t.Errorf("the newest page:\n%s", outline(t, body))
	}
	if _, body = fetch(t, base+"/log?until=20"); !strings.Contains(body, `href="/log?until=70"`) || strings.Contains(body, "Older") {
		t.Errorf("the oldest page:\n%s", outline(t, body))
	}
	box.Update(func(s *apitest.State) { s.Audit[99].Prev = "x" })
	if _, body = fetch(t, base+"/log"); !strings.Contains(body, "broken at 100") {
		t.Error("a changed entry is not shown")
	}
}

// The stream begins with the present state and sends it anew when the box changes.
func TestLiveTouch(t *testing.T) {
	box := apitest.New(apitest.Household())
	box.Update(func(s *apitest.State) { s.Ceremony = ceremony(api.StageTouch) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, open(t, box)+"/touch/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	want := []string{"Touch the sensor now", "Signing once", "Signed at block 123461"}
	lines := bufio.NewScanner(resp.Body)
	for len(want) > 0 && lines.Scan() {
		line := lines.Text()
		if line != "" && !strings.HasPrefix(line, "data: ") && !strings.HasPrefix(line, ":") {
			t.Fatalf("a line of the stream is %q", line)
		}
		if !strings.Contains(line, want[0]) {
			continue
		}
		want = want[1:]
		switch len(want) {
		case 2:
			box.Update(func(s *apitest.State) { s.Ceremony = ceremony(api.StageSigning) })
		case 1:
			box.Update(func(s *apitest.State) { s.Ceremony = ceremony(api.StageIncluded) })
		}
	}
	if len(want) > 0 {
		t.Fatalf("the stream ended (%v) before %q", lines.Err(), want[0])
	}
}
