package archtest_test

import (
	"slices"
	"strings"
	"testing"
)

// TestSandbox_stands_alone keeps cmd/sandbox free of the rest of the service, so that a team with any stack builds it alone
// and quickly, and so that the fake cannot share a mistake with the clients that it tests.
func TestSandbox_stands_alone(t *testing.T) {
	t.Parallel()
	ours := []string{"usher/cmd/sandbox", "usher/sandbox"}
	modules := []string{"github.com/emersion/go-sasl", "github.com/emersion/go-smtp", "github.com/google/uuid", "golang.org/x"}
	packages := goList(t, "-deps", "-json=ImportPath,Standard", "./cmd/sandbox")
	for _, p := range packages {
		known := p.Standard || slices.Contains(ours, p.ImportPath) ||
			slices.ContainsFunc(modules, func(module string) bool { return within(p.ImportPath, module) })
		if !known && !strings.HasPrefix(p.ImportPath, "vendor/") {
			t.Errorf("cmd/sandbox depends on %s", p.ImportPath)
		}
	}
	if len(packages) < 2 {
		t.Error("go list found no packages: this test checks nothing")
	}
}
