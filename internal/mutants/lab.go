package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// lab is a copy of the working tree in which guards are taken out, one at a time.
type lab struct{ dir string }

// repository returns the root of the working tree that the program runs in.
func repository(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return "", fmt.Errorf("find the working tree: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// newLab copies every file that git knows or would add.
func newLab(ctx context.Context, root string) (*lab, error) {
	cmd := exec.CommandContext(ctx, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	dir, err := os.MkdirTemp("", "usher-mutants-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the copy: %w", err)
	}
	l := &lab{dir}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if err := copyFile(filepath.Join(root, name), filepath.Join(dir, name)); err != nil {
			l.remove()
			return nil, fmt.Errorf("copy the working tree: %w", err)
		}
	}
	return l, nil
}

func (l *lab) remove() { _ = os.RemoveAll(l.dir) }

// copyFile leaves out what git still lists and nobody has any more.
func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

// healthy runs all tests that mutants are held against on the copy as it is: a test that fails anyway
// notices nothing.
func (l *lab) healthy(ctx context.Context, chosen []mutant) error {
	tests := map[string][]string{}
	for _, m := range chosen {
		tests[m.pkg] = append(tests[m.pkg], m.tests...)
	}
	for _, pkg := range slices.Sorted(maps.Keys(tests)) {
		out, err := l.test(ctx, pkg, tests[pkg])
		if err != nil {
			return fmt.Errorf("tests of %s fail without any mutant: %w\n%s", pkg, err, out)
		}
		for _, name := range tests[pkg] {
			if !regexp.MustCompile(`(?m)^\s*--- PASS: ` + name + ` `).MatchString(out) {
				return fmt.Errorf("%s has no test %s that runs on this machine", pkg, name)
			}
		}
	}
	return nil
}

// try takes a guard out, runs the tests and puts the guard back.
func (l *lab) try(ctx context.Context, m mutant) (verdict, error) {
	restore, err := m.apply(l.dir)
	if err != nil {
		return verdict{}, err
	}
	out, failure := l.test(ctx, m.pkg, m.tests)
	if err := restore(); err != nil {
		return verdict{}, err
	}
	return judge(out, failure), ctx.Err()
}

// test runs some tests of a package.
func (l *lab) test(ctx context.Context, pkg string, names []string) (string, error) {
	patterns := make([]string, len(names))
	for i, name := range names {
		patterns[i] = "^" + strings.ReplaceAll(name, "/", "$/^") + "$"
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-failfast", "-vet=off", "-timeout=3m",
		"-run="+strings.Join(patterns, "|"), "./"+pkg)
	cmd.Dir = l.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// verdict says who noticed, or why nobody did.
type verdict struct{ test, failure string }

func (v verdict) caught() bool { return v.test != "" }

// String is a cell of the table.
func (v verdict) String() string {
	if v.caught() {
		return "`" + v.test + "`"
	}
	return "**nobody**: " + v.failure
}

var (
	failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	panics = regexp.MustCompile(`(?m)^panic: .*`)
)

// judge takes nothing but the failure of a test for notice: not that the mutant does not compile, and not
// that a test hung until its time was over.
func judge(out string, err error) verdict {
	switch {
	case err == nil:
		return verdict{failure: "all tests pass"}
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
		return verdict{failure: "it does not compile"}
	case strings.Contains(out, "panic: test timed out"):
		return verdict{failure: "the tests hung"}
	}
	var deepest verdict
	for _, match := range failed.FindAllStringSubmatch(out, -1) {
		if !deepest.caught() || strings.HasPrefix(match[1], deepest.test+"/") {
			deepest.test = match[1]
		}
	}
	if !deepest.caught() {
		deepest.failure = "the test program ended: " + string(panics.Find([]byte(out)))
	}
	return deepest
}
