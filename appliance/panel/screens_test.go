package panel_test

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the golden outlines anew")

func fetch(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url)
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

// Each screen's outline is what a person reads and can press, without the frame: see testdata.
func TestOutlines(t *testing.T) {
	for _, s := range screens() {
		t.Run(s.name, func(t *testing.T) {
			_, body := fetch(t, open(t, in(s))+s.path)
			got := outline(t, body)
			if s.name == "about" {
				got = got[:strings.Index(got, "details")] // what follows depends on the build
			}
			file := filepath.Join("testdata", s.name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got), go test -update writes it anew\n%s", diff)
			}
		})
	}
}

// outline prints main's headings, text, links and form controls, a line each.
func outline(t *testing.T, body string) string {
	t.Helper()
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.ElementNode {
			switch n.Data {
			case "svg", "script":
				return
			case "h1", "h2", "h3", "p", "dt", "dd", "li", "legend", "label", "summary", "button", "a", "figcaption", "pre":
				if text := words(n); text != "" && !hasBlock(n) {
					b.WriteString(n.Data)
					if n.Data == "a" {
						b.WriteString(" " + attr(n, "href"))
					}
					if n.Data == "button" && attr(n, "name") != "" {
						b.WriteString(" " + attr(n, "name") + "=" + attr(n, "value"))
					}
					b.WriteString(": " + text + "\n")
				}
			case "input", "textarea", "audio", "form", "progress", "details":
				b.WriteString(n.Data)
				for _, k := range []string{"type", "name", "value", "action", "src", "max"} {
					if v := attr(n, k); v != "" {
						b.WriteString(" " + k + "=" + v)
					}
				}
				b.WriteString("\n")
			}
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
	}
	walk(find(t, parse(t, body), "main"))
	return b.String()
}

// hasBlock reports whether n's text is printed by elements inside it.
func hasBlock(n *html.Node) bool {
	for d := range n.Descendants() {
		switch d.Data {
		case "p", "dl", "ul", "h3":
			return true
		}
	}
	return false
}

func parse(t *testing.T, body string) *html.Node {
	t.Helper()
	n, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func find(t *testing.T, root *html.Node, element string) *html.Node {
	t.Helper()
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == element {
			return n
		}
	}
	t.Fatalf("no %s", element)
	return nil
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

func words(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// What the content security policy and a person without a mouse, an eye or a network rely on.
func TestEveryScreenKeepsTheRules(t *testing.T) {
	external := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9]`)
	for _, s := range screens() {
		t.Run(s.name, func(t *testing.T) {
			resp, body := fetch(t, open(t, in(s))+s.path)
			if csp := resp.Header.Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self';") {
				t.Errorf("Content-Security-Policy = %q", csp)
			}
			for k, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin", "X-Frame-Options": "DENY", "Cache-Control": "no-store",
			} {
				if got := resp.Header.Get(k); got != want {
					t.Errorf("%s = %q, want %q", k, got, want)
				}
			}
			if m := external.FindString(body); m != "" {
				t.Errorf("the page names an address outside the box: %s", m)
			}
			root := parse(t, body)
			headings, labelled := 0, map[string]bool{}
			for n := range root.Descendants() {
				if n.Data == "label" && attr(n, "for") != "" {
					labelled[attr(n, "for")] = true
				}
			}
			for n := range root.Descendants() {
				if n.Type != html.ElementNode {
					continue
				}
				for _, a := range n.Attr {
					if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Key, "hx-on") || a.Key == "style" || strings.HasPrefix(strings.TrimSpace(a.Val), "javascript:") {
						t.Errorf("<%s %s=%q>: no inline script or style", n.Data, a.Key, a.Val)
					}
				}
				switch n.Data {
				case "h1":
					headings++
				case "style":
					t.Error("an inline style sheet")
				case "script":
					if attr(n, "src") == "" {
						t.Error("an inline script")
					}
				case "form":
					if attr(n, "method") != "post" {
						t.Errorf("form %q is not a POST: no GET changes anything", attr(n, "action"))
					}
				case "button", "a", "summary":
					if words(n) == "" && attr(n, "aria-label") == "" && !has(n, "hidden") {
						t.Errorf("a %s without a name", n.Data)
					}
				case "input", "textarea", "select":
					inLabel := false
					for p := n.Parent; p != nil; p = p.Parent {
						inLabel = inLabel || p.Data == "label"
					}
					if attr(n, "type") != "hidden" && !inLabel && !labelled[attr(n, "id")] {
						t.Errorf("%s %q has no label", n.Data, attr(n, "name"))
					}
				}
			}
			if headings != 1 {
				t.Errorf("%d h1, want 1", headings)
			}
		})
	}
}

// The heaviest page with all that it loads, uncompressed, the clip aside.
func TestPageWeight(t *testing.T) {
	const budget = 150 << 10
	for _, s := range screens() {
		url := open(t, in(s))
		_, body := fetch(t, url+s.path)
		total := len(body)
		for n := range parse(t, body).Descendants() {
			ref := ""
			switch n.Data {
			case "script":
				ref = attr(n, "src")
			case "link":
				ref = attr(n, "href")
			}
			if ref != "" {
				resp, file := fetch(t, url+ref)
				if resp.StatusCode != http.StatusOK {
					t.Errorf("%s: %s", ref, resp.Status)
				}
				total += len(file)
			}
		}
		if total > budget {
			t.Errorf("%s weighs %d bytes, want at most %d", s.name, total, budget)
		}
	}
}

// The vendored files are the ones of htmx.org 4.0.1, and all that is vendored is listed.
func TestVendored(t *testing.T) {
	list, err := os.ReadFile("static/vendor.sha256")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		want, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("a line is no digest and name: %q", line)
		}
		raw, err := os.ReadFile(filepath.Join("static", name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s was changed", name)
		}
		listed[name] = true
	}
	scripts, err := filepath.Glob("static/*.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scripts {
		if !listed[filepath.Base(s)] {
			t.Errorf("%s is not in vendor.sha256", s)
		}
	}
	if len(listed) < 3 {
		t.Errorf("%d files listed, want two scripts and a licence", len(listed))
	}
}
