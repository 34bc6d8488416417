package paneltest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// A collector that hears nothing would let every test pass.
func TestComplaintsAreHeard(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'")
		switch r.URL.Path {
		case "/broken.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write([]byte(`console.error("said"); throw new Error("thrown")`))
		default:
			_, _ = w.Write([]byte(`<h1 style="color: red">x</h1><script>1</script><script src="/broken.js"></script>`))
		}
	}))
	defer s.Close()
	b := New(t)
	b.Do(t, chromedp.Navigate(s.URL))
	b.See(t, "x")
	heard := strings.Join(b.Complaints(), "\n")
	for _, want := range []string{"inline style", "inline script", `console error: "said"`, "thrown"} {
		if !strings.Contains(heard, want) {
			t.Errorf("%q was not heard in:\n%s", want, heard)
		}
	}
	for _, part := range []string{"security", "said", "thrown", "favicon"} {
		b.Allow(part)
	}
}
