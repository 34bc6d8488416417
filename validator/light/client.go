package light

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	cmtlight "github.com/cometbft/cometbft/light"
	"github.com/cometbft/cometbft/light/provider"
	"github.com/cometbft/cometbft/types"

	"github.com/vouchbox/vouch/validator/poh"
)

// Config of a [Client]. Zero tuning fields take the default in their comment.
type Config struct {
	ChainID string
	// Trust is the block that everything is verified from. Take it from two independent places.
	Trust poh.Block
	// TrustPeriod is how long a verified block can be trusted: two thirds of the unbonding period.
	TrustPeriod time.Duration
	// Primary is the RPC address of the node that is asked: "http://127.0.0.1:26657".
	Primary string
	// Witnesses are RPC addresses of independent nodes that headers are compared with.
	Witnesses []string
	// AllowNoWitness lets the primary stand alone, on a development net of one node. Status says so.
	AllowNoWitness bool
	// Dir holds the trusted blocks. Two clients must not share it.
	Dir string

	Deadline time.Duration // of each call that has none: 30 s
	Request  time.Duration // of each request to a node: 5 s
	MaxAge   time.Duration // of the newest block before it counts as stale: 2 min
	Patience time.Duration // with a witness that lags: 3 s
}

const keepBlocks = 64

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&c.Deadline, 30 * time.Second}, {&c.Request, 5 * time.Second}, {&c.MaxAge, 2 * time.Minute}, {&c.Patience, 3 * time.Second}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	return c
}

func (c Config) validate() error {
	switch {
	case c.ChainID == "":
		return fmt.Errorf("%w: the chain id is missing", ErrConfig)
	case c.Trust.Height <= 0 || c.Trust.Hash.IsZero():
		return fmt.Errorf("%w: the trust root needs a height and a hash", ErrConfig)
	case c.TrustPeriod <= 0:
		return fmt.Errorf("%w: the trust period is missing; use two thirds of the unbonding period", ErrConfig)
	case c.Dir == "":
		return fmt.Errorf("%w: the folder for trusted blocks is missing", ErrConfig)
	case len(c.Witnesses) == 0 && !c.AllowNoWitness:
		return fmt.Errorf("%w: name a witness, a second independent node", ErrConfig)
	}
	seen := []string{canonical(c.Primary)}
	for _, w := range c.Witnesses {
		if slices.Contains(seen, canonical(w)) {
			return fmt.Errorf("%w: the witness %s is the primary or named twice; a witness is another node", ErrConfig, w)
		}
		seen = append(seen, canonical(w))
	}
	return nil
}

func canonical(url string) string { return strings.ToLower(strings.TrimRight(url, "/")) }

// Client reads one chain through untrusted nodes. It is safe for concurrent use.
type Client struct {
	cfg       Config
	now       func() time.Time
	primary   *node
	witnesses []*node
	store     *blocks

	// turn is held while headers are verified: CometBFT's client is for one caller at a time.
	turn   chan struct{}
	status Status // guarded by turn
}

// Status says how far the client is and on whose word.
type Status struct {
	Newest    poh.Block // newest verified block
	At        time.Time // its time
	Witnesses int       // nodes that headers are compared with
	// Unwitnessed means that nobody but the primary was asked, because the configuration allows it.
	Unwitnessed bool
	// Attack is set for ever once a light client attack was seen.
	Attack bool
}

// New opens the store of trusted blocks and verifies the trust root, or that it is still the one in
// use. The client that it returns has verified a block.
func New(ctx context.Context, cfg Config, now func() time.Time) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	primary, err := dialNode(cfg.Primary, cfg.Request)
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, now: now, primary: primary, turn: make(chan struct{}, 1)}
	for _, url := range cfg.Witnesses {
		w, err := dialNode(url, cfg.Request)
		if err != nil {
			return nil, err
		}
		c.witnesses = append(c.witnesses, w)
	}
	c.status = Status{Witnesses: len(c.witnesses), Unwitnessed: len(c.witnesses) == 0}
	if c.store, err = openBlocks(cfg.Dir, cfg.ChainID); err != nil {
		return nil, err
	}
	if ev, err := c.store.evidence(); err != nil {
		return nil, err
	} else if ev != nil {
		return nil, fmt.Errorf("%w: see %s in %s; once a person has judged it, remove the folder and pin a new trust root", ErrAttack, evidenceFile, cfg.Dir)
	}
	ctx, cancel := c.deadline(ctx)
	defer cancel()
	if err := c.anchor(ctx); err != nil {
		return nil, err
	}
	return c, c.note()
}

// anchor compares the configured root with the stored one and verifies it if it is new.
func (c *Client) anchor(ctx context.Context) error {
	want := root{ChainID: c.cfg.ChainID, Height: c.cfg.Trust.Height, Hash: c.cfg.Trust.Hash}
	have, err := c.store.root()
	if err != nil {
		return err
	}
	if have == nil {
		if err := c.plant(ctx); err != nil {
			return err
		}
		return c.store.pin(want)
	}
	switch {
	case *have == want:
		c.store.pinned = want.Height
		last, err := c.store.LastLightBlockHeight()
		if err != nil || last > 0 {
			return err
		}
		return c.plant(ctx)
	case have.ChainID != want.ChainID:
		return fmt.Errorf("%w: %s is of chain %q, the configuration names %q", ErrTrustChanged, c.cfg.Dir, have.ChainID, want.ChainID)
	case want.Height <= have.Height:
		return fmt.Errorf("%w: block %d with hash %s is pinned, the configuration names block %d with hash %s", ErrTrustChanged, have.Height, have.Hash, want.Height, want.Hash)
	}
	c.store.pinned = have.Height
	h, err := c.header(ctx, want.Height)
	switch {
	case errors.Is(err, ErrExpired):
		// The remedy that ErrExpired names: the owner pins a newer block.
		c.store.pinned = 0
		if err := c.store.Prune(0); err != nil {
			return err
		}
		if err := c.plant(ctx); err != nil {
			return err
		}
	case err != nil:
		return err
	case h.Hash != want.Hash:
		return fmt.Errorf("%w: block %d has the hash %s, the configuration names %s", ErrTrustChanged, want.Height, h.Hash, want.Hash)
	}
	return c.store.pin(want)
}

// plant verifies the trust root and stores it.
func (c *Client) plant(ctx context.Context) error {
	primary, witnesses := c.sources()
	trust := cmtlight.TrustOptions{Period: c.cfg.TrustPeriod, Height: c.cfg.Trust.Height, Hash: c.cfg.Trust.Hash[:]}
	lb, err := primary.LightBlock(ctx, trust.Height)
	if err != nil {
		return c.name(ctx, err, primary)
	}
	if err := Root(c.cfg.ChainID, c.cfg.Trust, lb); err != nil {
		return err
	}
	if cmtlight.HeaderExpired(lb.SignedHeader, c.cfg.TrustPeriod, c.now()) {
		return fmt.Errorf("%w: block %d is of %s", ErrExpired, lb.Height, lb.Time.UTC().Format(time.RFC3339))
	}
	_, err = cmtlight.NewClient(ctx, c.cfg.ChainID, trust, primary, witnesses, c.store, cmtlight.PruningSize(keepBlocks))
	if err != nil {
		return c.name(ctx, err, primary)
	}
	return nil
}

// sources are made for each use, so that a witness that was dropped once is asked again.
func (c *Client) sources() (*source, []provider.Provider) {
	primary := &source{node: c.primary, chainID: c.cfg.ChainID}
	if len(c.witnesses) == 0 {
		return primary, []provider.Provider{primary}
	}
	var witnesses []provider.Provider
	for _, w := range c.witnesses {
		witnesses = append(witnesses, &source{node: w, chainID: c.cfg.ChainID, patience: c.cfg.Patience})
	}
	return primary, witnesses
}

// verify runs f with CometBFT's client over the store. Its errors are named as in errors.go, and an
// attack is latched.
func (c *Client) verify(ctx context.Context, f func(*cmtlight.Client) error) error {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%w: another call is verifying headers: %w", ErrUnreachable, ctx.Err())
	}
	defer func() { <-c.turn }()
	if c.status.Attack {
		return ErrAttack
	}
	primary, witnesses := c.sources()
	lc, err := cmtlight.NewClientFromTrustedStore(c.cfg.ChainID, c.cfg.TrustPeriod, primary, witnesses, c.store,
		cmtlight.PruningSize(keepBlocks), cmtlight.MaxClockDrift(maxDrift), cmtlight.MaxBlockLag(c.cfg.Patience))
	if err == nil {
		err = f(lc)
	}
	if err == nil {
		return c.note()
	}
	if errors.Is(err, cmtlight.ErrLightClientAttack) {
		c.status.Attack = true
		return errors.Join(ErrAttack, c.keep(primary, witnesses))
	}
	return c.name(ctx, err, primary)
}

// keep writes what the light client found against both sides.
func (c *Client) keep(primary *source, witnesses []provider.Provider) error {
	type entry struct {
		ReportedTo string `json:"reported_to"`
		Evidence   []byte `json:"evidence"` // tendermint.types.Evidence in protobuf
		Text       string `json:"text"`
	}
	file := struct {
		At       time.Time `json:"at"`
		ChainID  string    `json:"chain_id"`
		Evidence []entry   `json:"evidence"`
	}{At: c.now(), ChainID: c.cfg.ChainID}
	for _, p := range append([]provider.Provider{primary}, witnesses...) {
		s, ok := p.(*source)
		if !ok {
			continue
		}
		for _, ev := range s.reported() {
			pb, err := types.EvidenceToProto(ev)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrStore, err)
			}
			raw, err := pb.Marshal()
			if err != nil {
				return fmt.Errorf("%w: %w", ErrStore, err)
			}
			file.Evidence = append(file.Evidence, entry{ReportedTo: s.node.url, Evidence: raw, Text: ev.String()})
		}
	}
	raw, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return c.store.saveEvidence(raw)
}

// name gives an error of CometBFT's light client the name that this package documents.
func (c *Client) name(ctx context.Context, err error, primary *source) error {
	known := []error{ErrLying, ErrUnreachable, ErrExpired, ErrStore, ErrStale}
	for _, k := range known {
		if errors.Is(err, k) {
			return err
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: no verified header before the deadline: %w", ErrUnreachable, ctx.Err())
	}
	if e, ok := errors.AsType[cmtlight.ErrOldHeaderExpired](err); ok {
		return fmt.Errorf("%w at %s", ErrExpired, e.At.UTC().Format(time.RFC3339))
	}
	switch {
	case errors.Is(err, provider.ErrNoResponse), errors.Is(err, provider.ErrHeightTooHigh), errors.Is(err, provider.ErrLightBlockNotFound), errors.As(err, new(provider.ErrBadLightBlock)):
		if f := primary.lastFailure(); f != nil {
			return f
		}
		if errors.As(err, new(provider.ErrBadLightBlock)) {
			return lie("header", err, "the node sent a malformed block")
		}
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case errors.Is(err, cmtlight.ErrNoWitnesses), errors.Is(err, cmtlight.ErrFailedHeaderCrossReferencing):
		if f := primary.lastFailure(); f != nil {
			return fmt.Errorf("%w: %w", ErrNoWitness, f)
		}
		return ErrNoWitness
	case errors.As(err, new(cmtlight.ErrConflictingHeaders)):
		return lie("trusted-block", err, "a witness has another block than the trust root")
	case errors.As(err, new(cmtlight.ErrProposerPrioritiesDiverge)):
		return lie("validators", err, "a witness names other validators than the primary")
	}
	if errors.As(err, new(cmtlight.ErrVerificationFailed)) || errors.As(err, new(cmtlight.ErrInvalidHeader)) {
		return lie("header", err, "the node's block is not signed by the validators")
	}
	return err
}

// note records the newest verified block. The caller holds the turn or is alone.
func (c *Client) note() error {
	height, err := c.store.LastLightBlockHeight()
	if err != nil {
		return err
	}
	lb, err := c.store.LightBlock(height)
	if err != nil {
		return err
	}
	c.status.Newest, c.status.At = HeaderOf(lb.Header).Block, lb.Time
	return nil
}

// Status reports without asking any node.
func (c *Client) Status(ctx context.Context) (Status, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
		return c.status, nil
	case <-ctx.Done():
		return Status{}, ctx.Err()
	}
}

// ChainID is the chain that the client reads.
func (c *Client) ChainID() string { return c.cfg.ChainID }

func (c *Client) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.cfg.Deadline)
}
