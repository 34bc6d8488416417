package main

import (
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/vouchbox/vouch/drivers/drivertest"
	"github.com/vouchbox/vouch/drivers/r503"
	"github.com/vouchbox/vouch/sensors/synth"
)

// The two people of the story, by the seed of their finger.
const (
	adaSeed      = 2024
	strangerSeed = 77
)

// fingers puts synthetic fingers on the virtual sensor. No two touches are alike.
type fingers struct {
	module   *drivertest.R503
	ada      *synth.Finger
	stranger *synth.Finger

	mu      sync.Mutex
	touches uint64
}

func newFingers(module *drivertest.R503) *fingers {
	return &fingers{
		module:   module,
		ada:      synth.NewFinger(adaSeed, synth.AnyClass),
		stranger: synth.NewFinger(strangerSeed, synth.AnyClass),
	}
}

// touchLimit is how long a finger stays when nobody reads it.
const touchLimit = 6 * time.Second

// touch puts a finger down until the box has read one picture of it, then lifts it. The box must have
// seen the sensor free before, or it takes the touch for the last one.
func (f *fingers) touch(ctx context.Context, finger *synth.Finger) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.touches++
	wait, cancel := context.WithTimeout(ctx, touchLimit)
	defer cancel()
	if err := f.module.Await(wait, r503.InsCapture, f.module.Count(r503.InsCapture)+2); err != nil {
		return fmt.Errorf("the box does not look for a finger: %w", err)
	}
	before := f.module.Count(r503.InsUploadImage)
	f.module.Touch(finger.Impression(f.touches, synth.Touch(f.touches)).Image)
	err := f.module.Await(wait, r503.InsUploadImage, before+1)
	// The picture is on its way; the finger stays until the module is asked for the next one.
	f.module.Lift()
	if err != nil {
		return fmt.Errorf("the box did not read the finger: %w", err)
	}
	return nil
}

//go:embed sensor.html
var sensorHTML string

//go:embed sensor.css
var sensorCSS []byte

var sensorPage = template.Must(template.New("sensor").Funcs(template.FuncMap{"fingers": func() map[string]string {
	return map[string]string{"ada": "Touch with your finger", "stranger": "Touch with a stranger's finger"}
}}).Parse(sensorHTML))

// outcome tells what became of the last touch.
type outcome struct{ Kind, Text string }

// outcomes by the name that stands in the page's address: reloading the page touches nothing.
var outcomes = map[string]outcome{
	"ada":      {"read", "The sensor read your finger. See the panel."},
	"stranger": {"read", "The sensor read a stranger's finger. See the panel."},
	"nobody":   {"unread", "Nobody read the finger: the box does not ask for a touch now. Start in the panel."},
}

// serve shows the sensor page until ctx ends.
func (f *fingers) serve(ctx context.Context, address string) (url string, err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("open the sensor page: %w", err)
	}
	server := &http.Server{Handler: http.NewCrossOriginProtection().Handler(f.pages()), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(l) }()
	return "http://" + l.Addr().String(), nil
}

func (f *fingers) pages() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "no-store")
		var said any
		if o, ok := outcomes[r.FormValue("touched")]; ok {
			said = o
		}
		if err := sensorPage.Execute(w, said); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /sensor.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(sensorCSS)
	})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /touch", func(w http.ResponseWriter, r *http.Request) {
		who := r.PostFormValue("who")
		finger, ok := map[string]*synth.Finger{"ada": f.ada, "stranger": f.stranger}[who]
		if !ok {
			http.Error(w, "There is no such finger.", http.StatusBadRequest)
			return
		}
		if err := f.touch(r.Context(), finger); err != nil {
			who = "nobody"
		}
		http.Redirect(w, r, "/?touched="+who, http.StatusSeeOther)
	})
	return mux
}
