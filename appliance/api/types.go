package api

import "time"

// Status is the box at a glance.
type Status struct {
	Box      string    `json:"box"`     // the owner's name for it
	Version  string    `json:"version"` // of vouchd
	Owner    string    `json:"owner"`   // bech32 account of the box
	Balance  string    `json:"balance"` // light-verified, "12.5 HEART"
	Chain    Chain     `json:"chain"`
	TPM      TPM       `json:"tpm"`
	Sensor   Sensor    `json:"sensor"`
	Humans   []Human   `json:"humans"`
	GPU      GPU       `json:"gpu"`
	Problems []Problem `json:"problems"` // what is wrong now, worst first
	Audit    AuditHead `json:"audit"`
	Now      time.Time `json:"now"`
}

// Chain is the light client's view.
type Chain struct {
	ID     string    `json:"id"`
	Height int64     `json:"height"` // latest verified
	Hash   string    `json:"hash"`
	Time   time.Time `json:"time"`
	// Trusted is the block that the box's owner trusts. Everything is verified from it, and so are the
	// receipts that the box makes.
	Trusted Block `json:"trusted"`
}

// Block is one block of the chain.
type Block struct {
	Height int64  `json:"height"`
	Hash   string `json:"hash"` // hex
}

// TPM names the chip. Software is true for a TPM that is a program: its promises are those of the
// machine that runs it.
type TPM struct {
	Manufacturer string `json:"manufacturer"`
	Vendor       string `json:"vendor"`
	Firmware     string `json:"firmware"`
	Software     bool   `json:"software"`
}

// Sensor is the fingerprint module as it answered last.
type Sensor struct {
	Present bool   `json:"present"`
	Model   string `json:"model"`
	Detail  string `json:"detail"` // why it is absent, and what to do
}

// Human is one enrolled person.
type Human struct {
	ID         string    `json:"id"`   // local person id
	Name       string    `json:"name"` // stays on the box
	Address    string    `json:"address"`
	Registered bool      `json:"registered"` // proved on the chain
	Views      int       `json:"views"`      // enrolled impressions
	EnrolledAt time.Time `json:"enrolled_at"`
}

// GPU is what the inference process read through NVML, or why it could not.
type GPU struct {
	Present bool   `json:"present"`
	Name    string `json:"name,omitempty"`
	Memory  uint64 `json:"memory_bytes,omitempty"`
	Detail  string `json:"detail"`
}

// Problem is one thing that is wrong, since when, and what to do about it.
type Problem struct {
	Code   string    `json:"code"` // stable: "sensor.absent"
	Text   string    `json:"text"`
	Action string    `json:"action"`
	Since  time.Time `json:"since"`
}

// RequestState is the chain's state of a request.
type RequestState string

// A request is open until a quorum or its deadline; an approved one is final once executed.
const (
	StateOpen     RequestState = "open"
	StateApproved RequestState = "approved"
	StateRejected RequestState = "rejected"
	StateExpired  RequestState = "expired"
	StateFinal    RequestState = "final"
)

// Summary is a row of the queue.
type Summary struct {
	ID          uint64       `json:"id"`
	AI          string       `json:"ai"`
	Purpose     string       `json:"purpose"`
	Instruction string       `json:"instruction"`
	State       RequestState `json:"state"`
	Answer      string       `json:"answer,omitempty"` // this box's human's: approve, reject, abstain
	Submitted   time.Time    `json:"submitted"`        // header time of the block
	BlocksLeft  int64        `json:"blocks_left"`      // until the deadline
}

// Review is all that a human is shown, every word of it proved to the light client.
type Review struct {
	Summary
	NFT          uint64    `json:"nft"`
	Description  string    `json:"description"`
	Model        string    `json:"model"`
	Requester    string    `json:"requester"`
	RulesVersion uint64    `json:"rules_version"`
	Rules        []Rule    `json:"rules"`
	Quorum       uint32    `json:"quorum"`
	Approvals    uint32    `json:"approvals"`
	Rejections   uint32    `json:"rejections"`
	Abstentions  uint32    `json:"abstentions"`
	Escrow       string    `json:"escrow"`
	Payload      Payload   `json:"payload"`
	Digest       string    `json:"digest"`      // poh.Shown's, hex
	Words        [4]string `json:"words"`       // the digest for the eye
	VerifiedAt   int64     `json:"verified_at"` // block height of the proofs
	// Blocked says why this box cannot answer now; empty when it can.
	Blocked string `json:"blocked,omitempty"`
	// ReadingSeconds is the least time from opening a review to answering it; an answer that comes
	// sooner is a conflict.
	ReadingSeconds int      `json:"reading_seconds"`
	Outcome        *Outcome `json:"outcome,omitempty"`
}

// Rule is one sentence of the AI's rules.
type Rule struct {
	ID     string `json:"id"`
	Text   string `json:"text"`
	Judged bool   `json:"judged"` // by the human; else machine-checked
	Passed bool   `json:"passed"` // of a machine check
	Detail string `json:"detail"` // evidence of a machine check
}

// Payload describes the artefact; its bytes come from [Client.Payload].
type Payload struct {
	Digest    string `json:"digest"`
	Size      uint64 `json:"size"`
	MediaType string `json:"media_type"`
	Available bool   `json:"available"` // here, and of that digest
}

// Outcome is what followed an approval.
type Outcome struct {
	Output   string `json:"output"` // canonical JSON of the model
	Worker   string `json:"worker"`
	Engine   string `json:"engine"`
	Device   string `json:"device"`
	Duration uint64 `json:"duration_ms"`
	Height   int64  `json:"height"`
}

// Answer is what a human decided in front of a review.
type Answer struct {
	Person   string            `json:"person"`   // local person id; empty when one human is enrolled
	Decision string            `json:"decision"` // approve, reject, abstain
	Digest   string            `json:"digest"`   // of the review that was on the screen
	Rules    map[string]string `json:"rules"`    // rule id to yes, no, unsure; every judged rule
	Reason   string            `json:"reason"`   // wanted for a rejection
}

// Stage is where a ceremony stands. A ceremony takes one answer to one verified inclusion.
type Stage string

// The stages in order; refused and failed end it without a signature.
const (
	StageIdle      Stage = "idle"
	StageTouch     Stage = "touch"     // waiting for the finger
	StageMatching  Stage = "matching"  // an image came
	StageSigning   Stage = "signing"   // matched; the TPM signs once
	StageSent      Stage = "sent"      // broadcast, not yet proved
	StageIncluded  Stage = "included"  // proved in a block
	StageRefused   Stage = "refused"   // not the enrolled finger, and no tries left
	StageFailed    Stage = "failed"    // sensor, TPM or node; Message says what to do
	StageCancelled Stage = "cancelled" // by the human, before the match
)

// Ended reports whether nothing more will happen by itself.
func (s Stage) Ended() bool {
	switch s {
	case StageIdle, StageIncluded, StageRefused, StageFailed, StageCancelled:
		return true
	}
	return false
}

// Ceremony is the one answer in progress: the box takes one at a time.
type Ceremony struct {
	Stage     Stage     `json:"stage"`
	Request   uint64    `json:"request,omitempty"`
	Decision  string    `json:"decision,omitempty"`
	Words     [4]string `json:"words"`
	TriesLeft int       `json:"tries_left"`
	// Message is for the human: "That was another finger. 4 tries left."
	Message  string    `json:"message"`
	TxHash   string    `json:"tx_hash,omitempty"`
	Height   int64     `json:"height,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"` // the touch must come before
	// Again is when the sensor is armed again after too many wrong fingers.
	Again time.Time `json:"again,omitzero"`
}

// Enrolment is the one enrolment in progress.
type Enrolment struct {
	Active  bool   `json:"active"`
	Name    string `json:"name,omitempty"`
	Taken   int    `json:"taken"` // views accepted
	Wanted  int    `json:"wanted"`
	Message string `json:"message"` // "Touch again, a little to the left."
	Quality int    `json:"quality"` // of the last touch, 0 to 100
	Failed  bool   `json:"failed"`
	Human   *Human `json:"human,omitempty"` // when done
}

// EnrolRequest starts an enrolment.
type EnrolRequest struct {
	Name string `json:"name"`
	// Consent is true when the person agreed to the consent text that was on the screen.
	Consent bool `json:"consent"`
}

// Entry is one line of the audit log; Hash chains it to all before.
type Entry struct {
	Seq    uint64            `json:"seq"`
	At     time.Time         `json:"at"`
	Event  string            `json:"event"` // "vote.included"
	Fields map[string]string `json:"fields"`
	Prev   string            `json:"prev"`
	Hash   string            `json:"hash"`
}

// AuditHead is the newest entry of the audit log; Seq is 0 while the log is empty.
type AuditHead struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// Event is one server-sent event: exactly one of the pointers is set, by Kind.
type Event struct {
	Kind      string     `json:"kind"` // status, queue, ceremony, enrolment
	Status    *Status    `json:"status,omitempty"`
	Queue     []Summary  `json:"queue,omitempty"`
	Ceremony  *Ceremony  `json:"ceremony,omitempty"`
	Enrolment *Enrolment `json:"enrolment,omitempty"`
}
