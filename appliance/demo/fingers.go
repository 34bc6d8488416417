package main

import (
	"context"
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

var page = template.Must(template.New("sensor").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>The demo's sensor</title><link rel="stylesheet" href="/sensor.css"></head>
<body><main>
<h1>The demo's fingerprint sensor</h1>
<p>This page stands in for a finger. It is part of the demo, not of the product: the box sees a serial fingerprint module, and a picture of a synthetic finger that no person has.</p>
{{with .}}<p role="status">{{.}}</p>{{end}}
<form method="post" action="/touch"><button name="who" value="ada">Touch with the enrolled finger (Ada)</button>
<button name="who" value="stranger">Touch with a stranger's finger</button></form>
<p>Press one while the box asks for a touch. To enrol, press Ada's until the box is content.</p>
</main></body></html>
`))

const css = `:root{color-scheme:light dark}body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;display:grid;min-height:100vh;place-items:center}
main{max-width:36rem;padding:2rem}button{font:inherit;display:block;width:100%;margin:.75rem 0;padding:1rem;border-radius:.75rem;border:1px solid;background:Canvas;color:CanvasText;cursor:pointer}
button:hover,button:focus-visible{outline:3px solid Highlight}`

// serve shows the sensor page until ctx ends.
func (f *fingers) serve(ctx context.Context, address string) (url string, err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("open the sensor page: %w", err)
	}
	mux := http.NewServeMux()
	show := func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		if err := page.Execute(w, text); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { show(w, "") })
	mux.HandleFunc("GET /sensor.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write([]byte(css))
	})
	mux.HandleFunc("POST /touch", func(w http.ResponseWriter, r *http.Request) {
		finger, who := f.ada, "Ada's finger"
		if r.PostFormValue("who") == "stranger" {
			finger, who = f.stranger, "a stranger's finger"
		}
		if err := f.touch(r.Context(), finger); err != nil {
			show(w, "Nobody read "+who+": the box is not asking for a touch.")
			return
		}
		show(w, "The sensor read "+who+". See the panel.")
	})
	server := &http.Server{Handler: http.NewCrossOriginProtection().Handler(mux), ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(l) }()
	return "http://" + l.Addr().String(), nil
}
