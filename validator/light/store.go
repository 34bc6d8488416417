package light

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	cmtstore "github.com/cometbft/cometbft/light/store"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/types"

	"github.com/vouchbox/vouch/validator/poh"
)

const (
	rootFile     = "root.json"
	evidenceFile = "evidence.json"
	blockSuffix  = ".block"
)

// root is the pinned block. Its height only grows.
type root struct {
	ChainID string     `json:"chain_id"`
	Height  int64      `json:"height"`
	Hash    poh.Digest `json:"hash"`
}

// blocks keeps trusted light blocks as one file each in a folder: "0000000042.block" is
// tendermint.types.LightBlock in protobuf. Files are written whole, synced, and renamed into place.
// It implements CometBFT's light/store.Store. Pruning spares the pinned root.
type blocks struct {
	dir     string
	chainID string

	mu      sync.Mutex
	pinned  int64
	heights []int64 // ascending
}

var _ cmtstore.Store = (*blocks)(nil)

func openBlocks(dir, chainID string) (*blocks, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	b := &blocks{dir: dir, chainID: chainID}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), blockSuffix)
		if !ok {
			continue
		}
		h, err := strconv.ParseInt(name, 10, 64)
		if err != nil || h <= 0 {
			return nil, fmt.Errorf("%w: %s is not named by a height", ErrStore, e.Name())
		}
		b.heights = append(b.heights, h)
	}
	slices.Sort(b.heights)
	return b, nil
}

// root returns the pinned block, or nil if none was pinned yet.
func (b *blocks) root() (*root, error) {
	raw, err := os.ReadFile(filepath.Join(b.dir, rootFile))
	if errors.Is(err, fs.ErrNotExist) {
		if len(b.heights) > 0 {
			return nil, fmt.Errorf("%w: %s has blocks and no %s; remove the folder to start anew", ErrStore, b.dir, rootFile)
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	r := new(root)
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrStore, rootFile, err)
	}
	return r, nil
}

func (b *blocks) pin(r root) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.write(rootFile, raw); err != nil {
		return err
	}
	b.pinned = r.Height
	return nil
}

// evidence returns what a light client attack left behind, or nil.
func (b *blocks) evidence() ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(b.dir, evidenceFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	return raw, nil
}

func (b *blocks) saveEvidence(raw []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.write(evidenceFile, raw)
}

func (b *blocks) path(height int64) string { return fmt.Sprintf("%010d%s", height, blockSuffix) }

// write replaces a file as a whole and returns when it is on disk.
func (b *blocks) write(name string, raw []byte) error {
	f, err := os.CreateTemp(b.dir, name+".new*")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(b.dir, name))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, errors.Join(err, os.Remove(f.Name())))
	}
	return b.sync()
}

func (b *blocks) sync() error {
	d, err := os.Open(b.dir)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return nil
}

func encodeBlock(lb *types.LightBlock) ([]byte, error) {
	pb, err := lb.ToProto()
	if err != nil {
		return nil, err
	}
	return pb.Marshal()
}

func decodeBlock(raw []byte) (*types.LightBlock, error) {
	pb := new(cmtproto.LightBlock)
	if err := pb.Unmarshal(raw); err != nil {
		return nil, err
	}
	return types.LightBlockFromProto(pb)
}

func (b *blocks) SaveLightBlock(lb *types.LightBlock) error {
	raw, err := encodeBlock(lb)
	if err != nil {
		return fmt.Errorf("%w: block %d: %w", ErrStore, lb.Height, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.write(b.path(lb.Height), raw); err != nil {
		return err
	}
	if i, found := slices.BinarySearch(b.heights, lb.Height); !found {
		b.heights = slices.Insert(b.heights, i, lb.Height)
	}
	return nil
}

func (b *blocks) DeleteLightBlock(height int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.remove(height)
}

func (b *blocks) remove(height int64) error {
	if err := os.Remove(filepath.Join(b.dir, b.path(height))); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	if i, found := slices.BinarySearch(b.heights, height); found {
		b.heights = slices.Delete(b.heights, i, i+1)
	}
	return nil
}

func (b *blocks) LightBlock(height int64) (*types.LightBlock, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.load(height)
}

func (b *blocks) load(height int64) (*types.LightBlock, error) {
	if _, found := slices.BinarySearch(b.heights, height); !found {
		return nil, cmtstore.ErrLightBlockNotFound
	}
	raw, err := os.ReadFile(filepath.Join(b.dir, b.path(height)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStore, err)
	}
	lb, err := decodeBlock(raw)
	if err == nil {
		err = lb.ValidateBasic(b.chainID)
	}
	if err == nil && lb.Height != height {
		err = fmt.Errorf("the file holds block %d", lb.Height)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; remove the folder to start anew from the trust root", ErrStore, b.path(height), err)
	}
	return lb, nil
}

func (b *blocks) LastLightBlockHeight() (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.heights) == 0 {
		return -1, nil
	}
	return b.heights[len(b.heights)-1], nil
}

func (b *blocks) FirstLightBlockHeight() (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.heights) == 0 {
		return -1, nil
	}
	return b.heights[0], nil
}

func (b *blocks) LightBlockBefore(height int64) (*types.LightBlock, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, _ := slices.BinarySearch(b.heights, height)
	if i == 0 {
		return nil, cmtstore.ErrLightBlockNotFound
	}
	return b.load(b.heights[i-1])
}

// after returns the oldest trusted block above height, or nil.
func (b *blocks) after(height int64) (*types.LightBlock, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, _ := slices.BinarySearch(b.heights, height+1)
	if i == len(b.heights) {
		return nil, nil
	}
	return b.load(b.heights[i])
}

// Prune leaves the newest size blocks and the pinned one.
func (b *blocks) Prune(size uint16) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	excess := len(b.heights) - int(size)
	for _, h := range slices.Clone(b.heights) {
		if excess <= 0 {
			break
		}
		if h == b.pinned {
			continue
		}
		if err := b.remove(h); err != nil {
			return err
		}
		excess--
	}
	return nil
}

func (b *blocks) Size() uint16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return uint16(min(len(b.heights), 1<<16-1))
}
