package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
