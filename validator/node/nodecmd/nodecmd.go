// Package nodecmd is the command line of vouchnode: it makes a devnet's home, runs a node and asks a
// running one how it is. cmd/vouchnode imports it. Answers go to stdout, one JSON object a line; logs
// go to stderr as JSON.
package nodecmd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/spf13/cobra"

	"github.com/vouchbox/vouch/validator/node"
)

// startTimeout is how long a node may replay and wait for its first block before it gives up.
const startTimeout = 5 * time.Minute

// statusTimeout bounds one question to a node on this machine.
const statusTimeout = 5 * time.Second

// Command is vouchnode with its sub-commands. Cancelling its context ends a running node in order.
func Command(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "vouchnode",
		Short:         "A full node of the Vouch chain",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(initDevnet(), start(), status())
	return root
}

func initDevnet() *cobra.Command {
	var home string
	var opts node.DevnetOptions
	cmd := &cobra.Command{
		Use:   "init-devnet",
		Short: "Make the home of a chain with one validator and three funded accounts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.GenesisTime = time.Now()
			d, err := node.InitDevnet(home, opts)
			if err != nil {
				return err
			}
			return answer(cmd, map[string]any{
				"home": d.Home, "chain_id": d.ChainID, "rpc": d.RPC, "treasury": d.Treasury, "author": d.Author, "requester": d.Requester,
			})
		},
	}
	homeFlag(cmd, &home)
	cmd.Flags().StringVar(&opts.RPC, "rpc", "127.0.0.1:26657", "loopback address of the JSON-RPC server")
	cmd.Flags().DurationVar(&opts.TimeoutCommit, "block-time", 500*time.Millisecond, "pause between blocks")
	return cmd
}

func start() *cobra.Command {
	var cfg node.Config
	var verbose bool
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run the node until SIGINT or SIGTERM",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// CometBFT writes ten lines a block at info level.
			level := slog.LevelWarn
			if verbose {
				level = slog.LevelInfo
			}
			logger := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
			return run(cmd, cfg, logger)
		},
	}
	homeFlag(cmd, &cfg.Home)
	cmd.Flags().StringVar(&cfg.RPC, "rpc", "", "loopback address of the JSON-RPC server, instead of the home's")
	cmd.Flags().BoolVar(&verbose, "verbose", false, "log what each block does")
	return cmd
}

func run(cmd *cobra.Command, cfg node.Config, logger *slog.Logger) (err error) {
	pv, err := node.LoadFilePV(cfg.Home)
	if err != nil {
		return err
	}
	n, err := node.New(cmd.Context(), cfg, pv, logger)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := n.Stop(); err == nil {
			err = stopErr
		}
	}()
	ctx, cancel := context.WithTimeout(cmd.Context(), startTimeout)
	defer cancel()
	if err := n.Start(ctx); err != nil {
		return err
	}
	if err := answer(cmd, map[string]any{"ready": true, "rpc": n.RPC(), "chain_id": n.ChainID(), "height": n.Height()}); err != nil {
		return err
	}
	return n.Wait(cmd.Context())
}

func status() *cobra.Command {
	var cfg node.Config
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Ask a running node for its chain and last block",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			address, err := cfg.RPCAddress()
			if err != nil {
				return err
			}
			client, err := rpchttp.New("http://"+address, "/websocket")
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), statusTimeout)
			defer cancel()
			s, err := client.Status(ctx)
			if err != nil {
				return fmt.Errorf("no answer from a node at %s: %w", address, err)
			}
			return answer(cmd, map[string]any{
				"chain_id": s.NodeInfo.Network, "height": s.SyncInfo.LatestBlockHeight, "time": s.SyncInfo.LatestBlockTime,
				"block_hash": s.SyncInfo.LatestBlockHash, "app_hash": s.SyncInfo.LatestAppHash, "catching_up": s.SyncInfo.CatchingUp,
			})
		},
	}
	homeFlag(cmd, &cfg.Home)
	cmd.Flags().StringVar(&cfg.RPC, "rpc", "", "address of the JSON-RPC server, instead of the home's")
	return cmd
}

func homeFlag(cmd *cobra.Command, home *string) {
	cmd.Flags().StringVar(home, "home", "", "directory of the node")
	if err := cmd.MarkFlagRequired("home"); err != nil {
		panic(err) // the flag stands one line above
	}
}

func answer(cmd *cobra.Command, v any) error { return json.NewEncoder(cmd.OutOrStdout()).Encode(v) }
