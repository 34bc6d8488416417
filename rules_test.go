package vouch_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const module = "github.com/vouchbox/vouch"

// goPackage is what the rules look at; paths of the project are relative to the module.
type goPackage struct {
	path  string
	name  string
	docs  int     // package comments
	code  imports // of what is built
	tests imports // of its tests only
}

// imports are apart by origin, because the standard library has an image as well.
type imports struct{ project, foreign []string }

// row allows a package, or with a trailing "/..." it and all below, to import those parts of the project.
// Of several rows that match, the longest path rules.
type row struct {
	path    string
	imports []string // patterns as in path
	tests   []string // what tests may import besides imports, the package's own folder and simulators
	why     string
	pure    bool // no files, no network, no processes
	world   bool // plays or measures a simulated world: no product package may import it
}

// door lets the packages of one part of the tree, and no other, import a dependency directly.
type door struct {
	dependencies []string
	behind       []string
	why          string
}

// process keeps parts of the project out of a binary, however far down.
type process struct {
	binary string
	never  []string
	why    string
}

// ban is the start of import paths that no package may have, test or not.
type ban struct{ prefix, why string }

type rules struct {
	table     []row
	doors     []door
	processes []process
	banned    []ban
	names     []string // forbidden package names
	impure    []string // what a pure package does not import
	testing   []string // what only tests and simulators import
}

// within reports whether an import path is the one of the pattern or, with "/...", below it.
func within(importPath, pattern string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return importPath == base || strings.HasPrefix(importPath, base+"/")
	}
	return importPath == pattern
}

func anyOf(importPath string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return within(importPath, p) })
}

// simulator reports whether a package plays a part of the world in tests and in the demo.
func (r rules) simulator(p string) bool {
	own, _ := r.rowOf(p)
	return own.world || strings.HasSuffix(path.Base(p), "test")
}

func (r rules) rowOf(p string) (best row, found bool) {
	for _, candidate := range r.table {
		if within(p, candidate.path) && (!found || len(candidate.path) > len(best.path)) {
			best, found = candidate, true
		}
	}
	return best, found
}

// check returns one line for each broken rule.
func (r rules) check(packages []goPackage) []string {
	known := map[string]goPackage{}
	for _, p := range packages {
		known[p.path] = p
	}
	var broken []string
	report := func(format string, args ...any) { broken = append(broken, fmt.Sprintf(format, args...)) }
	for _, p := range packages {
		own, ok := r.rowOf(p.path)
		if !ok {
			report("%s: has no row in the import table; add one and say why", p.path)
		}
		if slices.Contains(r.names, p.name) || slices.Contains(r.names, path.Base(p.path)) {
			report("%s: %q says nothing about what is inside; name the package after it", p.path, path.Base(p.path))
		}
		if p.docs != 1 {
			report("%s: has %d package comments, want 1", p.path, p.docs)
		}
		for _, i := range p.code.project {
			if !anyOf(i, own.imports) {
				report("%s: imports %s, which the import table does not allow (%s)", p.path, i, own.why)
			}
			if r.simulator(i) && !r.simulator(p.path) {
				report("%s: imports the simulator %s; only tests and the demo may", p.path, i)
			}
		}
		folder := strings.SplitN(p.path, "/", 2)[0] + "/..."
		for _, i := range p.tests.project {
			if !anyOf(i, own.imports) && !anyOf(i, own.tests) && !r.simulator(i) && !within(i, folder) {
				report("%s: its tests import %s, which the import table does not allow (%s)", p.path, i, own.why)
			}
		}
		for _, i := range p.code.foreign {
			if anyOf(i, r.testing) && !r.simulator(p.path) {
				report("%s: imports %s, which is for tests", p.path, i)
			}
			if own.pure && anyOf(i, r.impure) {
				report("%s: is pure and imports %s", p.path, i)
			}
		}
		for _, i := range slices.Concat(p.code.foreign, p.tests.foreign) {
			r.checkDependency(report, p.path, i)
		}
	}
	for _, proc := range r.processes {
		if _, ok := known[proc.binary]; !ok {
			continue
		}
		for _, reached := range reach(known, proc.binary) {
			if p := reached[len(reached)-1]; anyOf(p, proc.never) {
				report("%s: links %s by %s; %s", proc.binary, p, strings.Join(reached, " > "), proc.why)
			}
		}
	}
	slices.Sort(broken)
	return slices.Compact(broken)
}

func (r rules) checkDependency(report func(string, ...any), from, i string) {
	for _, b := range r.banned {
		if strings.HasPrefix(i, b.prefix) {
			report("%s: imports %s; %s", from, i, b.why)
		}
	}
	for _, d := range r.doors {
		if anyOf(i, d.dependencies) && !anyOf(from, d.behind) {
			report("%s: imports %s, which is for %s; %s", from, i, strings.Join(d.behind, ", "), d.why)
		}
	}
}

// reach returns the shortest import path to each project package that a binary links.
func reach(known map[string]goPackage, from string) [][]string {
	paths := [][]string{{from}}
	seen := map[string]bool{from: true}
	for n := 0; n < len(paths); n++ {
		at := paths[n]
		for _, i := range known[at[len(at)-1]].code.project {
			if _, ok := known[i]; ok && !seen[i] {
				seen[i] = true
				paths = append(paths, append(slices.Clone(at), i))
			}
		}
	}
	return paths
}

// stale returns one line for each rule that nothing needs any more.
func (r rules) stale(packages []goPackage) []string {
	var old []string
	report := func(format string, args ...any) { old = append(old, fmt.Sprintf(format, args...)) }
	rows := map[string][]goPackage{}
	for _, p := range packages {
		if own, ok := r.rowOf(p.path); ok {
			rows[own.path] = append(rows[own.path], p)
		}
	}
	for _, own := range r.table {
		members := rows[own.path]
		if len(members) == 0 {
			report("row %s matches no package", own.path)
			continue
		}
		uses := func(pattern string, test bool) bool {
			return slices.ContainsFunc(members, func(p goPackage) bool {
				all := p.code.project
				if test {
					all = p.tests.project
				}
				return slices.ContainsFunc(all, func(i string) bool { return within(i, pattern) })
			})
		}
		for _, pattern := range own.imports {
			if !uses(pattern, false) {
				report("row %s allows %s, which it does not import", own.path, pattern)
			}
		}
		for _, pattern := range own.tests {
			if !uses(pattern, true) {
				report("row %s allows its tests %s, which they do not import", own.path, pattern)
			}
		}
	}
	for _, d := range r.doors {
		for _, dependency := range d.dependencies {
			if !slices.ContainsFunc(packages, func(p goPackage) bool {
				return slices.ContainsFunc(slices.Concat(p.code.foreign, p.tests.foreign), func(i string) bool { return within(i, dependency) })
			}) {
				report("door of %s: nobody imports it", dependency)
			}
		}
	}
	for _, proc := range r.processes {
		if !slices.ContainsFunc(packages, func(p goPackage) bool { return p.path == proc.binary }) {
			report("process %s is not built", proc.binary)
		}
	}
	return old
}
