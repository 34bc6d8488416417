package node_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/vouchbox/vouch/validator/chain/chaintest"
	"github.com/vouchbox/vouch/validator/node"
	"github.com/vouchbox/vouch/validator/node/nodecmd"
)

// commandEnv makes this test binary be vouchnode with the given arguments.
const commandEnv = "VOUCHNODE_TEST_ARGS"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(commandEnv); ok {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		cmd := nodecmd.Command(os.Stdout, os.Stderr)
		cmd.SetArgs(strings.Split(args, "\n"))
		err := cmd.ExecuteContext(ctx)
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// process is vouchnode as another process, and what it said when it was ready.
type process struct {
	cmd   *exec.Cmd
	ready struct {
		Ready   bool   `json:"ready"`
		RPC     string `json:"rpc"`
		ChainID string `json:"chain_id"`
	}
}

func startProcess(t *testing.T, home string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.CommandContext(t.Context(), exe)}
	p.cmd.Stderr = t.Output()
	p.cmd.Env = append(os.Environ(), commandEnv+"=start\n--home\n"+home)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("vouchnode ended before it was ready: %v", p.cmd.Wait())
	}
	if err := json.Unmarshal(lines.Bytes(), &p.ready); err != nil || !p.ready.Ready || p.ready.ChainID != node.DevnetChainID {
		t.Fatalf("vouchnode said %s", lines.Text())
	}
	return p
}

// TestKill ends a node without warning, again and again; each next one goes on, nothing that was in a
// block is lost, and in the end it stops in order when asked.
func TestKill(t *testing.T) {
	n := newNet(t)
	treasury, author := n.funded("treasury"), n.funded("author")
	want := chaintest.Heart(1_000_000)
	for range 3 {
		p := startProcess(t, n.home)
		n.dial(p.ready.RPC)
		if got := n.balance(author.address()); !got.Equal(want.Amount) {
			t.Fatalf("the author has %s, want %s", got, want.Amount)
		}
		n.deliver("send", n.tx(treasury, false, banktypes.NewMsgSend(treasury.address(), author.address(), sdk.NewCoins(chaintest.Heart(1)))), nil)
		want = want.Add(chaintest.Heart(1))
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.cmd.Wait() // it says that it was killed
	}
	p := startProcess(t, n.home)
	n.dial(p.ready.RPC)
	if got := n.balance(author.address()); !got.Equal(want.Amount) {
		t.Errorf("the author has %s, want %s", got, want.Amount)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("asked to stop: %v", err)
	}
}
