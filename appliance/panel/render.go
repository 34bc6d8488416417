package panel

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

//go:embed templates
var templates embed.FS

// parsePages makes one template set per screen: the layout, the parts and the screen.
func parsePages() (map[string]*template.Template, error) {
	base, err := template.New("").Funcs(template.FuncMap{
		"short": short, "long": long, "when": when, "iso": iso, "clock": clock, "size": size, "plural": plural, "hex": grouped,
		"decision": decisionWord, "state": stateWord, "sentence": sentence,
	}).ParseFS(templates, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return nil, err
	}
	screens, err := fs.Glob(templates, "templates/screen-*.html")
	if err != nil {
		return nil, err
	}
	pages := make(map[string]*template.Template, len(screens))
	for _, file := range screens {
		t, err := base.Clone()
		if err != nil {
			return nil, err
		}
		if t, err = t.ParseFS(templates, file); err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(path.Base(file), "screen-"), ".html")
		pages[name] = t
	}
	return pages, nil
}

// render executes into memory first, so that a template's error is an error page and not half a page.
func (p *Panel) render(w http.ResponseWriter, code int, name string, pg page) error {
	b, err := p.execute(name, "layout", pg)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b) // the browser is gone: nobody is left to tell
	return nil
}

func (p *Panel) execute(name, block string, data any) ([]byte, error) {
	t, ok := p.pages[name]
	if !ok {
		return nil, fmt.Errorf("no screen is called %q", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, block, data); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// short keeps both ends of an address or digest, by which people compare them.
func short(s string) string {
	const head, tail = 10, 6
	if len(s) <= head+tail+1 {
		return s
	}
	return s[:head] + "…" + s[len(s)-tail:]
}

// long reports an address or digest, which a log shows shortened.
func long(s string) bool {
	const most = 24
	return len(s) > most && !strings.ContainsAny(s, " \n")
}

// grouped breaks a digest into groups of eight, so that it can be read aloud and wraps on a phone.
func grouped(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && i%8 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2 Jan 2006, 15:04 UTC")
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func size(n uint64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

func plural(n any, one, many string) string {
	if fmt.Sprint(n) == "1" {
		return "1 " + one
	}
	return fmt.Sprint(n) + " " + many
}

func decisionWord(d string) string {
	switch d {
	case "approve":
		return "Approve"
	case "reject":
		return "Reject"
	case "abstain":
		return "Abstain"
	}
	return d
}

// sentence begins with a capital letter, as the details of errors need not.
func sentence(s string) string {
	first, n := utf8.DecodeRuneInString(s)
	if n == 0 || first == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(first)) + s[n:]
}
