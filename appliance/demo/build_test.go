package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The programs under test, built once for the package.
var (
	moduleDir string
	binDir    string
)

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (code int, err error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return 0, fmt.Errorf("find the module: %w", err)
	}
	moduleDir = strings.TrimSpace(string(out))
	if binDir, err = os.MkdirTemp("", "vouch-bin-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(binDir)
	// As `make build` does: the native engine is in vouchinfer alone.
	for _, b := range []struct {
		cgo  string
		pkgs []string
	}{
		{"0", []string{"./cmd/vouchd", "./cmd/vouchpanel", "./cmd/vouchnode", "./cmd/vouch", "./appliance/demo"}},
		{"1", []string{"./cmd/vouchinfer"}},
	} {
		cmd := exec.Command("go", append([]string{"build", "-trimpath", "-o", binDir + "/"}, b.pkgs...)...)
		cmd.Dir, cmd.Env = moduleDir, append(os.Environ(), "CGO_ENABLED="+b.cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("build the programs: %w\n%s", err, out)
		}
	}
	return m.Run(), nil
}

func testConfig(t *testing.T) config {
	t.Helper()
	return config{
		bin: binDir, dir: t.TempDir(), models: filepath.Join(moduleDir, ".cache", "models"),
		panel: "127.0.0.1:0", sensor: "127.0.0.1:0",
	}
}
