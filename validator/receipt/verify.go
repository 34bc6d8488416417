package receipt

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/human/humanv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// Link is one step of the proof.
type Link struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // a sentence: what was proven, or why not
}

// Verified is what a file proves. Only [Verify] fills one.
type Verified struct {
	ChainID string
	Trusted poh.Block // what everything was proven from
	Block   poh.Block // the header that commits to the state
	At      time.Time // its time
	Shown   poh.Shown // what each human was shown
	Rules   poh.Rules
	NFT     NFT
	Count   poh.Count
	Votes   []Vote
	Worker  string // bech32
	Done    int64  // the block that carried the execution
	Execution
	// Payload is the artefact, if the file carries it; its digest is Shown.Payload.
	Payload []byte
}

// NFT is the AI that was asked.
type NFT struct {
	Name, Description string
	Owner             string // bech32
}

// Vote is one human's signed answer.
type Vote struct {
	Human    string // bech32, the account of the vote key
	Owner    string // bech32, the box's account
	Bond     string // an SDK coin
	Decision poh.Decision
	Block    poh.Block // that carried the vote
	At       time.Time // its time
	Anchor   poh.Block // as the vote names it: the match was made after it
	Tx       poh.Digest
}

// Execution is what the worker ran and what came out.
type Execution struct {
	Output       []byte
	OutputDigest poh.Digest
	Runtime      poh.Digest
	Engine       string
	DeviceClass  string
	Duration     time.Duration
}

// verifier holds what the links before have proven.
type verifier struct {
	raw     []byte
	trusted poh.Block
	chainID string

	file    file
	headers map[int64]light.Header
	state   light.Header // commits to file.At
	request requestv1.Request
	nft     ainftv1.NFT
	rules   poh.Rules
	votes   []requestv1.Vote
	humans  []humanv1.Human
	exec    requestv1.Receipt
	out     Verified
}

// Verify checks a file from a trusted block. chainID may be empty: the chain is then the one that
// the trusted block's header names. It returns the links that were checked, the last one failed if
// there is an error; the error is a [*LinkError].
func Verify(raw []byte, trusted poh.Block, chainID string) (*Verified, []Link, error) {
	v := &verifier{raw: raw, trusted: trusted, chainID: chainID, headers: map[int64]light.Header{}}
	var links []Link
	for _, step := range []struct {
		name  string
		check func() (string, error)
	}{
		{"format", v.checkFormat},
		{"trusted-block", v.checkTrusted},
		{"header-path", v.checkPath},
		{"request", v.checkRequest},
		{"nft", v.checkNFT},
		{"rules", v.checkRules},
		{"shown", v.checkShown},
		{"votes", v.checkVotes},
		{"vote-signatures", v.checkSignatures},
		{"humans", v.checkHumans},
		{"receipt", v.checkReceipt},
		{"output", v.checkOutput},
	} {
		detail, err := step.check()
		if err != nil {
			return nil, append(links, Link{Name: step.name, Detail: err.Error()}), &LinkError{Link: step.name, Err: err}
		}
		links = append(links, Link{Name: step.name, OK: true, Detail: detail})
	}
	return &v.out, links, nil
}

func (v *verifier) checkFormat() (detail string, err error) {
	if v.file, err = decodeFile(v.raw); err != nil {
		return "", err
	}
	if v.chainID == "" {
		v.chainID = v.file.ChainID
	}
	if v.file.ChainID != v.chainID {
		return "", fmt.Errorf("the file is of chain %q, not of %q", v.file.ChainID, v.chainID)
	}
	v.out.ChainID = v.chainID
	return fmt.Sprintf("a receipt of request %d on %s", v.file.RequestID, v.chainID), nil
}

func (v *verifier) checkTrusted() (string, error) {
	if got := poh.Block(v.file.Trusted); got != v.trusted {
		return "", fmt.Errorf("the file starts at block %d with hash %s, you trust block %d with hash %s", got.Height, got.Hash, v.trusted.Height, v.trusted.Hash)
	}
	first, err := decodeBlock(v.file.Blocks[0], v.chainID)
	if err != nil {
		return "", fmt.Errorf("the first block cannot be read: %w", err)
	}
	if err := light.Root(v.chainID, v.trusted, first); err != nil {
		return "", err
	}
	v.headers[first.Height] = light.HeaderOf(first.Header)
	v.out.Trusted = v.trusted
	return fmt.Sprintf("block %d, %s", v.trusted.Height, first.Time.UTC().Format(time.RFC3339)), nil
}

func (v *verifier) checkPath() (string, error) {
	from, err := decodeBlock(v.file.Blocks[0], v.chainID)
	if err != nil {
		return "", err
	}
	back := from.Header
	for i, raw := range v.file.Blocks[1:] {
		next, err := decodeBlock(raw, v.chainID)
		if err != nil {
			return "", fmt.Errorf("block %d of the path cannot be read: %w", i+1, err)
		}
		if err := light.Forward(from, next, Period, next.Time); err != nil {
			return "", err
		}
		v.headers[next.Height] = light.HeaderOf(next.Header)
		from = next
	}
	for i, raw := range v.file.Links {
		before, err := decodeHeader(raw)
		if err != nil {
			return "", fmt.Errorf("link %d cannot be read: %w", i, err)
		}
		if err := light.Backward(back, before); err != nil {
			return "", err
		}
		v.headers[before.Height] = light.HeaderOf(before)
		back = before
	}
	state, ok := v.headers[v.file.At+1]
	if !ok {
		return "", fmt.Errorf("the path does not reach block %d, which commits to the state", v.file.At+1)
	}
	v.state, v.out.Block, v.out.At = state, state.Block, state.Time
	return fmt.Sprintf("%d headers by signatures, %d by hash links, up to %s", len(v.file.Blocks), len(v.file.Links), state.Time.UTC().Format(time.RFC3339)), nil
}

// record proves a value and reads it.
func (v *verifier) record(p light.Proof, store string, key []byte, into interface{ Unmarshal([]byte) error }) error {
	value, err := p.Verify(v.state, store, key)
	if err != nil {
		return err
	}
	if value.Absent() {
		return errors.New("the chain proves that there is no such record")
	}
	if err := into.Unmarshal(value.Bytes()); err != nil {
		return fmt.Errorf("the record cannot be read: %w", err)
	}
	return nil
}

func (v *verifier) checkRequest() (string, error) {
	if err := v.record(v.file.Request, requestv1.StoreKey, requestv1.RequestKey(v.file.RequestID), &v.request); err != nil {
		return "", err
	}
	if v.request.Id != v.file.RequestID || v.request.State != requestv1.STATE_FINAL {
		return "", fmt.Errorf("request %d is %s, a receipt needs %s", v.request.Id, v.request.State, requestv1.STATE_FINAL)
	}
	if len(v.file.Payload) != 0 {
		if sum := poh.Sum(v.file.Payload); !bytes.Equal(sum[:], v.request.PayloadDigest) || uint64(len(v.file.Payload)) != v.request.PayloadSize {
			return "", fmt.Errorf("the payload in the file has the digest %s, the request is about %X", sum, v.request.PayloadDigest)
		}
	}
	v.out.Payload = v.file.Payload
	return fmt.Sprintf("request %d by %s, final", v.request.Id, v.request.Requester), nil
}

func (v *verifier) checkNFT() (string, error) {
	if err := v.record(v.file.NFT, ainftv1.StoreKey, ainftv1.NFTKey(v.request.NFTID), &v.nft); err != nil {
		return "", err
	}
	if v.nft.Id != v.request.NFTID {
		return "", fmt.Errorf("the record is of AI NFT %d, the request is to %d", v.nft.Id, v.request.NFTID)
	}
	v.out.NFT = NFT{Name: v.nft.Name, Description: v.nft.Description, Owner: v.nft.Owner}
	return fmt.Sprintf("AI NFT %d, %q, model %X", v.nft.Id, v.nft.Name, v.nft.Model), nil
}

func (v *verifier) checkRules() (string, error) {
	var r ainftv1.Rules
	if err := v.record(v.file.Rules, ainftv1.StoreKey, ainftv1.RulesKey(v.request.NFTID, v.request.RulesVersion), &r); err != nil {
		return "", err
	}
	v.rules = r.PoH()
	if err := v.rules.Validate(); err != nil {
		return "", err
	}
	if v.rules.Version != v.request.RulesVersion || v.rules.Quorum != v.request.Quorum {
		return "", fmt.Errorf("version %d with a quorum of %d; the request was made under version %d with %d", v.rules.Version, v.rules.Quorum, v.request.RulesVersion, v.request.Quorum)
	}
	v.out.Rules = v.rules
	return fmt.Sprintf("version %d, %d rules, a quorum of %d", v.rules.Version, len(v.rules.Rules), v.rules.Quorum), nil
}

func (v *verifier) checkShown() (string, error) {
	shown, err := v.request.ShownAs(v.chainID, v.nft, v.rules)
	if err != nil {
		return "", err
	}
	digest := shown.Digest()
	if !bytes.Equal(digest[:], v.request.Shown) {
		return "", fmt.Errorf("the request, the AI and the rules make %s, the request says %X", digest, v.request.Shown)
	}
	v.out.Shown = shown
	return "digest " + digest.String(), nil
}

func (v *verifier) checkVotes() (string, error) {
	var count poh.Count
	var last tx.Address
	for i, f := range v.file.Votes {
		var vote requestv1.Vote
		if err := vote.Unmarshal(f.Vote.Value); err != nil {
			return "", fmt.Errorf("vote %d cannot be read: %w", i+1, err)
		}
		human, err := tx.ParseAddress(vote.Human)
		if err != nil {
			return "", fmt.Errorf("vote %d: %w", i+1, err)
		}
		// In order of addresses no vote can count twice.
		if bytes.Compare(last, human) >= 0 {
			return "", fmt.Errorf("vote %d is not in order", i+1)
		}
		last = human
		if err := v.record(f.Vote, requestv1.StoreKey, requestv1.VoteKey(v.request.Id, human), &requestv1.Vote{}); err != nil {
			return "", fmt.Errorf("vote of %s: %w", vote.Human, err)
		}
		if vote.RequestID != v.request.Id || !bytes.Equal(vote.Shown, v.request.Shown) {
			return "", fmt.Errorf("the vote of %s is about something else", vote.Human)
		}
		if count, err = add(count, vote.Decision); err != nil {
			return "", fmt.Errorf("vote of %s: %w", vote.Human, err)
		}
		v.votes = append(v.votes, vote)
	}
	if want := (poh.Count{Approvals: v.request.Approvals, Rejections: v.request.Rejections, Abstentions: v.request.Abstentions}); count != want {
		return "", fmt.Errorf("the votes in the file make %+v, the chain counted %+v", count, want)
	}
	if outcome := poh.Tally(count, v.rules.Quorum); outcome != poh.Approved {
		return "", fmt.Errorf("%d approvals do not reach the quorum of %d", count.Approvals, v.rules.Quorum)
	}
	v.out.Count = count
	return fmt.Sprintf("%d approved, %d rejected, %d abstained; %d were needed", count.Approvals, count.Rejections, count.Abstentions, v.rules.Quorum), nil
}

// add counts a decision; the protobuf's is wider than poh's and must not wrap around.
func add(c poh.Count, d requestv1.Decision) (poh.Count, error) {
	if d < requestv1.DECISION_APPROVE || d > requestv1.DECISION_ABSTAIN {
		return c, fmt.Errorf("%w: %d", poh.ErrDecision, d)
	}
	return c.Add(poh.Decision(d))
}

func (v *verifier) checkSignatures() (string, error) {
	for i, vote := range v.votes {
		if err := v.checkSignature(v.file.Votes[i], vote); err != nil {
			return "", fmt.Errorf("vote of %s: %w", vote.Human, err)
		}
	}
	return fmt.Sprintf("%d transactions, each in its block and signed by the human's P-256 key", len(v.votes)), nil
}

func (v *verifier) checkSignature(f vote, vote requestv1.Vote) error {
	address, err := tx.ParseAddress(vote.Human)
	if err != nil {
		return err
	}
	var human humanv1.Human
	if err := v.record(f.Human, humanv1.StoreKey, humanv1.HumanKey(address), &human); err != nil {
		return fmt.Errorf("registration: %w", err)
	}
	block, ok := v.headers[vote.Height]
	if !ok {
		return fmt.Errorf("the path does not reach block %d, which carries it", vote.Height)
	}
	raw, err := f.Tx.Verify(block, sha256.Sum256(f.Tx.Tx))
	if err != nil {
		return err
	}
	signed, err := tx.ParseSigned(raw)
	if err != nil {
		return err
	}
	if signed.Signer.Curve != tx.P256 || !bytes.Equal(signed.Signer.Point[:], human.VoteKey) || !bytes.Equal(signed.Signer.Address(), address) {
		return errors.New("the transaction is signed by another key than the one registered")
	}
	if err := signed.Verify(v.chainID, f.AccountNumber); err != nil {
		return err
	}
	var msg requestv1.MsgVote
	if err := signed.Only(&msg); err != nil {
		return err
	}
	if msg.Human != vote.Human || msg.RequestID != vote.RequestID || msg.Decision != vote.Decision || !bytes.Equal(msg.Shown, vote.Shown) ||
		msg.AnchorHeight != vote.AnchorHeight || !bytes.Equal(msg.AnchorHash, vote.AnchorHash) {
		return errors.New("what was signed is not what the chain recorded")
	}
	anchor, err := poh.DigestFromBytes(vote.AnchorHash)
	if err != nil {
		return fmt.Errorf("anchor: %w", err)
	}
	if known, ok := v.headers[vote.AnchorHeight]; vote.AnchorHeight >= vote.Height || ok && known.Hash != anchor {
		return fmt.Errorf("its anchor, block %d with hash %s, is not a block before it", vote.AnchorHeight, anchor)
	}
	v.humans = append(v.humans, human)
	v.out.Votes = append(v.out.Votes, Vote{
		Human: vote.Human, Owner: human.Owner, Bond: human.Bond.String(), Decision: poh.Decision(vote.Decision),
		Block: block.Block, At: block.Time, Anchor: poh.Block{Height: vote.AnchorHeight, Hash: anchor}, Tx: sha256.Sum256(raw),
	})
	return nil
}

func (v *verifier) checkHumans() (string, error) {
	var params humanv1.Params
	if err := v.record(v.file.Params, humanv1.StoreKey, []byte{humanv1.ParamsPrefix}, &params); err != nil {
		return "", fmt.Errorf("the least bond: %w", err)
	}
	for i, h := range v.humans {
		switch {
		case h.Address != v.votes[i].Human:
			return "", fmt.Errorf("the registration of %s is of %s", v.votes[i].Human, h.Address)
		case h.RegisteredHeight > v.votes[i].Height:
			return "", fmt.Errorf("%s voted in block %d and was registered in block %d", h.Address, v.votes[i].Height, h.RegisteredHeight)
		case h.Bond.Denom != params.MinBond.Denom || h.Bond.Amount.IsNil() || params.MinBond.Amount.IsNil() || h.Bond.Amount.LT(params.MinBond.Amount):
			return "", fmt.Errorf("%s bonded %s, the least is %s", h.Address, h.Bond, params.MinBond)
		}
	}
	return fmt.Sprintf("%d registered, each bonded with at least %s", len(v.humans), params.MinBond), nil
}

func (v *verifier) checkReceipt() (string, error) {
	if err := v.record(v.file.Receipt, requestv1.StoreKey, requestv1.ReceiptKey(v.request.Id), &v.exec); err != nil {
		return "", err
	}
	e := v.exec.Execution
	switch {
	case v.exec.RequestID != v.request.Id:
		return "", fmt.Errorf("the execution is of request %d", v.exec.RequestID)
	case !bytes.Equal(e.Model, v.nft.Model):
		return "", fmt.Errorf("the model that ran is %X, the AI's is %X", e.Model, v.nft.Model)
	case !bytes.Equal(e.Input, v.request.PayloadDigest):
		return "", fmt.Errorf("the input was %X, the request's payload is %X", e.Input, v.request.PayloadDigest)
	}
	for _, vote := range v.votes {
		if vote.Height > v.exec.Height {
			return "", fmt.Errorf("it was executed in block %d, before the vote in block %d", v.exec.Height, vote.Height)
		}
	}
	runtime, err := poh.DigestFromBytes(e.Runtime)
	if err != nil {
		return "", fmt.Errorf("runtime: %w", err)
	}
	v.out.Worker, v.out.Done = v.exec.Worker, v.exec.Height
	v.out.Execution = Execution{Runtime: runtime, Engine: e.Engine, DeviceClass: e.DeviceClass, Duration: time.Duration(e.DurationMs) * time.Millisecond}
	return fmt.Sprintf("%s ran the model on the payload with %s on %s in block %d", v.exec.Worker, e.Engine, e.DeviceClass, v.exec.Height), nil
}

func (v *verifier) checkOutput() (string, error) {
	e := v.exec.Execution
	want, err := poh.DigestFromBytes(e.OutputDigest)
	if err != nil {
		return "", err
	}
	if got := poh.Sum(e.Output); got != want {
		return "", fmt.Errorf("the output has the digest %s, the execution says %s", got, want)
	}
	if v.file.Output != string(e.Output) {
		return "", fmt.Errorf("the output at the top of the file has the digest %s, the execution says %s", poh.Sum([]byte(v.file.Output)), want)
	}
	v.out.Output, v.out.OutputDigest = e.Output, want
	return fmt.Sprintf("%d bytes, digest %s", len(e.Output), want), nil
}
