package paneltest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

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
	_, err := chromedp.Call(b.Ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		},
	})
	if err != nil {
		t.Fatalf("in the browser: %v", err)
	}
	b.window(t, v.Width, v.Height)
}

func (b *Browser) window(t testing.TB, width, height int64) {
	t.Helper()
	const phone = 600 // px; narrower windows are touch screens
	_, err := chromedp.Call(b.Ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < phone,
	})
	if err != nil {
		t.Fatalf("in the browser: %v", err)
	}
}

// Screenshot saves the whole page as NAME.png in [Artifacts].
func (b *Browser) Screenshot(t testing.TB, v View, name string) {
	t.Helper()
	b.window(t, v.Width, max(v.Height, Eval[int64](t, b, "document.documentElement.scrollHeight")))
	png, err := chromedp.Call(b.Ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err != nil {
		t.Fatalf("in the browser: %v", err)
	}
	b.window(t, v.Width, v.Height)
	if err := os.WriteFile(filepath.Join(Artifacts(t), name+".png"), png.Data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Artifacts is the folder for what a person looks at after a test: $VOUCH_ARTIFACTS, else
// .artifacts/panel at the root of the module.
func Artifacts(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("VOUCH_ARTIFACTS")
	if dir == "" {
		dir = filepath.Join(moduleRoot(t), ".artifacts", "panel")
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	return dir
}

func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			t.Fatal("no go.mod above the working directory: set VOUCH_ARTIFACTS")
		}
		dir = filepath.Dir(dir)
	}
}
