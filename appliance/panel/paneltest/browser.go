// Package paneltest drives the panel with a headless Chromium and collects what the browser complains
// about. Only tests import it: the panel's own and those that run a whole box.
package paneltest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const runTime = 3 * time.Minute

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
	)
	b := &Browser{}
	ctx, stopTab := chromedp.NewContext(ctx, chromedp.WithListener(b.listen))
	ctx, stopClock := context.WithTimeout(ctx, runTime)
	b.Ctx = ctx
	t.Cleanup(func() {
		stopClock()
		stopTab()
		stopAllocator() // waits for the process
		_ = os.RemoveAll(profile)
		for _, c := range b.Complaints() {
			t.Errorf("the browser complained: %s", c)
		}
	})
	if _, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{}); err != nil {
		t.Fatalf("starting %s: %v", bin, err)
	}
	return b
}

func (b *Browser) listen(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		if ev.Type == runtime.ConsoleAPICalledTypeError || ev.Type == runtime.ConsoleAPICalledTypeWarning {
			b.complain(fmt.Sprintf("console %s: %s", ev.Type, arguments(ev.Args)))
		}
	case *runtime.EventExceptionThrown:
		b.complain("exception: " + ev.ExceptionDetails.Text + " " + arguments([]*runtime.RemoteObject{ev.ExceptionDetails.Exception}))
	case *cdplog.EventEntryAdded:
		if ev.Entry.Level == cdplog.EntryLevelError || ev.Entry.Level == cdplog.EntryLevelWarning {
			b.complain(fmt.Sprintf("%s %s: %s %s", ev.Entry.Source, ev.Entry.Level, ev.Entry.Text, ev.Entry.URL))
		}
	}
}

func arguments(args []*runtime.RemoteObject) string {
	var parts []string
	for _, a := range args {
		switch {
		case a == nil:
		case a.Description != "":
			parts = append(parts, a.Description)
		default:
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

// Do runs steps and fails the test at the first error.
func (b *Browser) Do(t testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.Ctx, steps...); err != nil {
		t.Fatalf("in the browser: %v", err)
	}
}

// Open goes to a page and waits until it is loaded.
func (b *Browser) Open(t testing.TB, url string) {
	t.Helper()
	b.Do(t, chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("h1")))
}

// Eval returns the value of a JavaScript expression in the page.
func Eval[T any](t testing.TB, b *Browser, expression string) T {
	t.Helper()
	v, err := chromedp.Run(b.Ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("in the browser: %s: %v", expression, err)
	}
	return v
}

// Press sends keys to whatever has the focus, as a keyboard would: see package kb for their names.
func (b *Browser) Press(t testing.TB, keys ...string) {
	t.Helper()
	for _, k := range keys {
		b.Do(t, chromedp.KeyEvent(k))
	}
}

// See waits until the page's visible text holds part; it survives navigation.
func (b *Browser) See(t testing.TB, part string) {
	t.Helper()
	const limit, pause = 20 * time.Second, 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(b.Ctx, limit)
	defer cancel()
	next := time.NewTicker(pause)
	defer next.Stop()
	text := ""
	for {
		// An error is a page that is being replaced: the next look sees the new one.
		if now, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText")); err == nil {
			text = now
		}
		if strings.Contains(text, part) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%q did not appear in %v; the page says:\n%s", part, limit, text)
		case <-next.C:
		}
	}
}

// Path is the path of the page that is shown.
func (b *Browser) Path(t testing.TB) string {
	t.Helper()
	return Eval[string](t, b, "location.pathname")
}
