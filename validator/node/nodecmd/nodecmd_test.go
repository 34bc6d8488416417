package nodecmd_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/validator/node/nodecmd"
)

func vouchnode(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := nodecmd.Command(&out, &errs)
	cmd.SetArgs(args)
	err = cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestCommands(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	out, err := vouchnode(t, "init-devnet", "--home", home, "--rpc", "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		Home     string `json:"home"`
		ChainID  string `json:"chain_id"`
		Treasury string `json:"treasury"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Home != home || made.ChainID != "vouch-devnet-1" || !strings.HasPrefix(made.Treasury, "human1") {
		t.Errorf("init-devnet said %s, %v", out, err)
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no home given":         {[]string{"start"}, "home"},
		"a home that is none":   {[]string{"start", "--home", t.TempDir()}, "unusable home"},
		"other options":         {[]string{"init-devnet", "--home", home}, "other options"},
		"nobody answers":        {[]string{"status", "--home", home}, "no answer from a node at 127.0.0.1:1"},
		"not loopback":          {[]string{"start", "--home", home, "--rpc", "0.0.0.0:1"}, "not loopback"},
		"an unknown subcommand": {[]string{"init-mainnet"}, "unknown command"},
	} {
		if out, err := vouchnode(t, test.args...); err == nil || !strings.Contains(err.Error(), test.want) || out != "" {
			t.Errorf("%s: said %q and %v, want %q", name, out, err, test.want)
		}
	}
}
