package config

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/vouchbox/vouch/appliance/config/strict"
)

// maxFile is the most bytes of a file.
const maxFile = 1 << 20

// Load reads and validates the file at path.
func Load(path string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	c, err := Parse(b)
	if err == nil {
		err = c.Validate()
	}
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse lays a file over Default. It checks the form; Validate checks the values.
func Parse(b []byte) (Config, error) {
	if len(b) > maxFile {
		return Config{}, fmt.Errorf("%w: more than %d bytes", ErrSyntax, maxFile)
	}
	c, err := strict.Parse(b, Default())
	if err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return c, nil
}
