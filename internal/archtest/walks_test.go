package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mostFiles is how many files a number or an address may pass through.
const mostFiles = 14

// step is a numbered step of a walk: a file and a function that is declared in it.
var step = regexp.MustCompile("(?m)^[0-9]+\\. `([^`]+\\.go)` `([^`]+)`: ")

// Walks through the code are told in docs/architecture.md, so that a newcomer finds the way from a request to a message.
func TestWalks_name_functions_that_exist_in_few_files(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join(root, "docs/architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, heading := range []string{"## The walk of a number\n", "## The walk of an address\n"} {
		_, section, found := strings.Cut(string(page), heading)
		if !found {
			t.Fatalf("docs/architecture.md lacks %q", heading)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		files := map[string]bool{}
		for _, found := range step.FindAllStringSubmatch(section, -1) {
			file, function := found[1], found[2]
			files[file] = true
			if !declares(t, file, function) {
				t.Errorf("%s: %s does not declare %s", strings.TrimSpace(heading), file, function)
			}
		}
		if len(files) == 0 || len(files) > mostFiles {
			t.Errorf("%s passes through %d files, want 1 to %d", strings.TrimSpace(heading), len(files), mostFiles)
		}
		if steps := len(regexp.MustCompile(`(?m)^[0-9]+\. `).FindAllString(section, -1)); steps != len(step.FindAllString(section, -1)) {
			t.Errorf("%s: a step names no file and function", strings.TrimSpace(heading))
		}
	}
}

func declares(t *testing.T, file, function string) bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Error(err)
		return false
	}
	for _, declared := range parsed.Decls {
		if f, ok := declared.(*ast.FuncDecl); ok && f.Name.Name == function {
			return true
		}
	}
	return false
}

// asynqInside are texts of Asynq that only package queue may know: its keys in Redis, and the code of an answer.
var asynqInside = regexp.MustCompile(`"asynq:|INTERNAL_ERROR`)

func TestOnly_queue_knows_how_Asynq_works_inside(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(root, func(name string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && name != root:
			return filepath.SkipDir
		case !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		within, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		// Benchmarks look at the queue from outside, as an operator with redis-cli would.
		if folder := filepath.ToSlash(filepath.Dir(within)); folder == "queue" || folder == "bench" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if code, _, _ := strings.Cut(line, "//"); asynqInside.MatchString(code) {
				t.Errorf("%s:%d: ask package queue instead: %s", within, i+1, strings.TrimSpace(line))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
