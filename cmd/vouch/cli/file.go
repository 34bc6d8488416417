package cli

import (
	"fmt"
	"io"
	"os"
)

// Bounds of the files that a command reads, in bytes.
const (
	maxText    = 1 << 20  // settings, rules
	maxReceipt = 16 << 20 // receipts
)

// readFile reads a file of at most limit bytes, so that a device or a wrong file cannot fill the memory.
func readFile(path string, limit int) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
	if err != nil {
		return nil, err
	}
	if len(b) > limit {
		return nil, fmt.Errorf("%s is larger than %d MiB", path, limit>>20)
	}
	return b, nil
}
