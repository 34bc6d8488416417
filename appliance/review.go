package appliance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/inference/wav"
	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/poh"
)

// dossier is one request with all that belongs to it, proved as of one block.
type dossier struct {
	request requestv1.Request
	nft     ainftv1.NFT
	rules   poh.Rules
	shown   poh.Shown
	payload []byte // nil when it is not here
	height  int64
	// blocked says why nobody can answer this request at this box; empty when somebody can.
	blocked string
}

// dossier proves everything about a request. What is wrong with the request itself is in blocked;
// an error means that it could not be proved.
func (a *Appliance) dossier(ctx context.Context, id uint64) (dossier, error) {
	l := a.view()
	r, err := l.Request(ctx, id)
	if err != nil {
		return dossier{}, err
	}
	n, err := l.NFT(ctx, r.NFTID)
	if err != nil {
		return dossier{}, err
	}
	rules, err := l.Rules(ctx, r.NFTID, r.RulesVersion)
	if err != nil {
		return dossier{}, err
	}
	s, err := r.ShownAs(a.cfg.Chain.ID, n, rules)
	if err != nil {
		return dossier{}, err
	}
	d := dossier{request: r, nft: n, rules: rules, shown: s, height: l.Height()}
	if got := s.Digest(); string(got[:]) != string(r.Shown) {
		d.blocked = "The chain's digest of this request is not the digest of what stands here. It cannot be approved; tell the network's operators."
		return d, nil
	}
	d.payload, d.blocked, err = a.artefact(ctx, l, r, s)
	return d, err
}

// artefact returns the payload if it is here and of the digest that the request names.
func (a *Appliance) artefact(ctx context.Context, l ledger.View, r requestv1.Request, s poh.Shown) (payload []byte, blocked string, err error) {
	if r.Inline {
		payload, err = l.Payload(ctx, r.Id)
		if err != nil {
			return nil, "", err
		}
	} else {
		payload, err = a.payloads.get(s.Payload)
		if errors.Is(err, errNoPayload) {
			return nil, fmt.Sprintf("The payload is not on this box. Hand over the file whose SHA-256 is %s to review it.", s.Payload), nil
		}
		if err != nil {
			return nil, "", err
		}
	}
	if poh.Sum(payload) != s.Payload || uint64(len(payload)) != s.PayloadSize {
		return nil, fmt.Sprintf("The payload does not match its digest %s. It cannot be approved.", s.Payload), nil
	}
	return payload, "", nil
}

// maxReadingSeconds bounds the reading time that a review asks for.
const maxReadingSeconds = 60

// readingSeconds is the least time between opening a review and answering it: eight words a second
// and two seconds for each rule to judge, at least three seconds.
func readingSeconds(instruction string, rules poh.Rules) int {
	words, judged := len(strings.Fields(instruction)), 0
	for _, r := range rules.Rules {
		words += len(strings.Fields(r.Text))
		if r.Kind == poh.Judgement {
			judged++
		}
	}
	return min(max(3, words/8+2*judged), maxReadingSeconds)
}

// Rules that the machine checks, by id. An id that this box does not know is not passed: a newer
// rule on an older box must not be waved through.
const (
	ruleWAV      = "wav-16k-mono"
	ruleTenSec   = "clip-under-10s"
	ruleInLedger = "payload-in-request"

	clipRate  = 16_000 // samples a second
	clipLimit = 2 * time.Minute
)

// check decides a machine-checked rule and gives its evidence.
func check(id string, d dossier) (passed bool, evidence string) {
	switch id {
	case ruleWAV, ruleTenSec:
		samples, err := wav.Parse(d.payload, clipRate, clipLimit)
		if err != nil {
			return false, err.Error()
		}
		ms := len(samples) * 1000 / clipRate
		if id == ruleTenSec {
			return ms < 10_000, fmt.Sprintf("The clip lasts %d.%03d s.", ms/1000, ms%1000)
		}
		return true, "A WAV clip, 16 kHz, one channel, 16 bits."
	case ruleInLedger:
		if d.request.Inline {
			return true, "The payload stands in the request itself."
		}
		return false, "The payload travels by digest."
	}
	return false, fmt.Sprintf("This box has no check named %q; update the box or ask the AI's owner.", id)
}

// checkedRules are the rules with the machine's verdicts.
func checkedRules(d dossier) []api.Rule {
	out := make([]api.Rule, len(d.rules.Rules))
	for i, r := range d.rules.Rules {
		out[i] = api.Rule{ID: r.ID, Text: r.Text, Judged: r.Kind == poh.Judgement}
		switch {
		case out[i].Judged:
		case d.payload == nil:
			out[i].Detail = "There is no payload to check."
		default:
			out[i].Passed, out[i].Detail = check(r.ID, d)
		}
	}
	return out
}

// review is the dossier as the human reads it.
func (a *Appliance) review(ctx context.Context, id uint64) (api.Review, dossier, error) {
	// A node that hides blocks must not make a human answer yesterday's request.
	if _, err := a.link.Latest(ctx); err != nil {
		return api.Review{}, dossier{}, err
	}
	d, err := a.dossier(ctx, id)
	if err != nil {
		return api.Review{}, dossier{}, err
	}
	summary, err := a.summarise(ctx, d.request, d.nft.Name)
	if err != nil {
		return api.Review{}, dossier{}, err
	}
	digest := d.shown.Digest()
	v := api.Review{
		Summary:        summary,
		NFT:            d.nft.Id,
		Description:    d.nft.Description,
		Model:          d.shown.Model.String(),
		Requester:      d.request.Requester,
		RulesVersion:   d.rules.Version,
		Rules:          checkedRules(d),
		Quorum:         d.request.Quorum,
		Approvals:      d.request.Approvals,
		Rejections:     d.request.Rejections,
		Abstentions:    d.request.Abstentions,
		Escrow:         heart(d.request.Escrow.Amount),
		Digest:         digest.String(),
		Words:          digest.Words(),
		VerifiedAt:     d.height,
		Blocked:        d.blocked,
		ReadingSeconds: readingSeconds(d.request.Instruction, d.rules),
		Payload: api.Payload{
			Digest: d.shown.Payload.String(), Size: d.shown.PayloadSize, MediaType: d.shown.MediaType, Available: d.payload != nil,
		},
	}
	if v.Blocked == "" {
		v.Blocked = a.cannotAnswer(v.Summary)
	}
	if d.request.State == requestv1.STATE_FINAL {
		r, err := a.view().Receipt(ctx, id)
		if err != nil {
			return api.Review{}, dossier{}, err
		}
		e := r.Execution
		v.Outcome = &api.Outcome{Output: string(e.Output), Worker: r.Worker, Engine: e.Engine, Device: e.DeviceClass, Duration: e.DurationMs, Height: r.Height}
	}
	return v, d, nil
}

// cannotAnswer says why this box's humans cannot answer a sound request now.
func (a *Appliance) cannotAnswer(s api.Summary) string {
	switch {
	case s.State != api.StateOpen:
		return fmt.Sprintf("This request is %s; it takes no more votes.", s.State)
	case s.Answer != "":
		return fmt.Sprintf("Your answer stands on the chain: %s.", s.Answer)
	case s.BlocksLeft <= 0:
		return "The deadline of this request has passed."
	}
	for _, p := range a.people.list() {
		if p.Registered {
			return ""
		}
	}
	if len(a.people.list()) == 0 {
		return "Nobody is enrolled at this box yet. Enrol a finger first."
	}
	return "The enrolled person is not registered on the chain yet; the box does it as soon as its account holds the bond."
}
