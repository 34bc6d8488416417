package appliance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/appliance/audit"
	"github.com/vouchbox/vouch/appliance/config"
	"github.com/vouchbox/vouch/appliance/state"
	"github.com/vouchbox/vouch/inference"
	"github.com/vouchbox/vouch/inference/model"
	"github.com/vouchbox/vouch/inference/sandbox"
	"github.com/vouchbox/vouch/sensors/finger"
	"github.com/vouchbox/vouch/sensors/vault"
	"github.com/vouchbox/vouch/tpm"
	"github.com/vouchbox/vouch/tpm/key"
	"github.com/vouchbox/vouch/tpm/seal"
	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/ledger"
	"github.com/vouchbox/vouch/validator/light"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/prover"
	"github.com/vouchbox/vouch/validator/tx"
)

// sensorDPI is the R503's resolution (R503 manual, technical parameters).
const sensorDPI = 508

// Version of vouchd.
const Version = "0.1.0"

// Appliance is one box. It implements [api.Box].
type Appliance struct {
	cfg config.Config
	log *slog.Logger
	now func() time.Time

	store    *state.Store
	votes    prover.Store // what the provers write to
	audit    *audit.Log
	tpm      *tpm.Device
	vault    *vault.Vault
	device   *key.Key // the box's account
	people   *people
	link     *link
	account  *account.Account
	sensor   *sensor
	reader   *finger.Reader
	executor *executor
	payloads payloads

	hub       *hub
	problems  *problems
	queue     *queue
	opened    *opened
	tries     retryPolicy
	ceremony  *ceremony
	enrolment *enrolment

	sensorClaim sync.Mutex      // held by the ceremony or enrolment that uses the sensor
	running     context.Context // of Run: what an answer started outlives the call that started it
	background  background
	unsettled   chan struct{} // says that a vote is open that no ceremony looks after
	statusTurn  sync.Mutex    // held while a status is made and published, so that none is older than the one before
	holding     holding
}

// background is what answers and enrolments started. Nothing starts once the box waits for its end.
type background struct {
	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

func (b *background) start(fn func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return api.Errorf(api.CodeUnready, "The box is stopping.")
	}
	b.running.Go(fn)
	return nil
}

func (b *background) end() {
	b.mu.Lock()
	b.stopped = true
	b.mu.Unlock()
	b.running.Wait()
}

var _ api.Box = (*Appliance)(nil)

// New opens everything that is in the box: the state, the TPM, the vault, the keys. The chain and the
// sensor may be away; Run waits for them and tells the owner. Close what New opened with Close.
func New(ctx context.Context, cfg config.Config, log *slog.Logger, now func() time.Time) (_ *Appliance, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &Appliance{
		cfg: cfg, log: log, now: now,
		hub: newHub(), problems: newProblems(now), queue: newQueue(),
		opened:    &opened{at: make(map[poh.Digest]time.Time)},
		unsettled: make(chan struct{}, 1),
	}
	a.ceremony = &ceremony{hub: a.hub, state: api.Ceremony{Stage: api.StageIdle}}
	a.enrolment = &enrolment{hub: a.hub}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.store, err = state.Open(filepath.Join(cfg.StateDir, "records")); err != nil {
		return nil, fmt.Errorf("open the state: %w", err)
	}
	a.votes = a.store
	a.tries = retryPolicy{store: a.store, max: cfg.Ceremony.Tries, coolDown: time.Duration(cfg.Ceremony.CoolDown)}
	if a.audit, err = audit.Open(filepath.Join(cfg.StateDir, "audit.log"), now); err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	if a.tpm, err = tpm.Open(ctx, cfg.TPM); err != nil {
		return nil, fmt.Errorf("open the TPM: %w", err)
	}
	if a.tpm.Info().Software {
		a.problems.raise("tpm.software", "The TPM is a program, not a chip.",
			"It keeps keys no safer than the machine that runs it. For anything that matters, use a box with a TPM chip.")
	}
	root, err := openPrimary(ctx, a.store, a.tpm)
	if err != nil {
		return nil, err
	}
	if a.vault, err = vault.Open(ctx, a.store, seal.New(a.tpm).Pinned(root)); err != nil {
		return nil, fmt.Errorf("open the vault: %w", err)
	}
	if a.device, err = openDeviceKey(ctx, a.store, a.tpm, root); err != nil {
		return nil, err
	}
	a.link = newLink(light.Config{
		ChainID: cfg.Chain.ID, Trust: poh.Block{Height: cfg.Chain.Trust.Height, Hash: poh.Digest(cfg.Chain.Trust.Hash)},
		TrustPeriod: time.Duration(cfg.Chain.TrustPeriod), Primary: cfg.Chain.Primary, Witnesses: cfg.Chain.Witnesses,
		AllowNoWitness: cfg.Chain.AllowNoWitness, Dir: filepath.Join(cfg.StateDir, "light"),
	}, now)
	a.account = account.New(a.link, cfg.Chain.ID, tx.P256, a.device, now)
	if a.people, err = openPeople(ctx, a.store, a.vault, a.tpm, root, a.voter); err != nil {
		return nil, err
	}
	for _, id := range a.people.ended {
		a.note(ctx, "human.forgotten", map[string]string{"person": id.String()})
	}
	if a.sensor, err = newSensor(ctx, cfg.Sensor); err != nil {
		return nil, err
	}
	if a.reader, err = finger.NewReader(a.sensor, sensorDPI); err != nil {
		return nil, err
	}
	models, err := model.Open(cfg.Inference.ModelsDir)
	if err != nil {
		return nil, fmt.Errorf("open the models: %w", err)
	}
	a.executor = &executor{cfg: cfg.Inference, models: models, workers: make(map[inference.Digest]*sandbox.Worker)}
	held, err := model.Open(filepath.Join(cfg.StateDir, "payloads"))
	if err != nil {
		return nil, fmt.Errorf("open the payloads: %w", err)
	}
	a.payloads = payloads{held}
	return a, nil
}

// voter makes the prover of one person's vote key. An intent lives as long as a human may take.
func (a *Appliance) voter(k *key.Key) (*prover.Prover, error) {
	return prover.New(prover.Config{
		ChainID: a.cfg.Chain.ID, Gas: account.GasVote, Fee: account.Fee(account.GasVote),
		IntentAge: time.Duration(a.cfg.Ceremony.TouchTimeout) + time.Minute, Poll: pollEvery,
	}, a.link, k, a.votes, a.now)
}

// Main runs a box until ctx ends, and writes a line of JSON to out once it takes calls.
func Main(ctx context.Context, cfg config.Config, log *slog.Logger, out io.Writer) error {
	a, err := New(ctx, cfg, log, time.Now)
	if err != nil {
		return err
	}
	ready := func() { fmt.Fprintf(out, "{\"ready\":true,\"socket\":%q}\n", cfg.Socket) }
	return errors.Join(a.Run(ctx, ready), a.Close())
}

// closeLimit is how long Close waits for a command that the TPM is busy with.
const closeLimit = 5 * time.Second

// Close releases what New opened. It is safe after a New that failed half-way.
func (a *Appliance) Close() error {
	var errs []error
	if a.executor != nil {
		errs = append(errs, a.executor.close(), a.executor.models.Close())
	}
	if a.payloads.Store != nil {
		errs = append(errs, a.payloads.Close())
	}
	if a.tpm != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		errs = append(errs, a.tpm.Close(ctx))
	}
	if a.audit != nil {
		errs = append(errs, a.audit.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	return errors.Join(errs...)
}

// Run serves the local API and follows the chain until ctx ends. It calls ready once the socket takes
// calls.
func (a *Appliance) Run(ctx context.Context, ready func()) error {
	l, err := api.Listen(a.cfg.Socket)
	if err != nil {
		return err
	}
	if err := a.audit.Append(ctx, "box.started", map[string]string{"version": Version, "account": a.account.String()}); err != nil {
		return errors.Join(fmt.Errorf("write the audit log: %w", err), l.Close())
	}
	g, ctx := errgroup.WithContext(ctx)
	a.running = ctx
	a.hub.publish(api.Event{Kind: "ceremony", Ceremony: new(a.ceremony.get())})
	a.hub.publish(api.Event{Kind: "enrolment", Enrolment: new(a.enrolment.get())})
	a.problems.tell(a.changed)
	a.changed()
	a.unsettled <- struct{}{} // what the last run left open
	work := make(chan []uint64, 1)
	g.Go(func() error { return api.ServeListener(ctx, l, a, a.allowed) })
	g.Go(func() error { return a.sensor.keep(ctx, a.problems, a.changed) })
	g.Go(func() error { return a.link.keep(ctx, a.log, a.problems, a.onBlock(work)) })
	g.Go(func() error { return a.executeAll(ctx, work) })
	g.Go(func() error { return a.settleAll(ctx) })
	g.Go(func() error { a.lookAtGPU(ctx); return nil })
	ready()
	err = g.Wait()
	a.background.end()
	a.sensor.close()
	return err
}

// allowed are the box's own user and those that the configuration names.
func (a *Appliance) allowed(uid uint32) bool {
	return uid == uint32(os.Getuid()) || slices.Contains(a.cfg.AllowUIDs, uid)
}

// firstState is the first height whose state a node of this SDK proves.
const firstState = 2

// onBlock is what the box does after each newer verified block.
func (a *Appliance) onBlock(work chan<- []uint64) func(context.Context, light.Header) error {
	return func(ctx context.Context, h light.Header) error {
		if provable(h) < firstState {
			return nil
		}
		approved, err := a.follow(ctx, h)
		if err != nil {
			return err
		}
		if err := a.count(ctx); err != nil {
			return err
		}
		a.changed()
		a.registerAll(ctx)
		if len(approved) > 0 {
			select {
			case work <- approved:
			default: // the executor is busy; the next block asks again
			}
		}
		return nil
	}
}

// executeRest is the pause before a request is executed again that could not be.
const executeRest = 10 * time.Second

func (a *Appliance) executeAll(ctx context.Context, work <-chan []uint64) error {
	posted := make(map[uint64]bool)     // proved on the chain, later than the block that asked
	rests := make(map[uint64]time.Time) // until then
	for {
		select {
		case <-ctx.Done():
			return nil
		case ids := <-work:
			for _, id := range ids {
				if posted[id] || a.now().Before(rests[id]) {
					continue
				}
				code := fmt.Sprintf("execute.%d", id)
				err := a.execute(ctx, id)
				if errors.Is(err, errNoModel) {
					continue // another box may hold it
				}
				if err != nil && ctx.Err() != nil {
					return nil
				}
				if err != nil {
					rests[id] = a.now().Add(executeRest)
					a.log.Error("execute", "request", id, "error", err)
					a.problems.raise(code, fmt.Sprintf("Request %d was approved but could not be executed here.", id), err.Error()+" The box tries again.")
					continue
				}
				posted[id] = true
				a.problems.clear(code)
			}
		}
	}
}

// view is the newest state of the chain that can be proved.
func (a *Appliance) view() ledger.View { return ledger.At(a.link, provable(a.link.seen())) }

// provable is the height of the newest state below a verified block: a block's header commits to the
// state after the block before it.
func provable(h light.Header) int64 { return h.Height - 1 }

// claimSensor takes the sensor for one ceremony or enrolment.
func (a *Appliance) claimSensor() bool { return a.sensorClaim.TryLock() }

func (a *Appliance) releaseSensor() { a.sensorClaim.Unlock() }

// note writes to the audit log what already happened and cannot be undone, also when the box is
// stopping; a log that fails is a problem for the owner to see.
func (a *Appliance) note(ctx context.Context, event string, fields map[string]string) {
	if err := a.audit.Append(context.WithoutCancel(ctx), event, fields); err != nil {
		a.log.Error("audit", "event", event, "error", err)
		a.problems.raise("audit.failed", "The audit log cannot be written.", err.Error())
	}
}
