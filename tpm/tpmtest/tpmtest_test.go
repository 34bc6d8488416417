package tpmtest_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vouchbox/vouch/tpm"
	"github.com/vouchbox/vouch/tpm/tpmtest"
)

func TestLaunchAndStop(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p, err := tpmtest.Launch(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	dev, err := tpm.Open(ctx, p.Path())
	if err != nil {
		t.Fatal(err)
	}
	before, err := tpm.PrimaryName(ctx, dev)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("Stop returned before the process ended")
	}
	again, err := tpmtest.Launch(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Kill()
	if dev, err = tpm.Open(ctx, again.Path()); err != nil {
		t.Fatal(err)
	}
	if after, err := tpm.PrimaryName(ctx, dev); err != nil || after != before {
		t.Errorf("another TPM came back: %v, %v", after, err)
	}
}

func TestLaunchTellsWhatIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := tpmtest.Launch(t.Context(), t.TempDir()); !errors.Is(err, tpmtest.ErrMissing) || !strings.Contains(err.Error(), "apt-get install swtpm") {
		t.Errorf("without swtpm: %v", err)
	}
}

func TestLaunchTellsWhySWTPMEnded(t *testing.T) {
	start := time.Now()
	_, err := tpmtest.Launch(t.Context(), filepath.Join(t.TempDir(), "missing"))
	if err == nil || !strings.Contains(err.Error(), "it ended") {
		t.Errorf("state directory missing: %v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v to notice", took)
	}
}

func TestLongTempDir(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	sw := tpmtest.Start(t)
	if _, err := tpm.Open(t.Context(), sw.Path()); err != nil {
		t.Error(err)
	}
}

func TestProxyRecordsAndHitsTheNth(t *testing.T) {
	proxy := tpmtest.NewProxy(t, tpmtest.Start(t).Path())
	dev, err := tpm.Open(t.Context(), proxy.Path())
	if err != nil {
		t.Fatal(err)
	}
	proxy.Inject(tpmtest.Fault{Command: 0x131, N: 2, Action: tpmtest.Drop}) // CreatePrimary
	for i, want := range []error{nil, tpm.ErrDisconnected, nil} {
		if _, err := tpm.PrimaryName(t.Context(), dev); !errors.Is(err, want) {
			t.Errorf("call %d: %v, want %v", i+1, err, want)
		}
	}
	var answers []int
	for _, e := range proxy.Exchanges() {
		if bytes.Equal(e.Command[6:10], []byte{0, 0, 1, 0x31}) {
			answers = append(answers, len(e.Response))
		}
	}
	if len(answers) != 3 || answers[0] == 0 || answers[1] != 0 || answers[2] != answers[0] {
		t.Errorf("lengths of the recorded answers: %v", answers)
	}
}
