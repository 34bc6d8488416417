package appliance

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/validator/light"
)

// link is the box's only sight of the chain: a light client that is made when the node first answers
// and kept from then on. Until then every call fails with [errNoChain].
type link struct {
	cfg light.Config
	now func() time.Time

	dialing sync.Mutex // held while a node is asked for the first time

	mu     sync.Mutex
	client *light.Client
	latest light.Header
}

var errNoChain = errors.New("the chain has not answered yet")

func newLink(cfg light.Config, now func() time.Time) *link { return &link{cfg: cfg, now: now} }

// dial makes the light client unless it is there.
func (l *link) dial(ctx context.Context) (*light.Client, error) {
	l.dialing.Lock()
	defer l.dialing.Unlock()
	if c, err := l.get(); err == nil {
		return c, nil
	}
	c, err := light.New(ctx, l.cfg, l.now)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.client = c
	return c, nil
}

func (l *link) get() (*light.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client == nil {
		return nil, errNoChain
	}
	return l.client, nil
}

// Latest verifies the newest block.
func (l *link) Latest(ctx context.Context) (light.Header, error) {
	c, err := l.dial(ctx)
	if err != nil {
		return light.Header{}, err
	}
	h, err := c.Latest(ctx)
	if err != nil {
		return light.Header{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if h.Height > l.latest.Height {
		l.latest = h
	}
	return h, nil
}

// Read proves the newest value of a key, or its absence.
func (l *link) Read(ctx context.Context, store string, key []byte) (light.Value, error) {
	c, err := l.get()
	if err != nil {
		return light.Value{}, err
	}
	return c.Read(ctx, store, key)
}

// Header verifies the block of a height.
func (l *link) Header(ctx context.Context, height int64) (light.Header, error) {
	c, err := l.get()
	if err != nil {
		return light.Header{}, err
	}
	return c.Header(ctx, height)
}

// ReadAt proves the value of a key as of a height.
func (l *link) ReadAt(ctx context.Context, height int64, store string, key []byte) (light.Value, error) {
	c, err := l.get()
	if err != nil {
		return light.Value{}, err
	}
	return c.ReadAt(ctx, height, store, key)
}

// Broadcast hands a transaction to the node, which may do with it what it likes.
func (l *link) Broadcast(ctx context.Context, tx []byte) error {
	c, err := l.get()
	if err != nil {
		return err
	}
	return c.Broadcast(ctx, tx)
}

// Inclusion proves a transaction and its result.
func (l *link) Inclusion(ctx context.Context, hash [32]byte) (*light.Inclusion, error) {
	c, err := l.get()
	if err != nil {
		return nil, err
	}
	return c.Inclusion(ctx, hash)
}

// seen is the newest verified block so far.
func (l *link) seen() light.Header {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.latest
}

func (l *link) status() api.Chain {
	h := l.seen()
	return api.Chain{ID: l.cfg.ChainID, Height: h.Height, Hash: h.Hash.String(), Time: h.Time,
		Trusted: api.Block{Height: l.cfg.Trust.Height, Hash: l.cfg.Trust.Hash.String()}}
}

// pollEvery is how often the box asks for a newer block.
const pollEvery = 700 * time.Millisecond

// keep follows the chain and calls fn after each newer verified block.
func (l *link) keep(ctx context.Context, log *slog.Logger, p *problems, fn func(context.Context, light.Header) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var height int64
	for {
		h, err := l.Latest(ctx)
		if err == nil && h.Height > height {
			err = fn(ctx, h)
			if err == nil {
				height = h.Height
			}
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, light.ErrAttack):
			// Nothing that this node or its witnesses say can be believed any more.
			log.Error("follow the chain", "error", err)
			p.raise("chain.attack", "Two signed histories of the chain contradict each other. The box shows and signs nothing.",
				"Keep the box on, do not vote, and tell the network's operators: "+err.Error())
			<-ctx.Done()
			return nil
		case err != nil:
			if p.raise("chain.unproved", "The chain cannot be proved: "+err.Error(), "The box tries again by itself. Check the node in the configuration, and the network.") {
				log.Warn("follow the chain", "error", err)
			}
		default:
			p.clear("chain.unproved")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
