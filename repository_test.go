package vouch_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// files calls fn for each file of the repository, with what it holds; made things (see .gitignore) are left out.
func files(t *testing.T, fn func(name string, content []byte)) {
	t.Helper()
	made := []string{".git", ".cache", ".demo", ".artifacts", "bin"}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case slices.Contains(made, name) && d.IsDir():
			return filepath.SkipDir
		case !d.Type().IsRegular() || slices.Contains(made, name) || strings.HasSuffix(name, ".test") || strings.HasSuffix(name, ".prof"):
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		fn(name, b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreSmall(t *testing.T) {
	files(t, func(name string, b []byte) {
		if len(b) > 1<<20 {
			t.Errorf("%s has %d bytes, at most 1 MiB: fetch it by digest, or make it in the test", name, len(b))
		}
	})
}

var (
	machinePath = regexp.MustCompile(`(^|[\s"'(=:` + "`" + `])/(root|work|Users|home)/\w`)
	postponed   = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`)
)

func TestTextsNameNoMachineAndPostponeNothing(t *testing.T) {
	files(t, func(name string, b []byte) {
		text := slices.Contains([]string{".go", ".md", ".sh", ".proto", ".html", ".css", ".json", ""}, filepath.Ext(name)) &&
			!bytes.ContainsRune(b, 0) && !strings.Contains(name, "testdata")
		if !text {
			return
		}
		for i, line := range strings.Split(string(b), "\n") {
			if m := machinePath.FindString(line); m != "" {
				t.Errorf("%s:%d: %q is the path of one machine", name, i+1, strings.TrimSpace(m))
			}
			if m := postponed.FindString(line); m != "" && !strings.HasSuffix(name, ".pb.go") {
				t.Errorf("%s:%d: %s: do it, or say in docs/ that it is not there yet", name, i+1, m)
			}
		}
	})
}

// A test that skips where something is missing passes where nothing was tested.
func TestNoTestSkips(t *testing.T) {
	files(t, func(name string, b []byte) {
		if !strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, line := range skips(t, name, b) {
			t.Errorf("%s:%d skips; let it fail and say what to install", name, line)
		}
	})
	sample := []byte("package p\nfunc f(t T) {\n\tt.Skip()\n\tt.SkipNow()\n\tt.Skipf(\"\")\n\tt.Log(\"t.Skip()\")\n\td.Skip()\n}\n")
	if got := skips(t, "sample.go", sample); !slices.Equal(got, []int{3, 4, 5}) {
		t.Errorf("skips of the sample: lines %v, want 3, 4 and 5", got)
	}
}

func skips(t *testing.T, name string, b []byte) (lines []int) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, b, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		s, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, s.Sel.Name) {
			return true
		}
		if on, ok := s.X.(*ast.Ident); ok && slices.Contains([]string{"t", "b", "f", "tb"}, on.Name) {
			lines = append(lines, set.Position(call.Pos()).Line)
		}
		return true
	})
	return lines
}

type goMod struct {
	Replace []struct{}
	Exclude []struct{}
	Require []struct {
		Path, Version string
		Indirect      bool
	}
}

func readGoMod(t *testing.T) goMod {
	t.Helper()
	out, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var m goMod
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModule(t *testing.T) {
	m := readGoMod(t)
	if len(m.Replace)+len(m.Exclude) != 0 {
		t.Error("go.mod has a replace or an exclude: whoever builds our commands by module path would get other code")
	}
	for _, r := range m.Require {
		for _, b := range theRules().banned {
			if strings.HasPrefix(r.Path, b.prefix) {
				t.Errorf("go.mod requires %s; %s", r.Path, b.why)
			}
		}
	}
}

func TestEachDependencyIsExplained(t *testing.T) {
	b, err := os.ReadFile("docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\| .{20,} \\| .{3,} \\|$").FindAllStringSubmatch(string(b), -1) {
		explained[m[1]] = true
	}
	for _, r := range readGoMod(t).Require {
		if !r.Indirect && !explained[r.Path] {
			t.Errorf("docs/dependencies.md has no line for %s: say why it is here and what was rejected", r.Path)
		}
		delete(explained, r.Path)
	}
	for path := range explained {
		t.Errorf("docs/dependencies.md explains %s, which go.mod does not require", path)
	}
}

// A link inside the repository leads somewhere.
func TestLinksOfThePages(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
	files(t, func(name string, b []byte) {
		if filepath.Ext(name) != ".md" {
			return
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
		}
	})
}

// The pages name verbs of the Makefile; each must be one.
func TestPagesNameRealMakeVerbs(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	verb := regexp.MustCompile("`make ([a-z]+)")
	files(t, func(name string, b []byte) {
		if filepath.Ext(name) != ".md" {
			return
		}
		for _, m := range verb.FindAllStringSubmatch(string(b), -1) {
			if !regexp.MustCompile(`(?m)^` + m[1] + `:`).Match(makefile) {
				t.Errorf("%s names `make %s`, which the Makefile does not have", name, m[1])
			}
		}
	})
}
