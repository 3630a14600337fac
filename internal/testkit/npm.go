package testkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// NPM installs packages, such as "jose@6.2.18", into a new directory for modules and returns it. Their install scripts are not run.
// The test is skipped when the registry does not serve them.
func NPM(t testing.TB, packages ...string) (dir string) {
	t.Helper()
	npm := NeedProgram(t, "npm")
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"type":"module"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	install := exec.CommandContext(t.Context(), npm,
		append([]string{"install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"}, packages...)...)
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("npm cannot install %v: %v: %s", packages, err, out)
	}
	return dir
}
