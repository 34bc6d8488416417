package main

import (
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vouchbox/vouch/sensors"
	"github.com/vouchbox/vouch/sensors/synth"
)

func TestSummarise(t *testing.T) {
	var rs []result
	for i := range 10 {
		rs = append(rs, result{sensors.Score(20 + i), true}, result{sensors.Score(i), false})
	}
	if s := summarise(rs); s.eer != 0 || s.fnmr0 != 0 || s.at0 != 9 || s.genuine != 10 || s.impostor != 10 || s.fnmrAccept != 0 {
		t.Errorf("separate scores: %+v", s)
	}
	rs[0].score, rs[1].score = 0.5, 25.5 // one of ten wrong on each side
	if s := summarise(rs); math.Abs(s.eer-0.1) > 1e-9 || math.Abs(s.fnmr0-0.6) > 1e-9 || s.at0 != 25.5 {
		t.Errorf("one wrong on each side: %+v", s)
	}
	same := []result{{5, true}, {5, false}, {5, true}, {5, false}}
	if s := summarise(same); s.eer != 1 {
		t.Errorf("equal scores cannot be told apart, yet EER %v", s.eer)
	}
}

func TestMissingDataFails(t *testing.T) {
	t.Setenv("DATA", "")
	if err := run(nil, io.Discard); err == nil || !strings.Contains(err.Error(), "DATA") {
		t.Errorf("without data: %v", err)
	}
	t.Setenv("DATA", t.TempDir())
	if err := run(nil, io.Discard); err == nil {
		t.Error("an empty folder passed")
	}
}

func TestRunOnFolder(t *testing.T) {
	dir := t.TempDir()
	for f := range 2 {
		who := synth.NewFinger(uint64(f)+1, synth.AnyClass)
		for i := range 2 {
			save(t, filepath.Join(dir, string(rune('a'+f))+"_"+string(rune('1'+i))+".png"), who.Impression(uint64(i), synth.Touch(uint64(i))).Image)
		}
	}
	for _, args := range [][]string{{"-data", dir, "-dpi", "508"}, {"-data", dir, "-crop", "160"}} {
		var out strings.Builder
		if err := run(args, &out); err != nil {
			t.Fatal(err)
		}
		row := strings.Fields(strings.Split(out.String(), "\n")[1])
		if row[0] != filepath.Base(dir) || row[1] != "2" || row[2] != "4" || row[3] != "0.00" {
			t.Errorf("%v: %v", args, row)
		}
	}
}

func save(t *testing.T, path string, img image.Image) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}
