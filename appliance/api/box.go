package api

import (
	"context"
	"io"
)

// Box is what the handler serves and the client is: the daemon in process, or through the socket.
// Each method's error is an *Error, or means that the box could not be reached.
type Box interface {
	Status(ctx context.Context) (Status, error)
	// Requests lists the newest requests first, at most limit.
	Requests(ctx context.Context, limit int) ([]Summary, error)
	// Review is what the human reads. The first call for a digest starts its reading time; showing the
	// same review again does not start it anew.
	Review(ctx context.Context, id uint64) (Review, error)
	// Payload opens the artefact: the bytes were checked against the digest before the first is read.
	Payload(ctx context.Context, id uint64) (io.ReadCloser, Payload, error)
	// PutPayload gives the box a payload that travels by digest.
	PutPayload(ctx context.Context, r io.Reader) (Payload, error)
	// Answer starts a ceremony; it returns once the sensor is armed.
	Answer(ctx context.Context, id uint64, a Answer) (Ceremony, error)
	Ceremony(ctx context.Context) (Ceremony, error)
	Cancel(ctx context.Context) (Ceremony, error)
	Enrol(ctx context.Context, r EnrolRequest) (Enrolment, error)
	Enrolment(ctx context.Context) (Enrolment, error)
	CancelEnrolment(ctx context.Context) (Enrolment, error)
	// Forget deletes a person at this box: the references, which nobody can match any more, and the vote
	// key. What the chain holds of the person stays there. It is a conflict while that person's answer
	// or anybody's enrolment is under way, and while a vote is signed and not yet proved.
	Forget(ctx context.Context, person string) error
	// Receipt builds the receipt file of a final request from proofs; see validator/receipt.
	Receipt(ctx context.Context, id uint64) ([]byte, error)
	// Audit lists entries after seq, oldest first, at most limit; Status tells the newest seq.
	Audit(ctx context.Context, after uint64, limit int) ([]Entry, error)
	// Events calls fn for each event until ctx ends; the first events give the present state.
	Events(ctx context.Context, fn func(Event) error) error
}
