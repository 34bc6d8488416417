package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	cmtnode "github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/rpc/client/local"
	rpcserver "github.com/cometbft/cometbft/rpc/jsonrpc/server"
	cmttypes "github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"

	"cosmossdk.io/log/v2"
	sdkslog "cosmossdk.io/log/v2/slog"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/server"

	"github.com/vouchbox/vouch/validator/chain"
)

// Node is a running or startable full node.
type Node struct {
	comet   *cmtnode.Node
	app     *chain.App
	config  *cmtcfg.Config
	rpcAddr string
	logger  log.Logger
	dbs     databases

	listener net.Listener
	serving  sync.WaitGroup
	stopped  sync.Once
	stopErr  error
}

// New opens the home's databases and replays what the last run did not finish. pv signs for the
// validator; the node keeps no key of its own but the one that names it to peers.
func New(ctx context.Context, cfg Config, pv cmttypes.PrivValidator, logger *slog.Logger) (*Node, error) {
	config, err := cfg.load()
	if err != nil {
		return nil, err
	}
	genesis, err := cmttypes.GenesisDocFromFile(config.GenesisFile())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHome, err)
	}
	nodeKey, err := p2p.LoadNodeKey(config.NodeKeyFile())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHome, err)
	}
	if err := os.MkdirAll(config.DBDir(), 0o700); err != nil {
		return nil, err
	}
	// Not GoLevelDB: the release that the module graph selects loses empty values, which are IAVL's empty
	// roots, so that a restart fails. The SDK's own go.mod replaces it as broken.
	db, err := dbm.NewPebbleDB("application", config.DBDir(), nil)
	if err != nil {
		return nil, fmt.Errorf("open the application's database (is another node running in %s?): %w", filepath.Clean(cfg.Home), err)
	}
	n := &Node{config: config, rpcAddr: config.RPC.ListenAddress, logger: sdkslog.NewCustomLogger(slog.New(plainHandler{logger.Handler()}))}
	gas := cfg.MinGasPrices
	if gas == "" {
		gas = MinGasPrices
	}
	n.app, err = chain.New(n.logger, db, genesis.ChainID, baseapp.SetMinGasPrices(gas), baseapp.SetIAVLSyncPruning(true))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	// This package listens itself, so that a free port is known without a race.
	config.RPC.ListenAddress = ""
	n.comet, err = cmtnode.NewNodeWithContext(ctx, config, pv, nodeKey,
		proxy.NewLocalClientCreator(server.NewCometABCIWrapper(n.app)),
		cmtnode.DefaultGenesisDocProviderFunc(config), n.dbs.provide,
		cmtnode.DefaultMetricsProvider(config.Instrumentation), cometLogger{n.logger})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the node: %w", err), n.dbs.close(), n.app.Close())
	}
	return n, nil
}

// Start begins consensus, waits for a block and serves JSON-RPC; it returns with an error when ctx ends
// first. After an error the node must be stopped. Before the first block of a run the application
// checks transactions against no time at all, and would refuse votes.
func (n *Node) Start(ctx context.Context) error {
	const subscriber = "start"
	blocks, err := n.comet.EventBus().Subscribe(ctx, subscriber, cmttypes.EventQueryNewBlockHeader)
	if err != nil {
		return err
	}
	if err := n.waitForGenesis(ctx); err != nil {
		return err
	}
	if err := n.comet.Start(); err != nil {
		return fmt.Errorf("start the node: %w", err)
	}
	select {
	case <-blocks.Out():
	case <-blocks.Canceled():
		return fmt.Errorf("the node stopped before it made or received a block: %w", blocks.Err())
	case <-ctx.Done():
		return fmt.Errorf("no block was made or received: %w", ctx.Err())
	}
	if err := n.comet.EventBus().UnsubscribeAll(ctx, subscriber); err != nil {
		return err
	}
	return n.serveRPC()
}

// waitForGenesis waits where CometBFT would sleep, deaf to ctx.
func (n *Node) waitForGenesis(ctx context.Context) error {
	at := n.comet.GenesisDoc().GenesisTime
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the chain starts at %s (is the clock right?): %w", at.Format(time.RFC3339), ctx.Err())
	}
}

// Wait returns nil when ctx ends, or [ErrHalted] when consensus ended by itself: the application met a
// block that it cannot execute, or a database failed. CometBFT would leave the process up, answering
// with an old height.
func (n *Node) Wait(ctx context.Context) error {
	env, err := n.comet.ConfigureRPC()
	if err != nil {
		return err
	}
	state, ok := env.ConsensusState.(interface{ Wait() })
	if !ok {
		return fmt.Errorf("CometBFT's consensus state (%T) cannot be waited for", env.ConsensusState)
	}
	halted := make(chan struct{})
	go func() {
		state.Wait() // ends at Stop at the latest
		close(halted)
	}()
	select {
	case <-ctx.Done():
		return nil
	case <-halted:
		return fmt.Errorf("%w after block %d: the log has the reason", ErrHalted, n.Height())
	}
}

// Stop ends consensus, the RPC server and the databases, in this order. It may be called again.
func (n *Node) Stop() error {
	n.stopped.Do(func() {
		if n.listener != nil {
			n.stopErr = n.listener.Close()
			n.serving.Wait()
		}
		if n.comet.IsRunning() {
			n.stopErr = errors.Join(n.stopErr, n.comet.Stop())
			n.comet.Wait()
		}
		n.stopErr = errors.Join(n.stopErr, n.dbs.close(), n.app.Close())
	})
	return n.stopErr
}

// Local is an RPC client in this process, without a socket.
func (n *Node) Local() *local.Local { return local.New(n.comet) }

// RPC is the URL that the JSON-RPC server answers at, "http://127.0.0.1:26657"; empty before [Node.Start].
func (n *Node) RPC() string {
	if n.listener == nil {
		return ""
	}
	return "http://" + n.listener.Addr().String()
}

// ChainID names the chain.
func (n *Node) ChainID() string { return n.comet.GenesisDoc().ChainID }

// Height is the last committed block, 0 before the first.
func (n *Node) Height() int64 { return n.comet.BlockStore().Height() }

func (n *Node) serveRPC() error {
	env, err := n.comet.ConfigureRPC()
	if err != nil {
		return err
	}
	config := rpcserver.DefaultConfig()
	config.MaxBodyBytes = n.config.RPC.MaxBodyBytes
	config.WriteTimeout = n.config.RPC.TimeoutBroadcastTxCommit + time.Second
	if n.listener, err = rpcserver.Listen(n.rpcAddr, config.MaxOpenConnections); err != nil {
		return fmt.Errorf("serve RPC: %w", err)
	}
	logger := cometLogger{n.logger.With("module", "rpc")}
	routes, mux := env.GetRoutes(), http.NewServeMux()
	sockets := rpcserver.NewWebsocketManager(routes, rpcserver.ReadLimit(config.MaxBodyBytes),
		rpcserver.OnDisconnect(func(remote string) {
			// A subscriber that never subscribed is not known: nothing to end.
			_ = n.comet.EventBus().UnsubscribeAll(context.Background(), remote)
		}))
	sockets.SetLogger(logger)
	mux.HandleFunc("/websocket", sockets.WebsocketHandler)
	rpcserver.RegisterRPCFuncs(mux, routes, logger)
	n.serving.Go(func() {
		if err := rpcserver.Serve(n.listener, mux, logger, config); err != nil && !errors.Is(err, net.ErrClosed) {
			n.logger.Error("RPC server ended", "error", err)
		}
	})
	return nil
}

// cometLogger gives the SDK's logger CometBFT's type of With.
type cometLogger struct{ log.Logger }

func (l cometLogger) With(keyvals ...any) cmtlog.Logger {
	return cometLogger{l.Logger.With(keyvals...)}
}
