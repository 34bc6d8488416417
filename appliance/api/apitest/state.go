package apitest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
)

// Open, Final and Rejected are the requests of [Household].
const (
	Open     = 12
	Final    = 11
	Rejected = 9
)

// Moment is when [Household] is.
func Moment() time.Time { return time.Date(2026, 3, 14, 14, 2, 11, 0, time.UTC) }

// Household is a box with one person enrolled, one request that waits for an answer, one that is
// final and one that was rejected.
func Household() State {
	clip := Clip()
	sum := sha256.Sum256(clip)
	payload := api.Payload{Digest: hex.EncodeToString(sum[:]), Size: uint64(len(clip)), MediaType: "audio/wav", Available: true}
	now := Moment()
	owner := "human1q8w3k0m5d7t9c2r4x6v8n0b2z4l6j8h0g2f4d6"
	review := api.Review{
		Summary: api.Summary{
			ID: Open, AI: "Clear Voice", Purpose: "Check a voice message before it is stored",
			Instruction: "Find which parts of this message are speech, so that silence can be cut from the recording.",
			State:       api.StateOpen, Submitted: now.Add(-4 * time.Minute), BlocksLeft: 86,
		},
		NFT:         3,
		Description: "Finds the parts of a clip in which somebody speaks. It does not say what is spoken or by whom.",
		Model:       strings.Repeat("2623a295", 8), Requester: "human1z5v7x9c3b1n0m2q4w6e8r0t2y4u6i8o0p2a4s6",
		RulesVersion: 4, Quorum: 1, Escrow: "1 HEART", Payload: payload,
		Rules: []api.Rule{
			{ID: "own-voice", Text: "The clip holds only voices of people who agreed to be recorded.", Judged: true},
			{ID: "no-child", Text: "No child can be heard.", Judged: true},
			{ID: "length", Text: "The clip is at most 120 seconds long.", Passed: true, Detail: "2.0 s of 120 s"},
			{ID: "format", Text: "The clip is mono, 16 bit, 16 kHz WAV.", Passed: true, Detail: "mono, 16 bit, 16 000 Hz"},
		},
		Digest: strings.Repeat("9f3c01d7", 8), Words: [4]string{"orbit", "maple", "canyon", "lunar"},
		VerifiedAt: 123_452, ReadingSeconds: 9,
	}
	final := review
	final.Summary = api.Summary{
		ID: Final, AI: "Clear Voice", Purpose: review.Purpose, Instruction: review.Instruction,
		State: api.StateFinal, Answer: "approve", Submitted: now.Add(-3 * time.Hour),
	}
	final.Approvals, final.Words = 1, [4]string{"velvet", "anchor", "drift", "pepper"}
	final.Digest = strings.Repeat("71aa20c4", 8)
	final.Blocked = "This request is final."
	final.Outcome = &api.Outcome{
		Output: `{"clip_ms":2000,"max_probability_milli":987,"segments":[{"end_ms":900,"start_ms":200},{"end_ms":1800,"start_ms":1250}],"speech_ms":1250}`,
		Worker: owner, Engine: "onnxruntime 1.29.0", Device: "cpu/amd64", Duration: 184, Height: 122_987,
	}
	rejected := review
	rejected.Summary = api.Summary{
		ID: Rejected, AI: "Front Door", Purpose: "Recognise who rings", Instruction: "Tell me who this is.",
		State: api.StateRejected, Answer: "reject", Submitted: now.Add(-26 * time.Hour),
	}
	rejected.Rejections, rejected.Blocked = 1, "This request was rejected."

	return State{
		Status: api.Status{
			Box: "Kitchen box", Version: "0.1.0", Owner: owner, Balance: "12.5 HEART",
			Chain: api.Chain{
				ID: "vouch-1", Height: 123_456, Hash: strings.Repeat("a1b2c3d4", 8), Time: now.Add(-3 * time.Second),
				Trusted: api.Block{Height: 1_000, Hash: strings.Repeat("0e5f1a2b", 8)},
			},
			TPM:    api.TPM{Manufacturer: "IBM", Vendor: "SW TPM", Firmware: "8217.4131", Software: true},
			Sensor: api.Sensor{Present: true, Model: "R503"},
			Humans: []api.Human{{
				ID: "p1", Name: "Ada Marsh", Address: owner, Registered: true, Views: 8, EnrolledAt: now.Add(-20 * 24 * time.Hour),
			}},
			GPU:   api.GPU{Detail: "No NVIDIA GPU answered; models run on the processor."},
			Audit: api.AuditHead{Seq: 4, Hash: strings.Repeat("04", 32)},
			Now:   now,
		},
		Reviews:  []api.Review{review, final, rejected},
		Payloads: map[string][]byte{payload.Digest: clip},
		Ceremony: api.Ceremony{Stage: api.StageIdle},
		Receipts: map[uint64][]byte{Final: []byte(`{"schema":"vouch/receipt/1","request":11}`)},
		Audit:    auditLog(now),
	}
}

func auditLog(now time.Time) []api.Entry {
	var rows []api.Entry
	for i, e := range []struct {
		event  string
		fields map[string]string
	}{
		{"box.started", map[string]string{"version": "0.1.0"}},
		{"enrolment.done", map[string]string{"person": "p1", "views": "8"}},
		{"vote.signed", map[string]string{"request": "11", "decision": "approve"}},
		{"vote.included", map[string]string{"request": "11", "height": "122981"}},
	} {
		hash := func(i int) string { return hex.EncodeToString(bytes.Repeat([]byte{byte(i)}, 32)) }
		rows = append(rows, api.Entry{
			Seq: uint64(i + 1), At: now.Add(time.Duration(i-200) * time.Minute), Event: e.event, Fields: e.fields,
			Prev: hash(i), Hash: hash(i + 1),
		})
	}
	return rows
}

// Clip is two seconds of a tone that comes and goes: WAV, PCM 16 bit, mono, 16 000 Hz.
func Clip() []byte {
	const rate, samples = 16_000, 32_000
	var b bytes.Buffer
	le := binary.LittleEndian
	b.WriteString("RIFF")
	b.Write(le.AppendUint32(nil, 36+2*samples))
	b.WriteString("WAVEfmt ")
	b.Write(le.AppendUint32(nil, 16))
	b.Write(le.AppendUint16(nil, 1)) // PCM
	b.Write(le.AppendUint16(nil, 1)) // mono
	b.Write(le.AppendUint32(nil, rate))
	b.Write(le.AppendUint32(nil, 2*rate))
	b.Write(le.AppendUint16(nil, 2))
	b.Write(le.AppendUint16(nil, 16))
	b.WriteString("data")
	b.Write(le.AppendUint32(nil, 2*samples))
	for i := range samples {
		t := float64(i) / rate
		v := 8000 * math.Sin(2*math.Pi*220*t) * math.Pow(math.Sin(math.Pi*t), 2)
		b.Write(le.AppendUint16(nil, uint16(int16(v))))
	}
	return b.Bytes()
}
