package archtest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	module = "usher"
	table  = "internal/archtest/edges_test.go"
	list   = "internal/licences/dependencies.yaml"
	root   = "../.." // seen from this package
)

// listed is what go list says of a package, as far as it matters here.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

func TestPackages_import_only_what_the_table_allows(t *testing.T) {
	t.Parallel()
	packages := goList(t, "-json=ImportPath,Imports", "./...")
	if len(packages) == 0 {
		t.Fatal("go list found no package")
	}
	for _, complaint := range check(packages, edges, readHomes(t)) {
		t.Error(complaint)
	}
}

// A line that nothing needs is only logged: the package may be on its way.
func TestTable_holds_only_edges_in_use(t *testing.T) {
	t.Parallel()
	for _, e := range unusedEdges(goList(t, "-json=ImportPath,Imports", "./..."), edges) {
		t.Logf("%s lets %s import %s, and nothing makes use of that", table, e.from, e.to)
	}
}

func TestPrograms_are_free_of_what_is_banned(t *testing.T) {
	t.Parallel()
	for _, b := range bans {
		t.Run(b.program+" without "+b.prefixes[0], func(t *testing.T) {
			t.Parallel()
			packages := goList(t, "-deps", "-json=ImportPath", "./"+b.program)
			if len(packages) < 2 {
				t.Skip("the program is not there")
			}
			for _, complaint := range checkBan(packages, b) {
				t.Error(complaint)
			}
		})
	}
}

// goList runs go list at the root of the module. A package that does not compile is listed too, as far as
// it can be read: that it does not compile is for others to say.
func goList(t *testing.T, args ...string) []listed {
	t.Helper()
	noteSources(t)
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-e"}, args...)...)
	cmd.Dir = root
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, &stderr)
	}
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("read what go list says: %v", err)
		}
		packages = append(packages, p)
	}
}

// noteSources looks at every folder of the module. go test serves results from its cache as long as the files
// that a test has opened are unchanged, and what go list opens it does not see.
func noteSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && name != root && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another package's test has just removed it
		}
		return err
	})
	if err != nil {
		t.Fatalf("walk the module: %v", err)
	}
}

// homes are the packages that may import each module, by its path: those of [list] and no others.
type homes map[string][]string

func readHomes(t *testing.T) homes {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, list))
	if err != nil {
		t.Fatal(err)
	}
	var modules map[string]struct{ In []string }
	if err := yaml.Unmarshal(text, &modules); err != nil {
		t.Fatal(err)
	}
	all := homes{}
	for name, module := range modules {
		all[name] = module.In
	}
	return all
}

// check returns a sentence for every import that neither the edges nor the homes allow.
func check(packages []listed, edges []edge, homes homes) []string {
	var complaints []string
	for _, p := range packages {
		from := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module+"/")
			switch {
			case ours && !allowed(edges, from, to):
				complaints = append(complaints, fmt.Sprintf(
					"%s imports %s, which no edge allows: turn the import round, or add the edge to %s with its reason",
					from, to, table))
			case !ours && strings.Contains(strings.Split(imported, "/")[0], ".") && !homes.allow(from, imported):
				complaints = append(complaints, fmt.Sprintf(
					"%s imports %s, which %s does not allow: use a package that may, or add this one", from, imported, list))
			}
		}
	}
	return complaints
}

func allowed(edges []edge, from, to string) bool {
	return slices.ContainsFunc(edges, func(e edge) bool { return e.covers(from, to) })
}

func (e edge) covers(from, to string) bool { return matches(e.from, from) && matches(e.to, to) }

// allow reports whether the package from may import the package: the module with the longest path decides.
func (h homes) allow(from, imported string) bool {
	var module string
	for name := range h {
		if within(imported, name) && len(name) > len(module) {
			module = name
		}
	}
	return slices.ContainsFunc(h[module], func(pattern string) bool { return pattern == "any" || matches(pattern, from) })
}

// matches tells whether the name fits the pattern; a pattern that cannot be read fits nothing.
func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// within tells whether the import path is that of the library or of a package in it.
func within(imported, lib string) bool {
	return imported == lib || strings.HasPrefix(imported, lib+"/")
}

// unusedEdges returns the edges that no import needs.
func unusedEdges(packages []listed, edges []edge) []edge {
	return slices.DeleteFunc(slices.Clone(edges), func(e edge) bool {
		return slices.ContainsFunc(packages, func(p listed) bool {
			from := strings.TrimPrefix(p.ImportPath, module+"/")
			return slices.ContainsFunc(p.Imports, func(imported string) bool {
				to, ours := strings.CutPrefix(imported, module+"/")
				return ours && e.covers(from, to)
			})
		})
	})
}

// checkBan returns a sentence for every package that the program must not contain.
func checkBan(packages []listed, b ban) []string {
	var complaints []string
	for _, p := range packages {
		for _, prefix := range b.prefixes {
			if within(p.ImportPath, strings.TrimSuffix(prefix, "/")) && p.ImportPath+"/" != prefix {
				complaints = append(complaints, fmt.Sprintf("%s contains %s, but %s (%s; go list -deps shows the way)",
					b.program, p.ImportPath, b.why, table))
			}
		}
	}
	return complaints
}
