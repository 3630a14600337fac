package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestGeneratedFiles_are_up_to_date(t *testing.T) {
	t.Parallel()
	for name, want := range Files() {
		got, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s differs: run go generate ./...\n%s", name, diff)
		}
	}
}

func TestExample_names_each_variable_once(t *testing.T) {
	t.Parallel()
	seen, production := map[string]bool{}, 0
	for line := range strings.Lines(Files()[".env.example"]) {
		name, _, isVariable := strings.Cut(strings.TrimPrefix(line, "#"), "=")
		if strings.HasPrefix(line, "# [production] ") {
			production++
		}
		if !isVariable || !strings.HasPrefix(name, "USHER_") {
			continue
		}
		if seen[name] {
			t.Errorf("%s is named twice", name)
		}
		seen[name] = true
	}
	if len(seen) < 80 || production < 15 {
		t.Errorf("%d variables, of which production needs %d: that is too few", len(seen), production)
	}
}
