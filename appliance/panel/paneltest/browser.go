// Package paneltest drives the panel with a headless Chromium and collects what the browser complains
// about. Only tests import it: the panel's own and those that run a whole box.
package paneltest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const (
	startTime = 60 * time.Second
	runTime   = 3 * time.Minute
)

// Browser is one Chromium with one tab and a profile of its own. Ctx is for chromedp's actions and
// ends with the test.
type Browser struct {
	Ctx context.Context

	mu         sync.Mutex
	complaints []string
	allowed    []string
}

// New starts a browser. When the test ends, it fails if the browser logged an error, a warning, an
// uncaught exception or a breach of the content security policy that was not allowed.
func New(t testing.TB) *Browser {
	t.Helper()
	bin, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("this test drives a browser: apt install chromium")
	}
	profile, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stopAllocator := chromedp.NewExecAllocator(t.Context(),
		chromedp.ExecPath(bin), chromedp.UserDataDir(profile),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-extensions", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("mute-audio", true),
		chromedp.WSURLReadTimeout(startTime),
	)
	ctx, stopTab := chromedp.NewContext(ctx)
	ctx, stopClock := context.WithTimeout(ctx, runTime)
	b := &Browser{Ctx: ctx}
	t.Cleanup(func() {
		stopClock()
		stopTab()
		stopAllocator() // waits for the process
		_ = os.RemoveAll(profile)
		for _, c := range b.Complaints() {
			t.Errorf("the browser complained: %s", c)
		}
	})
	chromedp.ListenTarget(ctx, b.listen)
	if err := chromedp.Run(ctx, cdplog.Enable()); err != nil {
		t.Fatalf("starting %s: %v", bin, err)
	}
	return b
}

func (b *Browser) listen(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.APITypeError || ev.Type == runtime.APITypeWarning {
			b.complain(fmt.Sprintf("console %s: %s", ev.Type, arguments(ev.Args)))
		}
	case *runtime.EventExceptionThrown:
		b.complain("exception: " + ev.ExceptionDetails.Error())
	case *cdplog.EventEntryAdded:
		if ev.Entry.Level == cdplog.LevelError || ev.Entry.Level == cdplog.LevelWarning {
			b.complain(fmt.Sprintf("%s %s: %s %s", ev.Entry.Source, ev.Entry.Level, ev.Entry.Text, ev.Entry.URL))
		}
	}
}

func arguments(args []*runtime.RemoteObject) string {
	var parts []string
	for _, a := range args {
		if a.Description != "" {
			parts = append(parts, a.Description)
		} else {
			parts = append(parts, string(a.Value))
		}
	}
	return strings.Join(parts, " ")
}

func (b *Browser) complain(s string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.complaints = append(b.complaints, s)
}

// Allow accepts complaints that hold part, such as the status of an error page that a test wants.
func (b *Browser) Allow(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.allowed = append(b.allowed, part)
}

// Complaints lists what was logged so far and not allowed.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
next:
	for _, c := range b.complaints {
		for _, part := range b.allowed {
			if strings.Contains(c, part) {
				continue next
			}
		}
		out = append(out, c)
	}
	return out
}

// Run runs actions and fails the test at the first error.
func (b *Browser) Run(t testing.TB, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(b.Ctx, actions...); err != nil {
		t.Fatalf("in the browser: %v", err)
	}
}

// Press sends keys to whatever has the focus, as a keyboard would: see package kb for their names.
func (b *Browser) Press(t testing.TB, keys ...string) {
	t.Helper()
	for _, k := range keys {
		b.Run(t, chromedp.KeyEvent(k))
	}
}

// See waits until the page's visible text holds part.
func (b *Browser) See(t testing.TB, part string) {
	t.Helper()
	const limit = 20 * time.Second
	ctx, cancel := context.WithTimeout(b.Ctx, limit)
	defer cancel()
	expression := fmt.Sprintf("document.body && document.body.innerText.includes(%q)", part)
	if err := chromedp.Run(ctx, chromedp.Poll(expression, nil, chromedp.WithPollingInterval(50*time.Millisecond))); err != nil {
		var text string
		_ = chromedp.Run(b.Ctx, chromedp.Evaluate("document.body.innerText", &text))
		t.Fatalf("%q did not appear: %v; the page says:\n%s", part, err, text)
	}
}

// View is a window that screenshots are taken in.
type View struct {
	Name          string
	Width, Height int64 // CSS px
	Dark          bool
}

// Views are a desktop and a phone, light and dark.
func Views() []View {
	return []View{
		{"desktop-light", 1280, 800, false}, {"desktop-dark", 1280, 800, true},
		{"phone-light", 360, 740, false}, {"phone-dark", 360, 740, true},
	}
}

// Show makes the window that view. Motion is reduced, so that pictures compare.
func (b *Browser) Show(t testing.TB, v View) {
	t.Helper()
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	b.Run(t,
		emulation.SetDeviceMetricsOverride(v.Width, v.Height, 1, v.Width < 600),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}),
	)
}

// Screenshot saves the whole page as NAME.png in [Artifacts].
func (b *Browser) Screenshot(t testing.TB, v View, name string) {
	t.Helper()
	var png []byte
	var height int64
	b.Run(t, chromedp.Evaluate("Math.ceil(document.documentElement.scrollHeight)", &height))
	b.Run(t,
		emulation.SetDeviceMetricsOverride(v.Width, max(height, v.Height), 1, v.Width < 600),
		chromedp.ActionFunc(func(ctx context.Context) error {
			var err error
			png, err = page.CaptureScreenshot().Do(ctx)
			return err
		}),
		emulation.SetDeviceMetricsOverride(v.Width, v.Height, 1, v.Width < 600),
	)
	file := filepath.Join(Artifacts(t), name+".png")
	if err := os.WriteFile(file, png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Artifacts is the folder for what a person looks at after a test: $VOUCH_ARTIFACTS, else
// .artifacts/panel at the root of the module.
func Artifacts(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("VOUCH_ARTIFACTS")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			up := filepath.Dir(root)
			if up == root {
				t.Fatal("no go.mod above the working directory: set VOUCH_ARTIFACTS")
			}
			root = up
		}
		dir = filepath.Join(root, ".artifacts", "panel")
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Path is the path of the page that is shown.
func (b *Browser) Path(t testing.TB) string {
	t.Helper()
	var at string
	b.Run(t, chromedp.Location(&at))
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}
