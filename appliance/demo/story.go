package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
)

// result is the last line of the unattended demo.
type result struct {
	Enrolled        bool               `json:"enrolled"`
	Approved        bool               `json:"approved"`
	StrangerRefused bool               `json:"stranger_refused"`
	TriesLeft       int                `json:"tries_left"`
	Output          json.RawMessage    `json:"output"`
	Receipt         string             `json:"receipt"`
	Trusted         trusted            `json:"trusted"`
	VerifyOK        bool               `json:"verify_ok"`
	TamperLink      string             `json:"tamper_link"`
	TPMKeyFixed     bool               `json:"tpm_key_fixed"`
	PeakRSSMiB      map[string]int     `json:"peak_rss_mib"`
	Seconds         map[string]float64 `json:"seconds"`
}

// narrator tells each step as it begins and ends.
type narrator struct{ w io.Writer }

func (n narrator) say(format string, args ...any) { fmt.Fprintf(n.w, format+"\n", args...) }

// play starts the box and, unattended, tells the whole story; else it runs until ctx ends.
func play(ctx context.Context, cfg config, auto bool, tell narrator) (res result, err error) {
	begun := time.Now()
	s, err := newStage(cfg)
	if err != nil {
		return result{}, err
	}
	res.Seconds = make(map[string]float64)
	defer func() {
		err = errors.Join(err, s.close())
		res.PeakRSSMiB = s.peak
		res.Seconds["total"] = seconds(time.Since(begun))
		if err == nil {
			tell.say("Everything that the demo started has ended. Its files are in %s", s.home)
		} else {
			tell.say("The logs of this run are in %s", s.home)
		}
	}()
	step := func(name, text string, fn func(context.Context) error) error {
		start := time.Now()
		tell.say("… %s", text)
		if err := fn(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		res.Seconds[name] = seconds(time.Since(start))
		if name == "approve" {
			res.Seconds["to_first_approval"] = seconds(time.Since(begun))
		}
		tell.say("  done in %.1f s", res.Seconds[name])
		return nil
	}
	tell.say("The Vouch demo: real programs, a virtual sensor with synthetic fingers, a software TPM.")
	clip := s.path("clip.wav")
	for _, st := range []struct {
		name, text string
		fn         func(context.Context) error
	}{
		{"tpm", "A TPM 2.0 starts (swtpm)", s.openTPM},
		{"sensor", "A fingerprint module starts on a serial line (virtual R503)", s.openSensor},
		{"chain", "A chain starts (CometBFT, one validator)", s.openChain},
		{"box", "The box starts (vouchd)", s.openBox},
		{"panel", "The panel starts (vouchpanel)", s.openPanel},
		{"fund", "The network's treasury sends the box's account its bond", s.fund},
		{"mint", "An author mints an AI NFT: a voice model, with rules", s.mint},
		{"clip", "A voice is synthesised for the request (espeak-ng)", func(ctx context.Context) error { return speak(ctx, clip) }},
	} {
		if err := step(st.name, st.text, st.fn); err != nil {
			return res, err
		}
	}
	if !auto {
		return res, s.show(ctx, clip, tell)
	}
	err = s.unattended(ctx, clip, &res, step)
	return res, err
}

func seconds(d time.Duration) float64 { return d.Round(10 * time.Millisecond).Seconds() }

// What the requester asks, first and then once more.
const (
	firstAsk  = "Mark where somebody speaks, so that subtitles can be timed."
	secondAsk = "Mark it once more, for subtitles in a second language."
)

// show submits a request and leaves the rest to the person at the browser.
func (s *stage) show(ctx context.Context, clip string, tell narrator) error {
	if _, err := s.submit(ctx, clip, firstAsk); err != nil {
		return err
	}
	tell.say("")
	tell.say("  The panel          %s", s.panelURL)
	tell.say("  The demo's sensor  %s", s.sensorURL)
	tell.say("")
	tell.say("1. In the panel, enrol yourself under People; touch on the sensor's page until the box is content.")
	tell.say("2. Open the request that waits, listen, answer the rules and approve it.")
	tell.say("3. When the panel says “Touch the sensor now”, touch on the sensor's page, and see the receipt.")
	tell.say("The command line: %s --config %s status", s.program("vouch"), s.path("vouch.json"))
	tell.say("Ctrl-C ends everything.")
	select {
	case <-ctx.Done():
		return nil
	case <-s.node.done:
		return s.node.ended()
	case <-s.box.done:
		return s.box.ended()
	case <-s.panel.done:
		return s.panel.ended()
	case <-s.tpm.Done():
		return errors.New("swtpm ended by itself")
	}
}

func (s *stage) unattended(ctx context.Context, clip string, res *result, step func(name, text string, fn func(context.Context) error) error) error {
	var id uint64
	run := func(name, text string, fn func(context.Context) error, err *error) {
		if *err == nil {
			*err = step(name, text, fn)
		}
	}
	var err error
	run("enrol", "Ada enrols a finger; the box registers her vote key", func(ctx context.Context) error {
		err := s.enrol(ctx)
		res.Enrolled = err == nil
		return err
	}, &err)
	run("submit", "A requester submits the clip and escrows the fee", func(ctx context.Context) (err error) {
		id, err = s.submit(ctx, clip, firstAsk)
		return err
	}, &err)
	run("approve", "Ada reads the rules, approves and touches; her match releases one TPM signature", func(ctx context.Context) error {
		c, err := s.answer(ctx, id, s.fingers.ada)
		res.Approved = c.Stage == api.StageIncluded
		if err == nil && !res.Approved {
			err = fmt.Errorf("the vote ended as %s: %s", c.Stage, c.Message)
		}
		return err
	}, &err)
	run("execute", "The voice model runs in its own process; the box posts the receipt", func(ctx context.Context) error {
		return s.executed(ctx, id, res)
	}, &err)
	run("stranger", "A stranger touches for a second request: nothing is signed", func(ctx context.Context) error {
		return s.refused(ctx, clip, res)
	}, &err)
	run("receipt", "The receipt is fetched with its proofs", func(ctx context.Context) error {
		res.Receipt = s.path("receipt.json")
		if err := s.vouch(ctx, nil, "receipt", "get", fmt.Sprint(id), "--file", res.Receipt); err != nil {
			return err
		}
		return s.trusted(&res.Trusted)
	}, &err)
	run("verify", "A stranger checks it offline, from a block's hash alone", func(ctx context.Context) error {
		return s.verify(ctx, res)
	}, &err)
	run("tpm_key", "tpm2-tools reads the vote key back from the TPM", func(ctx context.Context) (err error) {
		res.TPMKeyFixed, err = s.voteKeyFixed(ctx)
		return err
	}, &err)
	return err
}

func (s *stage) fund(ctx context.Context) error {
	st, err := s.client.Status(ctx)
	if err != nil {
		return err
	}
	return s.vouch(ctx, nil, "account", "send", st.Owner, "1000HEART", "--key", s.key("treasury"))
}

//go:embed rules.json
var rules []byte

func (s *stage) mint(ctx context.Context) error {
	if err := os.WriteFile(s.path("rules.json"), rules, 0o600); err != nil {
		return fmt.Errorf("write the rules: %w", err)
	}
	return s.mintWith(ctx, s.path("rules.json"))
}

func (s *stage) mintWith(ctx context.Context, rules string) error {
	return s.vouch(ctx, nil, "nft", "mint", "--key", s.key("author"), "--name", "Silero voice activity",
		"--description", "Marks where in a clip somebody speaks.", "--model", s.model, "--rules", rules)
}

// speak makes the request's payload: a sentence, between two pauses, in a voice that belongs to nobody.
func speak(ctx context.Context, path string) error {
	raw := path + ".22k"
	defer os.Remove(raw)
	if _, err := output(ctx, "espeak-ng", "-v", "en", "-s", "150", "-w", raw, "A person decides what this machine may do."); err != nil {
		return err
	}
	_, err := output(ctx, "sox", raw, "-r", "16000", "-c", "1", "-b", "16", path, "pad", "0.5", "0.4")
	return err
}

func (s *stage) submit(ctx context.Context, clip, instruction string) (uint64, error) {
	var out struct {
		ID uint64 `json:"id"`
	}
	err := s.vouch(ctx, &out, "request", "submit", "--key", s.key("requester"), "--nft", "1", "--purpose", "Find speech in a clip",
		"--instruction", instruction, "--payload", clip, "--media-type", "audio/wav")
	return out.ID, err
}

// executed waits for the receipt on the chain.
func (s *stage) executed(ctx context.Context, id uint64, res *result) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := s.await(ctx, func(e api.Event) (bool, error) {
		for _, q := range e.Queue {
			if q.ID == id && q.State == api.StateFinal {
				return true, nil
			}
		}
		return false, nil
	}); err != nil {
		return errors.Join(err, s.problems())
	}
	r, err := s.client.Review(ctx, id)
	if err != nil {
		return err
	}
	if r.Outcome == nil {
		return fmt.Errorf("request %d is final without an outcome", id)
	}
	res.Output = json.RawMessage(r.Outcome.Output)
	return nil
}

// problems is what the box says is wrong with it.
func (s *stage) problems() error {
	ctx, cancel := context.WithTimeout(context.Background(), heardLimit)
	defer cancel()
	st, err := s.client.Status(ctx)
	if err != nil {
		return err
	}
	var all []error
	for _, p := range st.Problems {
		all = append(all, fmt.Errorf("%s: %s %s", p.Code, p.Text, p.Action))
	}
	return errors.Join(all...)
}

// refused lets a stranger touch once for a new request, and checks that no vote came of it.
func (s *stage) refused(ctx context.Context, clip string, res *result) error {
	id, err := s.submit(ctx, clip, secondAsk)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := s.ask(ctx, id); err != nil {
		return err
	}
	before, err := s.client.Ceremony(ctx)
	if err != nil {
		return err
	}
	c, err := s.touchUntil(ctx, s.fingers.stranger, func(c api.Ceremony) bool {
		return c.Stage != api.StageTouch || c.TriesLeft != before.TriesLeft
	})
	if err != nil {
		return err
	}
	res.TriesLeft = c.TriesLeft
	if c, err = s.client.Cancel(ctx); err != nil {
		return err
	}
	if err := s.await(ctx, func(e api.Event) (bool, error) {
		if e.Ceremony != nil {
			c = *e.Ceremony
		}
		return e.Ceremony != nil && c.Stage.Ended(), nil
	}); err != nil {
		return err
	}
	r, err := s.client.Review(ctx, id)
	if err != nil {
		return err
	}
	res.StrangerRefused = res.TriesLeft < before.TriesLeft && c.TxHash == "" && r.Answer == "" && r.Approvals == 0
	if !res.StrangerRefused {
		return fmt.Errorf("a stranger's finger was not refused: %s, %s", c.Stage, c.Message)
	}
	return nil
}

// trusted reads the block that this run's owner trusts: the stranger is told this, and no more.
func (s *stage) trusted(t *trusted) error {
	b, err := os.ReadFile(s.path("vouch.json"))
	if err != nil {
		return err
	}
	var c struct {
		Trust trusted `json:"trust"`
	}
	err = json.Unmarshal(b, &c)
	*t = c.Trust
	return err
}

type verdict struct {
	OK     bool   `json:"ok"`
	Failed string `json:"failed"`
}

// verify checks the receipt, then the same with one byte of the output changed. The command gets the
// file and the trusted block, and no configuration.
func (s *stage) verify(ctx context.Context, res *result) error {
	check := func(file string) (verdict, error) {
		cmd := exec.CommandContext(ctx, s.program("vouch"), "verify", file, "-o", "json",
			"--trusted-height", fmt.Sprint(res.Trusted.Height), "--trusted-hash", res.Trusted.Hash)
		cmd.Dir, cmd.Env = s.sockets, []string{}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, runErr := cmd.Output()
		var v verdict
		if err := json.Unmarshal(out, &v); err != nil {
			return v, fmt.Errorf("vouch verify: %w: %s", errors.Join(runErr, err), stderr.String())
		}
		return v, nil
	}
	v, err := check(res.Receipt)
	if err != nil {
		return err
	}
	res.VerifyOK = v.OK
	if !v.OK {
		return fmt.Errorf("the receipt does not verify: link %q", v.Failed)
	}
	forged := s.path("receipt-tampered.json")
	if err := tamper(res.Receipt, forged); err != nil {
		return err
	}
	if v, err = check(forged); err != nil {
		return err
	}
	if v.OK {
		return errors.New("a receipt with a changed output verified")
	}
	res.TamperLink = v.Failed
	return nil
}

// voteKeyFixed asks Debian's tpm2-tools what the TPM says of the vote key. The box is stopped first:
// its records are read from disk.
func (s *stage) voteKeyFixed(ctx context.Context) (bool, error) {
	if err := s.stopBox(); err != nil {
		return false, err
	}
	pub, priv, err := voteKey(ctx, s.path("box", "records"))
	if err != nil {
		return false, err
	}
	files := map[string][]byte{"vote.pub": pub, "vote.priv": priv}
	for name, b := range files {
		if err := os.WriteFile(s.path(name), b, 0o600); err != nil {
			return false, err
		}
	}
	// The TCG's template of the storage root key has 32 zero bytes for x and for y; the tool takes them
	// in its own struct of a length, little-endian, and 128 bytes.
	coordinate := append([]byte{32, 0}, make([]byte, 128)...)
	unique := s.path("unique")
	if err := os.WriteFile(unique, append(coordinate, coordinate...), 0o600); err != nil {
		return false, err
	}
	tcti := "swtpm:path=" + s.tpm.Path()
	for _, args := range [][]string{
		{"tpm2_createprimary", "-Q", "-C", "o", "-g", "sha256", "-G", "ecc256:null:aes128cfb", "-u", unique, "-a", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt", "-c", s.path("srk.ctx")},
		{"tpm2_flushcontext", "-t"},
		{"tpm2_load", "-Q", "-C", s.path("srk.ctx"), "-u", s.path("vote.pub"), "-r", s.path("vote.priv"), "-c", s.path("vote.ctx")},
	} {
		if _, err := output(ctx, args[0], append(args[1:], "-T", tcti)...); err != nil {
			return false, err
		}
	}
	out, err := output(ctx, "tpm2_readpublic", "-T", tcti, "-c", s.path("vote.ctx"))
	if err != nil {
		return false, err
	}
	if _, err := output(ctx, "tpm2_flushcontext", "-T", tcti, "-t"); err != nil {
		return false, err
	}
	text := string(out)
	return strings.Contains(text, "fixedtpm") && strings.Contains(text, "sensitivedataorigin"), nil
}
