package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/vouchbox/vouch/appliance/state"
	"github.com/vouchbox/vouch/tpm/key"
)

// trusted is a block that somebody trusts.
type trusted struct {
	Height int64  `json:"height"`
	Hash   string `json:"hash"`
}

// provable is the first block whose header commits to a state that the node proves.
const provable = 3

// firstBlock waits until the devnet's state can be proved and returns its first block. A devnet's
// owner may trust it: it is theirs.
func firstBlock(ctx context.Context, rpc string) (trusted, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	base := strings.Replace(rpc, "tcp://", "http://", 1)
	for {
		_, _, err := commit(ctx, base, provable)
		if err == nil {
			return commit(ctx, base, 1)
		}
		select {
		case <-ctx.Done():
			return trusted{}, "", fmt.Errorf("read the first block: %w", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func commit(ctx context.Context, base string, height int64) (trusted, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/commit?"+url.Values{"height": {strconv.FormatInt(height, 10)}}.Encode(), nil)
	if err != nil {
		return trusted{}, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return trusted{}, "", err
	}
	defer resp.Body.Close()
	var out struct {
		Result struct {
			SignedHeader struct {
				Header struct {
					ChainID string `json:"chain_id"`
				} `json:"header"`
				Commit struct {
					BlockID struct {
						Hash string `json:"hash"`
					} `json:"block_id"`
				} `json:"commit"`
			} `json:"signed_header"`
		} `json:"result"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return trusted{}, "", err
	}
	h := out.Result.SignedHeader
	if h.Commit.BlockID.Hash == "" {
		return trusted{}, "", fmt.Errorf("the node has no block %d yet", height)
	}
	return trusted{Height: height, Hash: strings.ToLower(h.Commit.BlockID.Hash)}, h.Header.ChainID, nil
}

// voteKey reads the wrapped vote key of the one enrolled person from the stopped box's records.
func voteKey(ctx context.Context, dir string) (pub, priv []byte, err error) {
	st, err := state.Open(dir)
	if err != nil {
		return nil, nil, err
	}
	defer st.Close()
	keys, err := st.Keys(ctx, "people/")
	if err != nil {
		return nil, nil, err
	}
	if len(keys) != 1 {
		return nil, nil, fmt.Errorf("%d people are enrolled, want 1", len(keys))
	}
	b, err := st.Get(ctx, keys[0])
	if err != nil {
		return nil, nil, err
	}
	var r struct {
		VoteKey []byte `json:"vote_key"`
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, nil, err
	}
	blob, err := key.ParseBlob(r.VoteKey)
	if err != nil {
		return nil, nil, err
	}
	return blob.Public(), blob.Private(), nil
}

// tamper copies a receipt with one byte of its output changed: a digit, so that it stays readable.
func tamper(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var f struct {
		Output string `json:"output"`
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("read the receipt: %w", err)
	}
	quoted, err := json.Marshal(f.Output)
	if err != nil {
		return err
	}
	start := bytes.Index(b, quoted)
	digit := bytes.IndexAny(quoted, "0123456789")
	if start < 0 || digit < 0 {
		return errors.New("the receipt's output holds no number to change")
	}
	b[start+digit] = '0' + (b[start+digit]-'0'+1)%10
	return os.WriteFile(to, b, 0o600)
}
