package api_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/api/apitest"
)

func TestBoxConforms(t *testing.T) {
	apitest.Conform(t, func(_ *testing.T, box *apitest.Box) api.Box { return box })
}

func TestHandlerAndClientConform(t *testing.T) {
	apitest.Conform(t, func(t *testing.T, box *apitest.Box) api.Box {
		path := socketPath(t)
		serve(t, path, box, isMe)
		return api.Dial(path)
	})
}

func isMe(uid uint32) bool { return uid == uint32(os.Getuid()) }

// socketPath is short: sun_path holds 108 bytes (unix(7)).
func socketPath(t *testing.T) string {
	dir, err := os.MkdirTemp("", "api")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "vouchd.sock")
}

// serve returns a function that stops the server and waits for it.
func serve(t *testing.T, path string, box api.Box, allow func(uint32) bool) func() {
	t.Helper()
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.ServeListener(ctx, l, box, allow) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func TestSocket(t *testing.T) {
	path := socketPath(t)
	box := apitest.New(apitest.Household())

	// A daemon that was killed leaves its name behind.
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if err := dead.Close(); err != nil {
		t.Fatal(err)
	}
	stop := serve(t, path, box, isMe)
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o660 {
		t.Fatalf("mode of the socket = %v, %v, want 0660", info.Mode(), err)
	}
	if _, err := api.Listen(path); err == nil || !strings.Contains(err.Error(), "another vouchd answers") {
		t.Fatalf("a second daemon: err = %v, want a refusal", err)
	}
	if _, err := api.Dial(path).Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("after the stop: err = %v, want no socket", err)
	}
	if _, err := api.Dial(path).Status(t.Context()); !errors.Is(err, api.ErrUnreachable) {
		t.Fatalf("Status without a daemon = %v, want ErrUnreachable", err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := api.Listen(path); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Fatalf("over a file: err = %v, want a refusal", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Fatalf("the file = %q, %v: it was touched", b, err)
	}
}

func TestOnlyAllowedUsers(t *testing.T) {
	path := socketPath(t)
	asked := make(chan uint32, 8)
	serve(t, path, apitest.New(apitest.Household()), func(uid uint32) bool { asked <- uid; return false })
	_, err := api.Dial(path).Status(t.Context())
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != api.CodeForbidden || e.Status != http.StatusForbidden {
		t.Fatalf("err = %v, want forbidden", err)
	}
	if uid := <-asked; uid != uint32(os.Getuid()) {
		t.Fatalf("the kernel named user %d, this is %d", uid, os.Getuid())
	}
	err = api.Dial(path).Events(t.Context(), func(api.Event) error { return nil })
	if e, ok := errors.AsType[*api.Error](err); !ok || e.Code != api.CodeForbidden {
		t.Fatalf("Events = %v, want the refusal at once and no new try", err)
	}
}

func TestNoPeerNoAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- api.ServeListener(ctx, l, apitest.New(apitest.Household()), func(uint32) bool { return true })
	}()
	resp, err := http.Get("http://" + l.Addr().String() + "/v1/status")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("over TCP, where nobody vouches for the user: %s, want 403", resp.Status)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// A restarted daemon is taken up again, and the first events are its present state.
func TestEventsReconnect(t *testing.T) {
	path := socketPath(t)
	box := apitest.New(apitest.Household())
	stop := serve(t, path, box, isMe)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var once sync.Once
	enough := errors.New("enough")
	err := api.Dial(path).Events(ctx, func(e api.Event) error {
		if e.Kind != "status" {
			return nil
		}
		once.Do(func() {
			go func() {
				stop()
				box.Update(func(s *apitest.State) { s.Status.Box = "after the restart" })
				serve(t, path, box, isMe)
			}()
		})
		if e.Status.Box == "after the restart" {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("Events = %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	path := socketPath(t)
	serve(t, path, apitest.New(apitest.Household()), isMe)
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}
	const asJSON = "application/json"
	for _, c := range []struct {
		name, method, path, contentType, body string
		status                                int
		code                                  string
	}{
		{"unknown field", "POST", "/v1/enrolment", asJSON, `{"name":"Bo","consent":true,"admin":true}`, 422, api.CodeInvalid},
		{"two values", "POST", "/v1/enrolment", asJSON, `{"name":"Bo","consent":true}{}`, 422, api.CodeInvalid},
		{"no body", "POST", "/v1/enrolment", asJSON, "", 422, api.CodeInvalid},
		{"not JSON by its type", "POST", "/v1/enrolment", "text/plain", `{"name":"Bo","consent":true}`, 422, api.CodeInvalid},
		{"no consent", "POST", "/v1/enrolment", asJSON, `{"name":"Bo","consent":false}`, 422, api.CodeInvalid},
		{"name with a line break", "POST", "/v1/enrolment", asJSON, `{"name":"Bo\nroot","consent":true}`, 422, api.CodeInvalid},
		{"long body", "POST", "/v1/enrolment", asJSON, `{"name":"` + strings.Repeat("a", api.MaxBody) + `"}`, 413, api.CodeTooLarge},
		{"no such request number", "GET", "/v1/requests/-1", "", "", 422, api.CodeInvalid},
		{"limit too high", "GET", "/v1/requests?limit=501", "", "", 422, api.CodeInvalid},
		{"after is no number", "GET", "/v1/audit?after=x", "", "", 422, api.CodeInvalid},
		{"no such path", "GET", "/v1/keys", "", "", 404, api.CodeNotFound},
		{"wrong method", "DELETE", "/v1/status", "", "", 404, api.CodeNotFound},
		{"payload too large", "POST", "/v1/payloads", "application/octet-stream", strings.Repeat("a", api.MaxPayload+1), 413, api.CodeTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), c.method, "http://vouchd"+c.path, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", c.contentType)
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("Content-Type = %q", got)
			}
			if resp.StatusCode != c.status || !bytes.Contains(b, []byte(`"code":"`+c.code+`"`)) {
				t.Errorf("%s %s, want %d %s", resp.Status, b, c.status, c.code)
			}
		})
	}
}

// A payload that breaks off is an error for the reader, not a short clip.
func TestPayloadBreaksOff(t *testing.T) {
	path := socketPath(t)
	serve(t, path, short{apitest.New(apitest.Household())}, isMe)
	r, _, err := api.Dial(path).Payload(t.Context(), apitest.Open)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err == nil {
		t.Fatalf("read %d bytes without an error", len(b))
	}
}

type short struct{ *apitest.Box }

func (s short) Payload(ctx context.Context, id uint64) (io.ReadCloser, api.Payload, error) {
	r, p, err := s.Box.Payload(ctx, id)
	if err != nil {
		return nil, p, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, 100), r}, p, nil
}
