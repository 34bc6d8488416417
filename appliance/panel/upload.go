package panel

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
)

const (
	fileField  = "file"
	uploadTime = 2 * time.Minute
	formAround = 64 << 10 // bytes of a multipart form besides the file
	// drained is how much of a form that is refused is still read: a browser that cannot send all of it
	// shows a broken connection instead of the reason.
	drained = 256 << 20 // bytes
)

// upload streams a file to the box, for a request whose payload travels by digest.
func (p *Panel) upload(w http.ResponseWriter, r *http.Request) error {
	id, err := requestID(r)
	if err != nil {
		return err
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	v, err := p.box.Review(r.Context(), id)
	if err != nil {
		return err
	}
	sent, err := p.handOver(w, r)
	if err == nil && sent.Digest != v.Payload.Digest {
		err = api.Errorf(api.CodeInvalid, "This is another file: its SHA-256 is %s, and the request names %s. Choose the file that the requester sent.", sent.Digest, v.Payload.Digest)
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		return p.showReview(w, r, id, e.Status, api.Answer{}, e)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/requests/"+r.PathValue("id"), http.StatusSeeOther)
	return nil
}

// handOver finds the form's file and gives it to the box as it comes.
func (p *Panel) handOver(w http.ResponseWriter, r *http.Request) (api.Payload, error) {
	body := http.MaxBytesReader(w, r.Body, drained)
	defer func() { _, _ = io.Copy(io.Discard, body) }()
	if r.ContentLength > api.MaxPayload+formAround {
		return api.Payload{}, tooLarge()
	}
	r.Body = body
	form, err := r.MultipartReader()
	if err != nil {
		return api.Payload{}, api.Errorf(api.CodeInvalid, "The form that came is not one of this panel. Go back and send it again.")
	}
	part, err := form.NextPart()
	if err != nil || part.FormName() != fileField || part.FileName() == "" {
		return api.Payload{}, api.Errorf(api.CodeInvalid, "No file came. Choose one first.")
	}
	return p.stream(r, part)
}

// stream reports what the browser broke off as that, not as a box that does not answer.
func (p *Panel) stream(r *http.Request, part *multipart.Part) (api.Payload, error) {
	source := &watched{from: io.LimitReader(part, api.MaxPayload+1)}
	sent, err := p.box.PutPayload(r.Context(), source)
	switch {
	case source.err != nil:
		return api.Payload{}, api.Errorf(api.CodeInvalid, "The file did not arrive whole. Send it again.")
	case source.n > api.MaxPayload:
		return api.Payload{}, tooLarge()
	}
	return sent, err
}

func tooLarge() error {
	return api.Errorf(api.CodeTooLarge, "The file is larger than %s, which is the most that a payload may have.", size(api.MaxPayload))
}

// watched remembers how many bytes came and what ended them early.
type watched struct {
	from io.Reader
	n    int64
	err  error
}

func (s *watched) Read(b []byte) (int, error) {
	n, err := s.from.Read(b)
	s.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}
