package api

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// silent is a box that has nothing to tell.
type silent struct{ Box }

func (silent) Events(ctx context.Context, _ func(Event) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// A quiet stream outlives the server's deadlines for ordinary requests.
func TestStreamOutlivesDeadlines(t *testing.T) {
	const deadline, beat, beats = 50 * time.Millisecond, 10 * time.Millisecond, 20
	s := httptest.NewUnstartedServer(newHandler(silent{}, beat))
	s.Config.ReadTimeout, s.Config.WriteTimeout = deadline, deadline
	s.Start()
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+eventsPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for n := 0; n < beats; {
		if !lines.Scan() {
			t.Fatalf("the stream ended after %d of %d beats: %v", n, beats, lines.Err())
		}
		if lines.Text() == ": alive" {
			n++
		}
	}
}

// A daemon that hangs without closing is given up and taken up again.
func TestClientGivesUpOnSilence(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	const hour = time.Hour
	tries := make(chan struct{}, 8)
	h := newHandler(silent{}, hour)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries <- struct{}{}
		h.ServeHTTP(w, r)
	}))
	defer s.Close()
	c := &Client{http: &http.Client{Transport: rewrite(s.Listener.Addr().String())}, silence: 20 * time.Millisecond}
	done := make(chan error, 1)
	go func() { done <- c.Events(ctx, func(Event) error { return nil }) }()
	for range 2 {
		select {
		case <-tries:
		case <-ctx.Done():
			t.Fatal("the client waits for a daemon that hangs")
		}
	}
	cancel()
	<-done
}

// rewrite sends every request to one address.
type rewrite string

func (a rewrite) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Host = string(a)
	return http.DefaultTransport.RoundTrip(r)
}
