package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/vouchbox/vouch/appliance/api"
	"github.com/vouchbox/vouch/drivers/drivertest"
	"github.com/vouchbox/vouch/inference/model"
	"github.com/vouchbox/vouch/tpm/tpmtest"
)

type config struct {
	bin, dir, models, panel, sensor string
}

// stage is everything that the demo started, in order.
type stage struct {
	run
	cfg     config
	tpm     *tpmtest.Process
	tpmPath string // what the box is told to open
	module  *drivertest.R503
	fingers *fingers
	node    *process
	box     *process
	panel   *process

	client    *api.Client
	rpc       string
	panelURL  string
	sensorURL string
	model     string
	peak      map[string]int
}

func newStage(cfg config) (*stage, error) {
	for _, a := range []struct{ flag, what, address string }{{"-panel", "panel", cfg.panel}, {"-sensor", "sensor page", cfg.sensor}} {
		if err := free(a.address); err != nil {
			return nil, fmt.Errorf("the address of the %s is taken: %w; end what listens there, or choose another with %s 127.0.0.1:PORT", a.what, err, a.flag)
		}
	}
	for _, name := range []string{"vouch", "vouchd", "vouchinfer", "vouchnode", "vouchpanel"} {
		if _, err := os.Stat(filepath.Join(cfg.bin, name)); err != nil {
			return nil, fmt.Errorf("a program is missing, run `make build`: %w", err)
		}
	}
	if _, err := os.Stat(cfg.models); err != nil {
		return nil, fmt.Errorf("the models are missing, run `make tools`: %w", err)
	}
	root, err := filepath.Abs(cfg.dir)
	if err != nil {
		return nil, err
	}
	if cfg.bin, err = filepath.Abs(cfg.bin); err != nil {
		return nil, err
	}
	s := &stage{cfg: cfg, peak: make(map[string]int)}
	if s.run, err = newRun(root, time.Now()); err != nil {
		return nil, err
	}
	return s, nil
}

// free reports whether a program could listen on the address now, or why not.
func free(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return l.Close()
}

// freeAddress is a loopback address that nothing listens on, for a server that must come back to it.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

func (s *stage) program(name string) string { return filepath.Join(s.cfg.bin, name) }

// openTPM starts swtpm with a fresh state, as a chip that left the factory.
func (s *stage) openTPM(ctx context.Context) (err error) {
	if err := os.Mkdir(s.path("tpm"), 0o700); err != nil {
		return fmt.Errorf("make the folder of the TPM: %w", err)
	}
	return s.startTPM(ctx)
}

func (s *stage) startTPM(ctx context.Context) (err error) {
	if s.tpm, err = tpmtest.LaunchAt(ctx, s.path("tpm"), s.sockets); err == nil {
		s.tpmPath = s.tpm.Path()
	}
	return err
}

// openSensor starts the virtual fingerprint module and the page that touches it.
func (s *stage) openSensor(ctx context.Context) (err error) {
	cfg := drivertest.DefaultConfig()
	cfg.Noise = true
	if s.module, err = drivertest.NewR503(cfg); err != nil {
		return fmt.Errorf("start the virtual sensor: %w", err)
	}
	s.fingers = newFingers(s.module)
	s.sensorURL, err = s.fingers.serve(ctx, s.cfg.sensor)
	return err
}

// openChain writes a single-validator chain and starts its node.
func (s *stage) openChain(ctx context.Context) error {
	rpc, err := freeAddress()
	if err != nil {
		return err
	}
	if _, err := output(ctx, s.program("vouchnode"), "init-devnet", "--home", s.path("node"), "--rpc", rpc); err != nil {
		return err
	}
	return s.startNode(ctx)
}

func (s *stage) startNode(ctx context.Context) error {
	node, said, err := launch(ctx, s.home, s.program("vouchnode"), "start", "--home", s.path("node"))
	if err != nil {
		return err
	}
	s.node, s.rpc = node, said.RPC
	return nil
}

// openBox writes the configuration of the box and starts it, with the chain's first block as the
// block that its owner trusts.
func (s *stage) openBox(ctx context.Context) error {
	trusted, chainID, err := firstBlock(ctx, s.rpc)
	if err != nil {
		return err
	}
	entry := model.SileroVAD()
	models, err := filepath.Abs(s.cfg.models)
	if err != nil {
		return err
	}
	m, err := entry.Manifest.Digest()
	if err != nil {
		return fmt.Errorf("digest of the voice model: %w", err)
	}
	s.model = m.String()
	worker, err := filepath.Abs(s.program("vouchinfer"))
	if err != nil {
		return err
	}
	box := map[string]any{
		"box": "Demo box", "state_dir": s.path("box"), "socket": filepath.Join(s.sockets, "vouchd.sock"),
		"allow_uids": []int{os.Getuid()}, "tpm": s.tpmPath,
		"sensor":    map[string]any{"path": s.module.Path(), "baud": 57600},
		"chain":     map[string]any{"id": chainID, "primary": s.rpc, "allow_no_witness": true, "trust": trusted, "trust_period": "168h"},
		"inference": map[string]any{"binary": worker, "models_dir": models},
		"ceremony":  map[string]any{"touch_timeout": "2m"},
	}
	cli := map[string]any{
		"node": s.rpc, "chain_id": chainID, "trust": trusted, "allow_no_witness": true,
		"socket": filepath.Join(s.sockets, "vouchd.sock"),
	}
	for path, v := range map[string]any{s.path("box.json"): box, s.path("vouch.json"): cli} {
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return fmt.Errorf("write a configuration: %w", err)
		}
	}
	return s.startBox(ctx)
}

func (s *stage) startBox(ctx context.Context) (err error) {
	s.box, _, err = launch(ctx, s.home, s.program("vouchd"), "--config", s.path("box.json"))
	if err == nil {
		s.client = api.Dial(filepath.Join(s.sockets, "vouchd.sock"))
	}
	return err
}

func (s *stage) openPanel(ctx context.Context) error {
	panel, said, err := launch(ctx, s.home, s.program("vouchpanel"), "--socket", filepath.Join(s.sockets, "vouchd.sock"), "--listen", s.cfg.panel)
	if err != nil {
		return err
	}
	s.panel, s.panelURL = panel, said.URL
	// A panel that is started again comes back to the address that the browser knows.
	s.cfg.panel = strings.TrimPrefix(said.URL, "http://")
	return nil
}

// vouch runs the command line as its user does, and decodes what it prints.
func (s *stage) vouch(ctx context.Context, into any, args ...string) error {
	out, err := output(ctx, s.program("vouch"), append([]string{"--config", s.path("vouch.json"), "-o", "json"}, args...)...)
	if into != nil && len(out) > 0 {
		if e := json.Unmarshal(out, into); e != nil {
			return errors.Join(err, fmt.Errorf("read what vouch printed: %w", e))
		}
	}
	return err
}

// key is one of the devnet's funded accounts.
func (s *stage) key(who string) string { return s.path("node", "keys", who+".json") }

func (s *stage) stopBox() error {
	err := s.box.stop()
	s.collect(s.box)
	s.box = nil
	return err
}

func (s *stage) collect(p *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, mib := range p.peak {
		s.peak[name] = max(s.peak[name], mib)
	}
}

// close ends all that was started, last first.
func (s *stage) close() error {
	var errs []error
	for _, p := range []*process{s.panel, s.box, s.node} {
		if p != nil {
			errs = append(errs, p.stop())
			s.collect(p)
		}
	}
	if s.module != nil {
		errs = append(errs, s.module.Close())
	}
	if s.tpm != nil {
		note(s.peak, "swtpm", s.tpm.PID())
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		defer cancel()
		errs = append(errs, s.tpm.Stop(ctx))
	}
	note(s.peak, "demo", os.Getpid())
	errs = append(errs, s.run.close())
	return errors.Join(errs...)
}
