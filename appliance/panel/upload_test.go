package panel_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/api/apitest"
)

// hand sends a file as the panel's form does.
func hand(t *testing.T, base, path, field, name string, content io.Reader) (*http.Response, string) {
	t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile(field, name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(part, content); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	return raw(t, base, path, form.FormDataContentType(), &b)
}

func raw(t *testing.T, base, path, contentType string, body io.Reader) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Origin", base)
	return send(t, req)
}

// away is a box that waits for the payload of its open request.
func away() *apitest.Box {
	box := apitest.New(apitest.Household())
	box.Update(func(s *apitest.State) {
		s.Reviews[0].Blocked, s.Reviews[0].Payload.Available, s.Payloads = "The payload is not on this box.", false, nil
	})
	return box
}

func TestHandOverTheFile(t *testing.T) {
	box := away()
	base := open(t, box)
	if _, body := fetch(t, base+"/requests/12"); !strings.Contains(body, `enctype="multipart/form-data"`) {
		t.Fatal("the review does not ask for the file")
	}
	resp, _ := hand(t, base, "/requests/12/payload", "file", "clip.wav", bytes.NewReader(apitest.Clip()))
	redirects(t, resp, "/requests/12")
	body, p, err := box.Payload(t.Context(), apitest.Open)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(got, apitest.Clip()) || p.Digest != apitest.Household().Reviews[0].Payload.Digest {
		t.Errorf("the box has %d bytes of %s, %v", len(got), p.Digest, err)
	}
	if _, body := fetch(t, base+"/requests/12"); strings.Contains(body, "multipart/form-data") {
		t.Error("the review still asks for the file")
	}
}

func TestHandOverRefused(t *testing.T) {
	const wrong = "a0ef093e96e2e57c86a5131a3e2c0b5e9b1d2b8a5b9d6c3f" // any text but the clip
	for _, c := range []struct {
		name   string
		send   func(t *testing.T, base string) (*http.Response, string)
		status int
		says   string
	}{
		{"another file", func(t *testing.T, base string) (*http.Response, string) {
			return hand(t, base, "/requests/12/payload", "file", "clip.wav", strings.NewReader(wrong))
		}, 422, "This is another file"},
		{"no file chosen", func(t *testing.T, base string) (*http.Response, string) {
			return hand(t, base, "/requests/12/payload", "file", "", strings.NewReader(""))
		}, 422, "Choose one first"},
		{"another field", func(t *testing.T, base string) (*http.Response, string) {
			return hand(t, base, "/requests/12/payload", "other", "clip.wav", strings.NewReader(wrong))
		}, 422, "Choose one first"},
		{"too large by a byte", func(t *testing.T, base string) (*http.Response, string) {
			return hand(t, base, "/requests/12/payload", "file", "clip.wav", bytes.NewReader(make([]byte, api.MaxPayload+1)))
		}, 413, "larger than 16.0 MiB"},
		{"too large by far", func(t *testing.T, base string) (*http.Response, string) {
			return hand(t, base, "/requests/12/payload", "file", "clip.wav", bytes.NewReader(make([]byte, 2*api.MaxPayload)))
		}, 413, "larger than 16.0 MiB"},
		{"broken off", func(t *testing.T, base string) (*http.Response, string) {
			return raw(t, base, "/requests/12/payload", "multipart/form-data; boundary=b",
				strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"clip.wav\"\r\n\r\nRIFF"))
		}, 422, "did not arrive whole"},
		{"no multipart form", func(t *testing.T, base string) (*http.Response, string) {
			return raw(t, base, "/requests/12/payload", "application/x-www-form-urlencoded", strings.NewReader("file=x"))
		}, 422, "not one of this panel"},
		{"no such request", func(t *testing.T, base string) (*http.Response, string) {
			return hand(t, base, "/requests/404/payload", "file", "clip.wav", strings.NewReader(wrong))
		}, 404, "no request 404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := open(t, away())
			resp, body := c.send(t, base)
			if resp.StatusCode != c.status || !strings.Contains(body, c.says) {
				t.Errorf("%s, want %d and %q in\n%s", resp.Status, c.status, c.says, outline(t, body))
			}
		})
	}
}

// The refusal of a wrong file names both digests, so that a person can compare.
func TestWrongFileNamesBothDigests(t *testing.T) {
	_, body := hand(t, open(t, away()), "/requests/12/payload", "file", "x", strings.NewReader("abc"))
	for _, digest := range []string{
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", // FIPS 180-4's example
		apitest.Household().Reviews[0].Payload.Digest,
	} {
		if !strings.Contains(body, digest) {
			t.Errorf("%s is not named", digest)
		}
	}
}

// The largest payload passes through the local socket as through the browser.
func TestHandOverLargest(t *testing.T) {
	box := away()
	big := make([]byte, api.MaxPayload)
	digest, err := box.PutPayload(t.Context(), bytes.NewReader(big))
	if err != nil {
		t.Fatal(err)
	}
	box.Update(func(s *apitest.State) { s.Reviews[0].Payload.Digest, s.Payloads = digest.Digest, nil })
	resp, _ := hand(t, open(t, box), "/requests/12/payload", "file", "big.bin", bytes.NewReader(big))
	redirects(t, resp, "/requests/12")
}
