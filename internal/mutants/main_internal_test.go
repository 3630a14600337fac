package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"usher/internal/testkit"
)

const root = "../.."

// A guard that is rewritten takes its mutant with it: this fails until the mutant follows.
func TestMutants_find_their_guards_and_their_tests(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	all, err := parse(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		testkit.Conditions(t, "mutant "+m.name, map[string]bool{
			"the name is used once": !seen[m.name],
			"it says what happens":  m.without != "",
			"it has an edit":        len(m.edits) > 0,
			"it has a test":         len(m.tests) > 0,
		})
		seen[m.name] = true
		for _, e := range m.edits {
			text, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				t.Errorf("mutant %s: %v", m.name, err)
			} else if n := strings.Count(string(text), e.old); n != 1 {
				t.Errorf("mutant %s: %s has %d times, want once:\n%s", m.name, e.file, n, e.old)
			}
		}
		tests := testkit.TestSource(t, m.pkg)
		for _, pattern := range m.tests {
			name, _, _ := strings.Cut(pattern, "/")
			if !strings.Contains(tests, "\nfunc "+name+"(t *testing.T) {") {
				t.Errorf("mutant %s: %s has no %s", m.name, m.pkg, name)
			}
		}
	}
}

// The quick form: mutants of packages that compile fast. `make mutants` tries all.
func TestMutants_of_small_packages_are_noticed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles packages, several times")
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	all, err := parse(list)
	if err != nil {
		t.Fatal(err)
	}
	quick := []string{"captcha-empty", "link-signature", "code-purpose-mac"}
	chosen := slices.DeleteFunc(all, func(m mutant) bool { return !slices.Contains(quick, m.name) })
	if err := checkTests(t.Context(), here, chosen); err != nil {
		t.Fatal(err)
	}
	for _, m := range chosen {
		if got, err := m.try(t.Context(), here); err != nil || !got.caught() {
			t.Errorf("%s was noticed by %s, %v", m.name, got, err)
		}
	}

	// A change that removes no guard must pass unnoticed: else the verdicts above are worth nothing.
	comment := edit{"captcha/captcha.go", "package captcha", "package captcha // harmless"}
	harmless := mutant{name: "harmless", edits: []edit{comment}, pkg: "captcha", tests: []string{"TestMatch"}}
	if got, err := harmless.try(t.Context(), here); err != nil || got.caught() {
		t.Errorf("a harmless change was noticed by %s, %v", got, err)
	}
	gone := mutant{name: "gone", edits: []edit{{"captcha/captcha.go", "no such guard", ""}}}
	if _, err := gone.try(t.Context(), here); err == nil || !strings.Contains(err.Error(), "has 0 times") {
		t.Errorf("a mutant without its guard: %v", err)
	}
}

func TestParse_names_the_line_that_it_cannot_read(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"test a TestB", "mutant a: b\n-text before a file", "mutant a: b\nfile c\nnonsense"} {
		if got, err := parse(text); err == nil || !strings.Contains(err.Error(), "mutants.txt:") {
			t.Errorf("%q is read as %+v, %v", text, got, err)
		}
	}
}

func Test_judge_takes_only_failed_tests_for_notice(t *testing.T) {
	t.Parallel()
	for out, want := range map[string]verdict{
		"--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/b (0.00s)\n--- FAIL: TestC (0.00s)\n": {test: "TestA/b"},
		"FAIL\tusher/api [build failed]\n":                                                  {failure: "it does not compile"},
		"panic: test timed out after 3m0s\n":                                                {failure: "the tests hung"},
		"panic: x\n\ngoroutine 7 [running]:\n":                                              {failure: "the test program ended: panic: x"},
		"FAIL\tusher/no such folder [setup failed]\n":                                       {failure: "it does not compile"},
	} {
		if got := judge(out, os.ErrInvalid); got != want {
			t.Errorf("got %+v for %q, want %+v", got, out, want)
		}
	}
	if got := judge("ok", nil); got.caught() {
		t.Errorf("got %+v for tests that pass", got)
	}
}
