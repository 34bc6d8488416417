package appliance

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/config"
	"github.com/vouchbox/vouch/drivers/drivertest"
	"github.com/vouchbox/vouch/drivers/r503"
	"github.com/vouchbox/vouch/inference/model"
	"github.com/vouchbox/vouch/inference/model/modeltest"
	"github.com/vouchbox/vouch/inference/wav"
	"github.com/vouchbox/vouch/sensors/synth"
	"github.com/vouchbox/vouch/tpm/tpmtest"
	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/node"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

// patience bounds each wait of a test: far more than a step takes, so that a slow machine passes.
const patience = 90 * time.Second

// world is a box in this process with all that it touches: a chain of its own, behind a proxy that can
// lie; a software TPM, behind a proxy that counts; and a fingerprint module on a pseudo terminal.
type world struct {
	t      *testing.T
	cfg    config.Config
	rpc    *rpcProxy
	chip   *tpmtest.SWTPM
	bus    *tpmtest.Proxy // between the box and the chip
	module *drivertest.R503
	logs   *syncBuffer

	author, requester, treasury *account.Account

	box    *Appliance
	client *api.Client
	stop   context.CancelFunc
	ended  chan error
}

type worldOptions struct {
	models   bool // the box holds the models and runs them
	noNoise  bool // the sensor repeats a picture to the bit
	password uint32
	change   func(*config.Config)
}

// newWorld starts all but the box.
func newWorld(t *testing.T, opts worldOptions) *world {
	t.Helper()
	w := &world{t: t, logs: new(syncBuffer)}
	devnet, rpc := startChain(t)
	w.rpc = newRPCProxy(t, rpc)
	w.chip = tpmtest.Start(t)
	w.bus = tpmtest.NewProxy(t, w.chip.Path())
	w.module = newModule(t, opts)
	trust := w.trust(rpc)
	w.cfg = w.configure(trust)
	w.cfg.Sensor.Password = opts.password
	if opts.models {
		w.cfg.Inference.Binary, w.cfg.Inference.ModelsDir = inferenceBinary(t), modelsDir(t)
	}
	if opts.change != nil {
		opts.change(&w.cfg)
	}
	client, err := light.New(w.ctx(), light.Config{
		ChainID: devnet.ChainID, Trust: trust, TrustPeriod: time.Hour, Primary: rpc, AllowNoWitness: true, Dir: t.TempDir(),
	}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for name, into := range map[string]**account.Account{"treasury": &w.treasury, "author": &w.author, "requester": &w.requester} {
		key, err := tx.ReadKeyFile(devnet.KeyFile(name))
		if err != nil {
			t.Fatal(err)
		}
		*into = account.New(client, devnet.ChainID, tx.Secp256k1, key, time.Now)
	}
	return w
}

// oneGenesis is held while a genesis is made: the SDK keeps the fee collector's name in a package variable.
var oneGenesis sync.Mutex

func initChain(t *testing.T) node.Devnet {
	t.Helper()
	oneGenesis.Lock()
	defer oneGenesis.Unlock()
	devnet, err := node.InitDevnet(filepath.Join(t.TempDir(), "node"), node.DevnetOptions{
		RPC: "127.0.0.1:0", TimeoutCommit: 150 * time.Millisecond, GenesisTime: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return devnet
}

// startChain runs a node of one validator until the test ends: this program again, because two chains in
// one process share the SDK's package variables.
func startChain(t *testing.T) (devnet node.Devnet, rpc string) {
	t.Helper()
	devnet = initChain(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), nodeEnv+"="+devnet.Home)
	// The node ends when its standard input does, so also when this program is killed.
	hold, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := new(syncBuffer)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(hold.Close(), cmd.Wait()); err != nil {
			t.Errorf("the node ended with %v: %s", err, stderr.tail())
		}
	})
	var ready struct {
		RPC string `json:"rpc"`
	}
	if err := json.NewDecoder(out).Decode(&ready); err != nil {
		t.Fatalf("the node did not become ready: %v: %s", err, stderr.tail())
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for blockHash(t, ready.RPC, firstState+1) == "" {
		if !pause(ctx, 50*time.Millisecond) {
			t.Fatalf("the chain makes no blocks: %s", stderr.tail())
		}
	}
	return devnet, ready.RPC
}

// blockHash is the hash of a block, empty while there is no such block.
func blockHash(t *testing.T, rpc string, height int64) string {
	t.Helper()
	var out struct {
		Result struct {
			SignedHeader struct {
				Commit struct {
					BlockID struct {
						Hash string `json:"hash"`
					} `json:"block_id"`
				} `json:"commit"`
			} `json:"signed_header"`
		} `json:"result"`
	}
	getJSON(t, fmt.Sprintf("%s/commit?height=%d", rpc, height), &out)
	return strings.ToLower(out.Result.SignedHeader.Commit.BlockID.Hash)
}

func newModule(t *testing.T, opts worldOptions) *drivertest.R503 {
	t.Helper()
	cfg := drivertest.DefaultConfig()
	cfg.Noise = !opts.noNoise
	m, err := drivertest.NewR503(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// trust is the chain's first block, which a devnet's owner may believe.
func (w *world) trust(rpc string) poh.Block {
	w.t.Helper()
	hash, err := poh.ParseDigest(blockHash(w.t, rpc, 1))
	if err != nil {
		w.t.Fatal(err)
	}
	return poh.Block{Height: 1, Hash: hash}
}

func (w *world) configure(trust poh.Block) config.Config {
	w.t.Helper()
	sockets, err := os.MkdirTemp("", "vouch-") // a socket's path has 107 bytes at most: unix(7)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = os.RemoveAll(sockets) })
	cfg := config.Default()
	cfg.StateDir, cfg.Socket = filepath.Join(w.t.TempDir(), "state"), filepath.Join(sockets, "s")
	cfg.TPM, cfg.Sensor.Path = w.bus.Path(), w.module.Path()
	cfg.Chain.ID, cfg.Chain.Primary, cfg.Chain.AllowNoWitness = node.DevnetChainID, w.rpc.URL(), true
	cfg.Chain.Trust = config.Trust{Height: trust.Height, Hash: config.Hash(trust.Hash)}
	cfg.Inference.ModelsDir = w.t.TempDir()
	cfg.Enrolment.Views = 3
	cfg.Ceremony.TouchTimeout = config.Duration(time.Minute)
	return cfg
}

// modelsDir holds the real models.
func modelsDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(modeltest.Root(t), ".cache", "models")
	if _, err := os.Stat(filepath.Join(dir, "blobs")); err != nil {
		t.Fatalf("the models are missing, run: make tools (%v)", err)
	}
	return dir
}

// inferenceBinary builds cmd/vouchinfer once for all tests.
func inferenceBinary(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("vouchinfer-%d", os.Getpid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "vouchinfer")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", path, "./cmd/vouchinfer")
	cmd.Dir, cmd.Env = modeltest.Root(t), append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build vouchinfer: %v\n%s", err, out)
	}
	return path
}

func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	w.t.Cleanup(cancel)
	return ctx
}

// open makes the box; before, if not nil, meddles with its insides before it runs.
func (w *world) open(before func(*Appliance)) {
	w.t.Helper()
	logger := slog.New(slog.NewTextHandler(w.logs, nil))
	box, err := New(w.ctx(), w.cfg, logger, time.Now)
	if err != nil {
		w.t.Fatal(err)
	}
	if before != nil {
		before(box)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.box, w.stop, w.ended = box, cancel, make(chan error, 1)
	ready := make(chan struct{})
	go func() { w.ended <- errors.Join(box.Run(ctx, func() { close(ready) }), box.Close()) }()
	w.t.Cleanup(w.close)
	select {
	case <-ready:
	case err := <-w.ended:
		w.t.Fatalf("the box ended at once: %v", err)
	}
	w.client = api.Dial(w.cfg.Socket)
}

// close stops the box as an orderly shutdown does, and waits for all that it started.
func (w *world) close() {
	w.t.Helper()
	if w.stop == nil {
		return
	}
	w.stop()
	w.stop = nil
	select {
	case err := <-w.ended:
		if err != nil {
			w.t.Errorf("the box stopped with: %v", err)
		}
	case <-time.After(patience):
		w.t.Fatal("the box does not stop")
	}
}

func (w *world) reopen() {
	w.t.Helper()
	w.close()
	w.open(nil)
}

// await follows the box's events until fn is content.
func (w *world) await(what string, fn func(api.Event) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	found := errors.New("found")
	var last api.Event
	err := w.box.Events(ctx, func(e api.Event) error {
		last = e
		if fn(e) {
			return found
		}
		return nil
	})
	if !errors.Is(err, found) {
		w.t.Fatalf("waiting until %s: %v; the last event was %s\n%s", what, err, describe(last), w.logs.tail())
	}
}

func describe(e api.Event) string {
	switch {
	case e.Ceremony != nil:
		return fmt.Sprintf("ceremony %+v", *e.Ceremony)
	case e.Enrolment != nil:
		return fmt.Sprintf("enrolment %+v", *e.Enrolment)
	case e.Status != nil:
		return fmt.Sprintf("status %+v", *e.Status)
	}
	return fmt.Sprintf("%+v", e)
}

func (w *world) awaitCeremony(what string, fn func(api.Ceremony) bool) api.Ceremony {
	w.t.Helper()
	var c api.Ceremony
	w.await(what, func(e api.Event) bool {
		if e.Ceremony == nil {
			return false
		}
		c = *e.Ceremony
		return fn(c)
	})
	return c
}

func (w *world) awaitStage(s api.Stage) api.Ceremony {
	w.t.Helper()
	return w.awaitCeremony("the ceremony is "+string(s), func(c api.Ceremony) bool { return c.Stage == s })
}

func (w *world) awaitState(id uint64, any ...api.RequestState) {
	w.t.Helper()
	w.await(fmt.Sprintf("request %d is %s", id, any), func(e api.Event) bool {
		return slices.ContainsFunc(e.Queue, func(q api.Summary) bool { return q.ID == id && slices.Contains(any, q.State) })
	})
}

func (w *world) awaitProblem(code string) api.Problem {
	w.t.Helper()
	var p api.Problem
	w.await("the problem "+code, func(e api.Event) bool {
		if e.Status == nil {
			return false
		}
		i := slices.IndexFunc(e.Status.Problems, func(p api.Problem) bool { return p.Code == code })
		if i >= 0 {
			p = e.Status.Problems[i]
		}
		return i >= 0
	})
	return p
}

func (w *world) awaitNoProblem(code string) {
	w.t.Helper()
	w.await("no problem "+code, func(e api.Event) bool {
		return e.Status != nil && !slices.ContainsFunc(e.Status.Problems, func(p api.Problem) bool { return p.Code == code })
	})
}

// The fingers of the tests. Growing one takes a fifth of a second.
var (
	ada      = sync.OnceValue(func() *synth.Finger { return synth.NewFinger(2024, synth.AnyClass) })
	stranger = sync.OnceValue(func() *synth.Finger { return synth.NewFinger(77, synth.AnyClass) })
)

var impressions struct {
	sync.Mutex
	next uint64
}

// touch is an ordinary touch of a finger; no two are alike.
func touch(f *synth.Finger) *image.Gray {
	impressions.Lock()
	impressions.next++
	seed := impressions.next
	impressions.Unlock()
	opt := synth.R503()
	opt.Translation = [2]float64{float64(seed % 5), float64(seed % 7)}
	return f.Impression(seed, opt).Image
}

// put lays a picture on the sensor until the box has read it. The box must look at a free sensor
// first, or it takes the touch for the last one.
func (w *world) put(img *image.Gray) {
	w.t.Helper()
	ctx := w.ctx()
	for {
		err := w.tryPut(ctx, img)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			w.t.Fatalf("%v\n%s", err, w.logs.tail())
		}
	}
}

// touchLimit is how long a finger stays on a sensor that does not read it.
const touchLimit = 6 * time.Second

func (w *world) tryPut(ctx context.Context, img *image.Gray) error {
	if err := w.module.Await(ctx, r503.InsCapture, w.module.Count(r503.InsCapture)+2); err != nil {
		return fmt.Errorf("the box does not look for a finger: %w", err)
	}
	before := w.module.Count(r503.InsUploadImage)
	w.module.Touch(img)
	defer w.module.Lift()
	// Nobody keeps a finger down for ever: after a fault the box may wait for this one to leave first.
	ctx, cancel := context.WithTimeout(ctx, touchLimit)
	defer cancel()
	if err := w.module.Await(ctx, r503.InsUploadImage, before+1); err != nil {
		return fmt.Errorf("the box did not read the finger: %w", err)
	}
	return nil
}

// touchUntil touches again and again until an event says that it is enough.
func (w *world) touchUntil(f *synth.Finger, enough func(api.Event) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.box.Events(ctx, func(e api.Event) error {
			if enough(e) {
				cancel()
			}
			return nil
		})
	}()
	for ctx.Err() == nil {
		_ = w.tryPut(ctx, touch(f)) // ends with ctx when it was enough
	}
	<-done
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		w.t.Fatalf("touching did not help\n%s", w.logs.tail())
	}
}

// enrol enrols Ada, pays for her bond and waits until the chain knows her.
func (w *world) enrol() {
	w.t.Helper()
	if _, err := w.client.Enrol(w.ctx(), api.EnrolRequest{Name: "Ada", Consent: true}); err != nil {
		w.t.Fatal(err)
	}
	w.touchUntil(ada(), func(e api.Event) bool {
		return e.Enrolment != nil && (!e.Enrolment.Active || e.Enrolment.Taken == e.Enrolment.Wanted)
	})
	w.await("the enrolment ends", func(e api.Event) bool {
		if e.Enrolment != nil && e.Enrolment.Failed {
			w.t.Fatalf("the enrolment failed: %s", e.Enrolment.Message)
		}
		return e.Enrolment != nil && !e.Enrolment.Active
	})
	if _, err := w.treasury.Transfer(w.ctx(), w.box.account.String(), parsed(w.t, account.ParseHeart, "1000")); err != nil {
		w.t.Fatal(err)
	}
	w.await("Ada is registered", func(e api.Event) bool {
		return e.Status != nil && len(e.Status.Humans) == 1 && e.Status.Humans[0].Registered
	})
}

const purpose = "Find speech in a clip"

// mint makes an AI of the voice model, or of a model that no box holds.
func (w *world) mint(real bool, rules ...ainftv1.Rule) uint64 {
	w.t.Helper()
	digest := poh.Sum([]byte("a model that nobody holds"))
	if real {
		m, err := model.SileroVAD().Manifest.Digest()
		if err != nil {
			w.t.Fatal(err)
		}
		digest = poh.Digest(m)
	}
	id, _, err := w.author.Mint(w.ctx(), "Voice activity", "Marks where somebody speaks.", digest, ainftv1.Rules{
		Purposes: []string{purpose}, Rules: rules, Quorum: 1, Price: parsed(w.t, account.ParseHeart, "2"), DeadlineBlocks: 5000,
		Split: ainftv1.Split{Owner: 4000, Voters: 3000, Worker: 2500, Network: 500},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

var judged = ainftv1.Rule{Id: "own-voice", Text: "The clip holds the requester's own voice.", Kind: ainftv1.RULE_KIND_JUDGEMENT}

func machine(id string) ainftv1.Rule {
	return ainftv1.Rule{Id: id, Text: "The box checks this: " + id, Kind: ainftv1.RULE_KIND_MACHINE_CHECKED}
}

// clip is a second of noise in the right form.
func clip() []byte { return wav.Encode(modeltest.Noise(16_000), 16_000) }

// submit opens a request and waits until the box shows it.
func (w *world) submit(nft uint64, payload []byte) uint64 {
	w.t.Helper()
	id, _, err := w.requester.Submit(w.ctx(), account.Submission{
		NFT: nft, Purpose: purpose, Instruction: "Tell me where somebody speaks.", Payload: payload, MediaType: "audio/wav", Escrow: parsed(w.t, account.ParseHeart, "2"),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.awaitState(id, api.StateOpen)
	return id
}

// read opens a review and lets its reading time pass.
func (w *world) read(id uint64) api.Review {
	w.t.Helper()
	r, err := w.client.Review(w.ctx(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	w.box.opened.mu.Lock()
	defer w.box.opened.mu.Unlock()
	for d := range w.box.opened.at {
		w.box.opened.at[d] = w.box.opened.at[d].Add(-time.Hour)
	}
	return r
}

func approval(r api.Review) api.Answer {
	a := api.Answer{Decision: "approve", Digest: r.Digest, Rules: make(map[string]string)}
	for _, q := range r.Rules {
		if q.Judged {
			a.Rules[q.ID] = "yes"
		}
	}
	return a
}

// approve answers a request that was read, so that the box waits for a finger.
func (w *world) approve(id uint64) {
	w.t.Helper()
	if _, err := w.client.Answer(w.ctx(), id, approval(w.read(id))); err != nil {
		w.t.Fatal(err)
	}
}

// refused wants an error of a code whose detail holds a text.
func refused(t *testing.T, what string, err error, code, text string) {
	t.Helper()
	e, ok := errors.AsType[*api.Error](err)
	if !ok || e.Code != code || !strings.Contains(e.Detail, text) {
		t.Errorf("%s: %v, want %s with %q", what, err, code, text)
	}
}

// unvoted wants the chain to hold no vote of the box's human on a request.
func (w *world) unvoted(id uint64) {
	w.t.Helper()
	r, err := w.client.Review(w.ctx(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Answer != "" || r.Approvals+r.Rejections+r.Abstentions != 0 || r.State != api.StateOpen {
		w.t.Errorf("request %d has a vote: %+v", id, r.Summary)
	}
}

// signCommand is TPM2_Sign (TPM 2.0 Part 2, 6.5.2).
const signCommand = 0x0000015D

// signatures counts the TPM2_Sign commands so far.
func (w *world) signatures() int {
	n := 0
	for _, x := range w.bus.Exchanges() {
		if binary.BigEndian.Uint32(x.Command[6:]) == signCommand {
			n++
		}
	}
	return n
}

// awaitSignature waits until the TPM was asked to sign n times in all. The proxy tells nobody of a command
// that it holds, so this looks.
func (w *world) awaitSignature(n int) {
	w.t.Helper()
	ctx := w.ctx()
	for w.signatures() < n {
		if !pause(ctx, 10*time.Millisecond) {
			w.t.Fatalf("the TPM was asked to sign %d times, want %d", w.signatures(), n)
		}
	}
}

// events are the audit log's events from an entry on.
func (w *world) events(after uint64) []string {
	w.t.Helper()
	entries, err := w.client.Audit(w.ctx(), after, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Event)
	}
	return out
}

func (w *world) auditSeq() uint64 {
	w.t.Helper()
	s, err := w.client.Status(w.ctx())
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Audit.Seq
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Clone(b.b.Bytes())
}

func (b *syncBuffer) tail() string {
	all := b.bytes()
	return string(all[max(0, len(all)-2000):])
}

// plug gives the sensor a name that stays while modules come and go, as udev does. What it returns moves
// the name to the present module.
func (w *world) plug() (move func()) {
	w.t.Helper()
	w.cfg.Sensor.Path = filepath.Join(w.t.TempDir(), "ttyR503")
	move = func() {
		w.t.Helper()
		next := w.cfg.Sensor.Path + ".new"
		if err := errors.Join(os.Symlink(w.module.Path(), next), os.Rename(next, w.cfg.Sensor.Path)); err != nil {
			w.t.Fatal(err)
		}
	}
	move()
	return move
}
