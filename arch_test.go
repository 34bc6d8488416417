package vouch_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// packages lists the project as `go list` sees it, once.
var packages = sync.OnceValues(func() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Dir,GoFiles,CgoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	list, err := decodeList(out)
	return list, errors.Join(err, cmd.Wait())
})

func decodeList(r io.Reader) ([]goPackage, error) {
	var list []goPackage
	for dec := json.NewDecoder(r); ; {
		var p struct {
			ImportPath, Name, Dir                                 string
			GoFiles, CgoFiles, Imports, TestImports, XTestImports []string
		}
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, err
		}
		docs, err := countDocs(p.Dir, slices.Concat(p.GoFiles, p.CgoFiles))
		if err != nil {
			return nil, err
		}
		list = append(list, goPackage{
			path: relative(p.ImportPath), name: p.Name, docs: docs,
			code:  byOrigin(p.Imports),
			tests: byOrigin(slices.Concat(p.TestImports, p.XTestImports)),
		})
	}
}

func relative(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

func byOrigin(importPaths []string) imports {
	var out imports
	for _, p := range importPaths {
		if within(p, module+"/...") {
			out.project = append(out.project, relative(p))
		} else {
			out.foreign = append(out.foreign, p)
		}
	}
	return out
}

func countDocs(dir string, files []string) (int, error) {
	n := 0
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return 0, err
		}
		if f.Doc != nil {
			n++
		}
	}
	return n, nil
}

func TestImports(t *testing.T) {
	list, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range theRules().check(list) {
		t.Error(problem)
	}
}

// Each broken rule must be reported, and a tree that keeps them must not.
func TestTheCheckerSeesWhatItIsFor(t *testing.T) {
	r := rules{
		table: []row{
			{path: "tpm/...", imports: []string{"tpm/..."}, why: "tpm knows nobody"},
			{path: "tpm/tpmtest", why: "simulator"},
			{path: "tpm/play", why: "simulator by its row", world: true},
			{path: "validator/poh", pure: true, why: "pure"},
			{path: "cmd/vouchd", imports: []string{"tpm/...", "validator/poh"}, why: "main"},
			{path: "sensors/types", why: "x"},
		},
		doors:     []door{{dependencies: []string{"github.com/google/go-tpm/..."}, behind: []string{"tpm/..."}, why: "one door"}},
		processes: []process{{binary: "cmd/vouchd", never: []string{"tpm/deep"}, why: "not there"}},
		banned:    []ban{{"example.org/bad", "licence"}},
		names:     []string{"types"},
		impure:    []string{"os/..."},
		testing:   []string{"testing/..."},
	}
	good := []goPackage{
		{path: "tpm", name: "tpm", docs: 1, code: imports{foreign: []string{"os", "github.com/google/go-tpm/tpm2"}}, tests: imports{project: []string{"tpm", "tpm/tpmtest"}, foreign: []string{"testing"}}},
		{path: "tpm/deep", name: "deep", docs: 1, code: imports{project: []string{"tpm"}}},
		{path: "tpm/tpmtest", name: "tpmtest", docs: 1, code: imports{foreign: []string{"testing"}}},
		{path: "validator/poh", name: "poh", docs: 1, code: imports{foreign: []string{"crypto/sha256"}}, tests: imports{project: []string{"tpm/tpmtest"}, foreign: []string{"os"}}},
		{path: "cmd/vouchd", name: "main", docs: 1, code: imports{project: []string{"tpm", "validator/poh"}}},
	}
	if problems := r.check(good); len(problems) != 0 {
		t.Errorf("a good tree: %q", problems)
	}
	for name, c := range map[string]struct {
		add  goPackage
		want string
	}{
		"no row":                   {goPackage{path: "drivers/x", name: "x", docs: 1}, "drivers/x: has no row"},
		"import not allowed":       {goPackage{path: "validator/poh", name: "poh", docs: 1, code: imports{project: []string{"tpm"}}}, "validator/poh: imports tpm, which"},
		"test import not allowed":  {goPackage{path: "tpm/key", name: "key", docs: 1, tests: imports{project: []string{"validator/poh"}}}, "tpm/key: its tests import validator/poh, which"},
		"dependency has a door":    {goPackage{path: "cmd/vouchd", name: "main", docs: 1, code: imports{foreign: []string{"github.com/google/go-tpm/tpm2"}}}, "which is for tpm/...; one door"},
		"door holds for tests":     {goPackage{path: "cmd/vouchd", name: "main", docs: 1, tests: imports{foreign: []string{"github.com/google/go-tpm/tpm2"}}}, "which is for tpm/...; one door"},
		"simulator":                {goPackage{path: "tpm/key", name: "key", docs: 1, code: imports{project: []string{"tpm/tpmtest"}}}, "imports the simulator tpm/tpmtest"},
		"simulator by row":         {goPackage{path: "tpm/key", name: "key", docs: 1, code: imports{project: []string{"tpm/play"}}}, "imports the simulator tpm/play"},
		"testing":                  {goPackage{path: "tpm/key", name: "key", docs: 1, code: imports{foreign: []string{"testing"}}}, "which is for tests"},
		"impure":                   {goPackage{path: "validator/poh", name: "poh", docs: 1, code: imports{foreign: []string{"os/exec"}}}, "is pure and imports os/exec"},
		"the standard library":     {goPackage{path: "tpm/key", name: "key", docs: 1, code: imports{foreign: []string{"os"}, project: []string{"image"}}}, "tpm/key: imports image, which"},
		"banned":                   {goPackage{path: "tpm/key", name: "key", docs: 1, tests: imports{foreign: []string{"example.org/bad/x"}}}, "example.org/bad/x; licence"},
		"empty name":               {goPackage{path: "sensors/types", name: "kinds", docs: 1}, "says nothing"},
		"no doc":                   {goPackage{path: "tpm/key", name: "key"}, "has 0 package comments"},
		"two docs":                 {goPackage{path: "tpm/key", name: "key", docs: 2}, "has 2 package comments"},
		"linked through another":   {goPackage{path: "tpm", name: "tpm", docs: 1, code: imports{project: []string{"tpm/deep"}}}, "cmd/vouchd > tpm > tpm/deep"},
		"longest row wins":         {goPackage{path: "tpm/tpmtest", name: "tpmtest", docs: 1, code: imports{project: []string{"tpm"}}}, "tpm/tpmtest: imports tpm, which"},
		"a wildcard is no prefix":  {goPackage{path: "tpmx", name: "tpmx", docs: 1}, "tpmx: has no row"},
		"a path is not a wildcard": {goPackage{path: "validator/poh/in", name: "in", docs: 1}, "validator/poh/in: has no row"},
	} {
		tree := slices.DeleteFunc(slices.Clone(good), func(p goPackage) bool { return p.path == c.add.path })
		problems := r.check(append(tree, c.add))
		if len(problems) != 1 || !strings.Contains(problems[0], c.want) {
			t.Errorf("%s: %q, want one with %q", name, problems, c.want)
		}
	}
	got := strings.Join(r.stale(good[:4]), "\n")
	for _, want := range []string{"row cmd/vouchd matches no package", "row sensors/types matches no package", "process cmd/vouchd is not built"} {
		if !strings.Contains(got, want) {
			t.Errorf("stale rules: %q, want %q", got, want)
		}
	}
	got = strings.Join(r.stale([]goPackage{{path: "cmd/vouchd", name: "main", code: imports{project: []string{"tpm"}}}}), "\n")
	for _, want := range []string{"row cmd/vouchd allows validator/poh", "door of github.com/google/go-tpm/...: nobody"} {
		if !strings.Contains(got, want) {
			t.Errorf("stale rules: %q, want %q", got, want)
		}
	}
	if strings.Contains(got, "allows tpm/...") {
		t.Errorf("a used import is called stale: %q", got)
	}
}

func TestMainsAreShort(t *testing.T) {
	mains, err := filepath.Glob("cmd/*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range mains {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), "\n"); n > 40 {
			t.Errorf("%s has %d lines, at most 40: parse, New, Run; the rest is a package that can be tested", path.Clean(file), n)
		}
	}
}
