package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// checkTests runs the tests of the mutants on the code as it is: a test that fails without a mutant
// notices nothing.
func checkTests(ctx context.Context, root string, chosen []mutant) error {
	tests := map[string][]string{}
	for _, m := range chosen {
		tests[m.pkg] = append(tests[m.pkg], m.tests...)
	}
	for _, pkg := range slices.Sorted(maps.Keys(tests)) {
		out, err := runTests(ctx, root, pkg, tests[pkg], "")
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

// try runs the tests of a mutant on the code without its guard.
func (m mutant) try(ctx context.Context, root string) (verdict, error) {
	dir, err := os.MkdirTemp("", "usher-mutant-")
	if err != nil {
		return verdict{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := m.overlay(root, dir)
	if err != nil {
		return verdict{}, err
	}
	out, failure := runTests(ctx, root, m.pkg, m.tests, overlay)
	return judge(out, failure), ctx.Err()
}

// runTests runs some tests of a package, with an overlay of its source unless that is "".
func runTests(ctx context.Context, root, pkg string, names []string, overlay string) (string, error) {
	patterns := make([]string, len(names))
	for i, name := range names {
		patterns[i] = "^" + strings.ReplaceAll(name, "/", "$/^") + "$"
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-failfast", "-vet=off", "-timeout=3m",
		"-run="+strings.Join(patterns, "|"), "./"+pkg)
	cmd.Dir = root
	if overlay != "" {
		// By the environment, so that a test that builds programs builds the mutant too.
		cmd.Env = append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+overlay)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// verdict is the test that noticed a mutant, or why none did.
type verdict struct{ test, failure string }

func (v verdict) caught() bool { return v.test != "" }

// String is a cell of the table.
func (v verdict) String() string {
	if v.caught() {
		return "`" + v.test + "`"
	}
	return "**no test**: " + v.failure
}

var (
	failed = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	panics = regexp.MustCompile(`(?m)^panic: .*`)
)

// judge counts only the failure of a test: a mutant that does not compile, or tests that hang until their
// time is over, show nothing about the guard.
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
