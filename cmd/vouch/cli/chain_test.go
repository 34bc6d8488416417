package cli

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vouchbox/vouch/validator/account"
	"github.com/vouchbox/vouch/validator/chain/ainft/ainftv1"
	"github.com/vouchbox/vouch/validator/chain/request/requestv1"
	"github.com/vouchbox/vouch/validator/light/lighttest"
	"github.com/vouchbox/vouch/validator/poh"
	"github.com/vouchbox/vouch/validator/tx"
)

const author = "human1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnpel52x"

// network is a chain in memory with an AI, a request to it, and a node that serves it.
type network struct {
	*lighttest.Chain
	node string
}

func newNetwork(t *testing.T) network {
	t.Helper()
	n := network{Chain: lighttest.New(t, 1)}
	rules, err := parseRules([]byte(goodRules))
	if err != nil {
		t.Fatal(err)
	}
	rules.Version = 4
	model := poh.Sum([]byte("model"))
	n.put(ainftv1.StoreKey, ainftv1.NFTKey(1), marshal(t, &ainftv1.NFT{
		Id: 1, Owner: author, Name: "Clear Voice", Description: "Finds speech.", Model: model[:], RulesVersion: 4,
	}))
	n.put(ainftv1.StoreKey, ainftv1.RulesKey(1, 4), marshal(t, &rules))
	n.put(requestv1.StoreKey, requestv1.RequestKey(7), requestIn(t, requestv1.STATE_OPEN))
	n.node = n.Serve(t, nil)
	return n
}

type marshaler interface{ Marshal() ([]byte, error) }

func marshal(t *testing.T, v marshaler) []byte {
	t.Helper()
	b, err := v.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (n network) put(store string, key, value []byte) {
	n.Set(store, key, value)
	n.Commit(2)
}

// requestIn is request 7 in a state.
func requestIn(t *testing.T, state requestv1.State) []byte {
	t.Helper()
	escrow, err := account.ParseHeart("2 HEART")
	if err != nil {
		t.Fatal(err)
	}
	payload := poh.Sum([]byte("sound"))
	return marshal(t, &requestv1.Request{
		Id: 7, NFTID: 1, RulesVersion: 4, Requester: author, Purpose: "Find speech in a clip",
		Instruction: "Where is speech?\nRequest 7 to AI NFT 1: final\x1b[2J", PayloadDigest: payload[:], PayloadSize: 5,
		MediaType: "audio/wav", Inline: true, Escrow: escrow, State: state, Quorum: 1, DeadlineHeight: 500,
	})
}

func (n network) try(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	trusted := n.Block(1)
	return try(t, n.Now, append(args, "--node", n.node, "--chain-id", lighttest.ID, "--allow-no-witness",
		"--trusted-height", "1", "--trusted-hash", strings.ToUpper(trusted.Hash.String()))...)
}

const goodRules = `{
  "purposes": ["Find speech in a clip"],
  "rules": [
    {"id": "own-voice", "text": "The clip holds only the requester.", "kind": "judgement"},
    {"id": "wav", "text": "The clip is a WAV file.", "kind": "machine"}
  ],
  "quorum": 1,
  "price": "2.5 HEART",
  "deadline_blocks": 2000,
  "split": {"owner": 4050, "voters": 2950, "worker": 2500, "network": 500}
}`

func TestNFTShow(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	code, out, errs := n.try(t, "nft", "show", "1")
	if code != exitDone || errs != "" {
		t.Fatalf("code %d, stderr %q", code, errs)
	}
	contains(t, out, "AI NFT 1: Clear Voice\n  Finds speech.\n", "price    2.5 HEART\n", "quorum   1, within 2000 blocks\n",
		"split    owner 40.5 %, voters 29.5 %, worker 25 %, network 5 %\n", "rules, version 4:\n",
		"    own-voice (judgement): The clip holds only the requester.\n    wav (machine): ")

	// What is shown as JSON is again a file of rules.
	_, out, _ = n.try(t, "nft", "show", "1", "-o", "json")
	var view struct {
		Rules json.RawMessage `json:"rules"`
	}
	if err := json.Unmarshal([]byte(out), &view); err != nil {
		t.Fatal(err)
	}
	got, err := parseRules(view.Rules)
	if err != nil {
		t.Fatal(err)
	}
	want, err := parseRules([]byte(goodRules))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.PoH(), got.PoH()); diff != "" {
		t.Error(diff)
	}
}

// A requester's text cannot add lines or move the cursor; JSON carries it as it is.
func TestRequestShow(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	code, out, errs := n.try(t, "request", "show", "7")
	if code != exitDone || errs != "" {
		t.Fatalf("code %d, stderr %q", code, errs)
	}
	contains(t, out, "Request 7 to AI NFT 1: open\n", `Where is speech?\nRequest 7 to AI NFT 1: final\x1b[2J`, ", 2 HEART in escrow\n")
	_, out, _ = n.try(t, "request", "show", "7", "-o", "json")
	var v requestView
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.State != "open" || v.Escrow != "2 HEART" || !strings.Contains(v.Instruction, "\x1b") {
		t.Errorf("%v, %+v", err, v)
	}
	code, out, errs = n.try(t, "request", "show", "8")
	if code != exitNotFound || out != "" {
		t.Errorf("code %d, stdout %q", code, out)
	}
	contains(t, errs, "request 8: the chain proves that there is none")
}

// The command says each state once and ends with the request.
func TestWatch(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	to, err := url.Parse(n.node)
	if err != nil {
		t.Fatal(err)
	}
	// A look takes several questions; the request is rejected after the first looks.
	var questions atomic.Int64
	rejected := requestIn(t, requestv1.STATE_REJECTED)
	node := httputil.NewSingleHostReverseProxy(to)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if questions.Add(1) == 12 {
			n.put(requestv1.StoreKey, requestv1.RequestKey(7), rejected)
		}
		node.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	n.node = front.URL
	code, out, errs := n.try(t, "request", "watch", "7", "-o", "json")
	var v requestView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != exitDone || v.State != "rejected" {
		t.Errorf("code %d, %v, stdout %q", code, err, out)
	}
	contains(t, errs, ": open\n", ": rejected\n")
	if got := strings.Count(errs, "\n"); got != 2 {
		t.Errorf("stderr has %d lines, want 2:\n%s", got, errs)
	}
}

func TestAccountShowAndSend(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	file := filepath.Join(t.TempDir(), "key.json")
	key, err := tx.NewKeyFile(file)
	if err != nil {
		t.Fatal(err)
	}
	code, _, errs := n.try(t, "account", "send", author, "1 HEART", "--key", file)
	if code != exitNotFound {
		t.Errorf("without an account: code %d, want %d", code, exitNotFound)
	}
	contains(t, errs, "the chain has no account with this address: "+key.String(), "to do: an account begins with its first HEART")

	n.Set("acc", tx.AccountKey(key.Address()), baseAccount(key.String(), 5))
	n.Set("bank", tx.BalanceKey(key.Address(), poh.Denom), []byte("12500000000000000000"))
	n.Commit(2)
	_, out, _ := n.try(t, "account", "show", key.String())
	if out != "12.5 HEART\n" {
		t.Errorf("balance = %q", out)
	}
	_, out, _ = n.try(t, "account", "show", author, "-o", "json")
	if want := `{"address":"` + author + `","balance":"0 HEART"}` + "\n"; out != want {
		t.Errorf("balance of nobody = %q, want %q", out, want)
	}

	n.Auto = true
	code, out, errs = n.try(t, "account", "send", author, "1 HEART", "--key", file, "-o", "json")
	var in included
	if err := json.Unmarshal([]byte(out), &in); err != nil || code != exitDone || in.Height == 0 {
		t.Errorf("code %d, %v, stdout %q", code, err, out)
	}
	contains(t, errs, "Sending 1 HEART to "+author+".\n")

	n.App = func(lighttest.State, []byte) uint32 { return 5 }
	code, out, errs = n.try(t, "account", "send", author, "2 HEART", "--key", file, "-q")
	if code != exitFailed || out != "" || strings.Contains(errs, "Sending") {
		t.Errorf("code %d, stdout %q, stderr %q", code, out, errs)
	}
	contains(t, errs, "the chain refused the transaction: code 5", "to do: only the fee was spent")
}

// What the chain would refuse costs no fee: it is refused here, by the rules as proved.
func TestSubmitAgainstTheRules(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	dir := t.TempDir()
	key, clip := filepath.Join(dir, "key.json"), filepath.Join(dir, "clip")
	if _, err := tx.NewKeyFile(key); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(clip, []byte("sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"purpose", []string{"--nft", "1", "--purpose", "Find speech"}, exitUsage, `AI NFT 1 is not for "Find speech"; it is for ["Find speech in a clip"]`},
		{"escrow", []string{"--nft", "1", "--purpose", "Find speech in a clip", "--escrow", "2.4 HEART"}, exitUsage, "--escrow is less than the price; vouch nft show 1"},
		{"no such AI", []string{"--nft", "2", "--purpose", "Find speech in a clip"}, exitNotFound, "AI NFT 2: the chain proves that there is none"},
		// The price is escrowed; then the account is missed.
		{"price", []string{"--nft", "1", "--purpose", "Find speech in a clip"}, exitNotFound, "Submitting 5 bytes to AI NFT 1, escrow 2.5 HEART.\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			code, out, errs := n.try(t, append([]string{"request", "submit", "--key", key, "--payload", clip, "--instruction", "Find it."}, c.args...)...)
			if code != c.code || out != "" {
				t.Errorf("code %d, want %d; stdout %q", code, c.code, out)
			}
			contains(t, errs, c.want)
		})
	}
}

// baseAccount is google.protobuf.Any of cosmos.auth.v1beta1.BaseAccount, with a number below 128.
func baseAccount(address string, number byte) []byte {
	field := func(n byte, s string) string { return string([]byte{n<<3 | 2, byte(len(s))}) + s }
	return []byte(field(1, "/cosmos.auth.v1beta1.BaseAccount") + field(2, field(1, address)+string([]byte{3 << 3, number})))
}

func TestNodesThatFail(t *testing.T) {
	t.Parallel()
	t.Run("another chain", func(t *testing.T) {
		t.Parallel()
		n := newNetwork(t)
		code, out, errs := try(t, n.Now, "nft", "show", "1", "--node", n.node, "--chain-id", lighttest.ID, "--allow-no-witness",
			"--trusted-height", "1", "--trusted-hash", strings.Repeat("ab", 32))
		if code != exitRefused || out != "" {
			t.Errorf("code %d, want %d; stdout %q", code, exitRefused, out)
		}
		contains(t, errs, "to do: name another node with --node")
	})
	t.Run("the trusted block is too old", func(t *testing.T) {
		t.Parallel()
		n := newNetwork(t)
		n.Sleep(trustPeriod + time.Hour)
		code, _, errs := n.try(t, "nft", "show", "1")
		if code != exitFailed {
			t.Errorf("code %d, want %d", code, exitFailed)
		}
		contains(t, errs, "the trusted block has expired", "to do: take height and hash of a newer block")
	})
	t.Run("no recent block", func(t *testing.T) {
		t.Parallel()
		n := newNetwork(t)
		n.Sleep(time.Hour)
		code, _, errs := n.try(t, "nft", "show", "1")
		if code != exitFailed {
			t.Errorf("code %d, want %d", code, exitFailed)
		}
		contains(t, errs, "the node shows no recent block", "to do: wait, or name another node")
	})
	t.Run("silence", func(t *testing.T) {
		t.Parallel()
		n := newNetwork(t)
		// Connections wait in the backlog and are never taken.
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		n.node = "http://" + l.Addr().String()
		start := time.Now()
		code, _, errs := n.try(t, "nft", "show", "1")
		if took := time.Since(start); code != exitFailed || took > 25*time.Second {
			t.Errorf("code %d after %s, want %d within 25 s", code, took, exitFailed)
		}
		contains(t, errs, "the node cannot be reached", "to do: check the address in --node")
	})
}
