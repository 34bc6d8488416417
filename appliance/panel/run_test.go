package panel_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/api/apitest"
	"github.com/vouchbox/vouch/appliance/panel"
	"github.com/vouchbox/vouch/appliance/panel/paneltest"
)

// daemon serves a box on the socket and returns what stops it.
func daemon(t *testing.T, path string, box api.Box) func() {
	t.Helper()
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.ServeListener(ctx, l, box, func(uint32) bool { return true }) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// The panel starts before vouchd, waits, shows the box, says when it goes, and goes on when it is back.
func TestRunOutlivesVouchd(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "panel") // short: sun_path holds 108 bytes (unix(7))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")

	ctx, cancel := context.WithCancel(context.Background())
	out, stdout := io.Pipe()
	done := make(chan error, 1)
	var log bytes.Buffer
	go func() {
		done <- panel.Run(ctx, []string{"--socket", socket, "--listen", "127.0.0.1:0"}, stdout, &log)
	}()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var ready panel.Ready
	if err := json.Unmarshal(line, &ready); err != nil || !ready.Ready || !strings.HasPrefix(ready.URL, "http://127.0.0.1:") {
		t.Fatalf("ready line %s: %v", line, err)
	}

	resp, body := fetch(t, ready.URL+"/requests/12")
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, `<meta http-equiv="refresh" content="3">`) {
		t.Errorf("without vouchd: %s", resp.Status)
	}
	b := paneltest.New(t)
	b.Allow("status of 503")
	b.Open(t, ready.URL+"/")
	b.See(t, "Waiting for the box")
	box := apitest.New(apitest.Household())
	stop := daemon(t, socket, box)
	b.See(t, "1 request waits for your answer")
	stop()
	b.See(t, "The box does not answer")
	box.Update(func(s *apitest.State) { s.Reviews = nil })
	daemon(t, socket, box)
	b.See(t, "Nothing needs you")

	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v, want a clean stop", err)
	}
	b.Allow("ERR_") // the open page lost its server
}

func TestRunRefuses(t *testing.T) {
	for name, args := range map[string][]string{
		"an address of the network": {"--listen", "0.0.0.0:0"},
		"an argument":               {"x"},
		"an unknown flag":           {"--prove"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := panel.Run(t.Context(), args, &out, io.Discard); err == nil {
				t.Error("no error")
			}
			if out.Len() > 0 {
				t.Errorf("it said that it is ready: %s", &out)
			}
		})
	}
}
