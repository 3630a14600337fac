package testkit

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// RepositoryFile returns the text of a file, named from the repository's root. The package of the test has to be
// two folders deep, as those of internal are.
func RepositoryFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestSource is the source of all tests of a package, whose folder is named as in [RepositoryFile].
func TestSource(t testing.TB, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(folder), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// Conditions reports every condition that does not hold, by its name, so that a failure says which one it was. The
// subject is what they are about.
func Conditions(t testing.TB, subject string, conditions map[string]bool) {
	t.Helper()
	for name, holds := range conditions {
		if !holds {
			t.Errorf("%s: want that %s", subject, name)
		}
	}
}

// NeedProgram returns the path of a program that is neither a store nor built from this module. The test is
// skipped where it is missing, or fails when the environment demands every program.
func NeedProgram(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		demandReal(t, program)
		t.Skipf("no %s on this machine", program)
	}
	return path
}

// update is registered here once, since two packages of one binary cannot both define the flag.
var update = flag.Bool("update", false, "rewrite the golden files in testdata with what the tests produce")

// Golden compares got with the file testdata/<name> of the package under test. With -update it writes the
// file instead.
func Golden(t testing.TB, name string, got []byte) {
	t.Helper()
	golden(t, name, got, *update)
}

func golden(t testing.TB, name string, got []byte, rewrite bool) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if rewrite {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); -update rewrites it:\n%s", path, diff)
	}
}
