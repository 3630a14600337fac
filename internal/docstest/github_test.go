package docstest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestHosting_files_parse_and_name_commands_that_exist reads what GitHub and editors read. Nothing else here would notice a
// mistake in them.
func TestHosting_files_parse_and_name_commands_that_exist(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{".github/pull_request_template.md", ".devcontainer/devcontainer.json"}
	for _, pattern := range []string{".github/*.yml", ".github/*/*.yml"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		for _, name := range found {
			names = append(names, strings.TrimPrefix(filepath.ToSlash(name), root+"/"))
		}
	}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		var content any
		switch filepath.Ext(name) {
		case ".yml":
			err = yaml.Unmarshal(text, &content)
		case ".json":
			err = json.Unmarshal(text, &content)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, match := range regexp.MustCompile(`(?m)(?:bash |\./)([a-z.]+/[a-z./]+)`).FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(root, match[1])); err != nil {
				t.Errorf("%s names %s: %v", name, match[1], err)
			}
		}
		for _, match := range regexp.MustCompile(`\bmake ([a-z-]+)`).FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(string(makefile), "\n"+match[1]+":") {
				t.Errorf("%s names make %s, which does not exist", name, match[1])
			}
		}
	}
}

// TestMakefile_runs_tests_of_api_with_the_race_detector holds the names by which make test chooses them.
func TestMakefile_runs_tests_of_api_with_the_race_detector(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	pattern := regexp.MustCompile(`(?m)^TOGETHER := (.+)$`).FindSubmatch(makefile)
	if pattern == nil {
		t.Fatal("the Makefile has no TOGETHER")
	}
	chosen := regexp.MustCompile(`(?m)^func Test\w*(?:` + string(pattern[1]) + `)\w*\(`)
	files, err := filepath.Glob(filepath.Join(root, "api", "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		count += len(chosen.FindAll(text, -1))
	}
	if count < 10 {
		t.Errorf("%d tests of api run with the race detector, want 10 at least", count)
	}
}
