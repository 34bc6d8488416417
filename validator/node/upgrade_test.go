package node_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/vouchbox/vouch/validator/chain/chaintest"
	"github.com/vouchbox/vouch/validator/node"
)

// TestUpgradeHalts: governance decides on a release that this binary is not. The node stops at the
// height that was chosen, says so, and does not run again.
func TestUpgradeHalts(t *testing.T) {
	n := newNet(t)
	shortenGovernance(t, filepath.Join(n.home, "config", "genesis.json"))
	n.start()
	treasury := n.funded("treasury")
	height := n.node.Height() + 60
	proposal, err := govv1.NewMsgSubmitProposal([]sdk.Msg{&upgradetypes.MsgSoftwareUpgrade{
		Authority: authtypes.NewModuleAddress(govtypes.ModuleName).String(), Plan: upgradetypes.Plan{Name: "next", Height: height},
	}}, sdk.NewCoins(chaintest.Heart(1000)), treasury.address().String(), "", "next release", "what it brings", false)
	if err != nil {
		t.Fatal(err)
	}
	var res govv1.MsgSubmitProposalResponse
	n.deliver("propose", n.tx(treasury, false, proposal), &res)
	n.deliver("vote for it", n.tx(treasury, false, govv1.NewMsgVote(treasury.address(), res.ProposalId, govv1.OptionYes, "")), nil)

	if err := n.node.Wait(n.ctx()); !errors.Is(err, node.ErrHalted) {
		t.Fatalf("Wait: %v", err)
	}
	n.stop()
	pv, err := node.LoadFilePV(n.home)
	if err != nil {
		t.Fatal(err)
	}
	_, err = node.New(n.ctx(), node.Config{Home: n.home}, pv, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err == nil || !strings.Contains(err.Error(), `the upgrade "next" is due`) {
		t.Errorf("started again: %v", err)
	}
}

// shortenGovernance lets a vote last a fraction of a second.
func shortenGovernance(t *testing.T, genesis string) {
	t.Helper()
	raw, err := os.ReadFile(genesis)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	params := doc["app_state"].(map[string]any)["gov"].(map[string]any)["params"].(map[string]any)
	params["voting_period"], params["expedited_voting_period"] = "0.300s", "0.200s"
	if raw, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(genesis, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
