package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	dialTime  = 2 * time.Second
	callTime  = 10 * time.Second
	fileTime  = 60 * time.Second
	maxReply  = 8 << 20 // bytes of a JSON reply or a receipt
	firstWait = 200 * time.Millisecond
	lastWait  = 5 * time.Second
)

// Client is a [Box] at the other end of a unix socket. It holds no connection that must be closed.
type Client struct {
	http    *http.Client
	silence time.Duration
}

var _ Box = (*Client)(nil)

// Dial names the socket. Nothing is sent yet, because the panel starts before vouchd may be there:
// until then each call returns [ErrUnreachable].
func Dial(socketPath string) *Client {
	d := &net.Dialer{Timeout: dialTime}
	return &Client{
		silence: silence,
		http: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return d.DialContext(ctx, "unix", socketPath)
			},
			IdleConnTimeout: 30 * time.Second,
		}},
	}
}

// Status implements [Box].
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/v1/status", nil, callTime)
}

// Requests implements [Box].
func (c *Client) Requests(ctx context.Context, limit int) ([]Summary, error) {
	return call[[]Summary](ctx, c, http.MethodGet, "/v1/requests?limit="+strconv.Itoa(limit), nil, callTime)
}

// Review implements [Box].
func (c *Client) Review(ctx context.Context, id uint64) (Review, error) {
	return call[Review](ctx, c, http.MethodGet, requestPath(id, ""), nil, callTime)
}

// Answer implements [Box].
func (c *Client) Answer(ctx context.Context, id uint64, a Answer) (Ceremony, error) {
	return call[Ceremony](ctx, c, http.MethodPost, requestPath(id, "/answer"), a, answerTime+callTime)
}

// Ceremony implements [Box].
func (c *Client) Ceremony(ctx context.Context) (Ceremony, error) {
	return call[Ceremony](ctx, c, http.MethodGet, "/v1/ceremony", nil, callTime)
}

// Cancel implements [Box].
func (c *Client) Cancel(ctx context.Context) (Ceremony, error) {
	return call[Ceremony](ctx, c, http.MethodDelete, "/v1/ceremony", nil, callTime)
}

// Enrol implements [Box].
func (c *Client) Enrol(ctx context.Context, r EnrolRequest) (Enrolment, error) {
	return call[Enrolment](ctx, c, http.MethodPost, "/v1/enrolment", r, answerTime+callTime)
}

// Enrolment implements [Box].
func (c *Client) Enrolment(ctx context.Context) (Enrolment, error) {
	return call[Enrolment](ctx, c, http.MethodGet, "/v1/enrolment", nil, callTime)
}

// CancelEnrolment implements [Box].
func (c *Client) CancelEnrolment(ctx context.Context) (Enrolment, error) {
	return call[Enrolment](ctx, c, http.MethodDelete, "/v1/enrolment", nil, callTime)
}

// Forget implements [Box].
func (c *Client) Forget(ctx context.Context, person string) error {
	_, err := call[struct{}](ctx, c, http.MethodDelete, "/v1/humans/"+url.PathEscape(person), nil, forgetTime+callTime)
	return err
}

// Audit implements [Box].
func (c *Client) Audit(ctx context.Context, after uint64, limit int) ([]Entry, error) {
	return call[[]Entry](ctx, c, http.MethodGet, fmt.Sprintf("/v1/audit?after=%d&limit=%d", after, limit), nil, callTime)
}

// Receipt implements [Box].
func (c *Client) Receipt(ctx context.Context, id uint64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fileTime)
	defer cancel()
	resp, err := c.do(ctx, http.MethodGet, requestPath(id, "/receipt"), "", nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return readAll(resp.Body)
}

// Payload implements [Box]. The reader fails when the box broke off before the last byte.
func (c *Client) Payload(ctx context.Context, id uint64) (io.ReadCloser, Payload, error) {
	ctx, cancel := context.WithTimeout(ctx, fileTime)
	resp, err := c.do(ctx, http.MethodGet, requestPath(id, "/payload"), "", nil)
	if err != nil {
		cancel()
		return nil, Payload{}, err
	}
	p := Payload{
		Digest:    resp.Header.Get(digestHeader),
		MediaType: resp.Header.Get("Content-Type"),
		Size:      uint64(max(resp.ContentLength, 0)),
		Available: true,
	}
	return &cancelling{resp.Body, cancel}, p, nil
}

// PutPayload implements [Box].
func (c *Client) PutPayload(ctx context.Context, r io.Reader) (Payload, error) {
	ctx, cancel := context.WithTimeout(ctx, fileTime)
	defer cancel()
	resp, err := c.do(ctx, http.MethodPost, "/v1/payloads", "application/octet-stream", r)
	if err != nil {
		return Payload{}, err
	}
	return decodeReply[Payload](resp)
}

// Events implements [Box]: a broken stream is taken up again, so that fn hears the present state anew.
// It returns ctx's error, fn's error, or the box's refusal.
func (c *Client) Events(ctx context.Context, fn func(Event) error) error {
	wait := firstWait
	for {
		err := c.stream(ctx, func(e Event) error {
			wait = firstWait
			return fn(e)
		})
		if s, ok := errors.AsType[stopped](err); ok {
			return s.error
		}
		if _, refused := errors.AsType[*Error](err); refused {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
			wait = min(2*wait, lastWait)
		}
	}
}

func (c *Client) stream(ctx context.Context, fn func(Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dead := time.AfterFunc(c.silence, cancel)
	defer dead.Stop()
	resp, err := c.do(ctx, http.MethodGet, eventsPath, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return readEvents(resp.Body, func() { dead.Reset(c.silence) }, fn)
}

func requestPath(id uint64, rest string) string {
	return "/v1/requests/" + strconv.FormatUint(id, 10) + rest
}

func call[T any](ctx context.Context, c *Client, method, path string, in any, limit time.Duration) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var none T
	var body io.Reader
	contentType := ""
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return none, err
		}
		body, contentType = bytes.NewReader(b), "application/json"
	}
	resp, err := c.do(ctx, method, path, contentType, body)
	if err != nil {
		return none, err
	}
	return decodeReply[T](resp)
}

// do returns a reply that succeeded, or the box's *Error.
func (c *Client) do(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://vouchd"+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	b, err := readAll(resp.Body)
	if err != nil {
		return nil, err
	}
	e := new(Error)
	if err := json.Unmarshal(b, e); err != nil || e.Code == "" {
		return nil, Errorf(CodeInternal, "vouchd answered %s without saying why; look at its log", resp.Status)
	}
	return nil, e
}

func decodeReply[T any](resp *http.Response) (T, error) {
	defer resp.Body.Close()
	var v T
	b, err := readAll(resp.Body)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, Errorf(CodeInternal, "the reply of vouchd is not what this version reads: %v", err)
	}
	return v, nil
}

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxReply+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if len(b) > maxReply {
		return nil, Errorf(CodeTooLarge, "the reply of vouchd has more than %d bytes", maxReply)
	}
	return b, nil
}

// cancelling frees a call's deadline when its body is closed.
type cancelling struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c *cancelling) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
}
