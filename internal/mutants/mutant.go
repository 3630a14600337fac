package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mutant is the product without one guard.
type mutant struct {
	name    string // of the guard
	without string // what happens then, for people
	edits   []edit
	pkg     string   // whose tests must notice
	tests   []string // patterns as of go test -run; each must match one that passes while the guard is there
}

// edit replaces a text that the file has exactly once.
type edit struct{ file, old, new string }

// apply takes the guard out of the tree at dir and returns what puts it back. It changes nothing when a text
// is not there: the guard was rewritten, and the mutant has to follow.
func (m mutant) apply(dir string) (restore func() error, err error) {
	before, after := map[string]string{}, map[string]string{}
	for _, e := range m.edits {
		text, seen := after[e.file]
		if !seen {
			raw, err := os.ReadFile(filepath.Join(dir, e.file))
			if err != nil {
				return nil, fmt.Errorf("mutant %s: %w", m.name, err)
			}
			text = string(raw)
			before[e.file] = text
		}
		if n := strings.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("mutant %s: %s has %d times, want once:\n%s", m.name, e.file, n, e.old)
		}
		after[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	if err := write(dir, after); err != nil {
		return nil, fmt.Errorf("mutant %s: %w", m.name, err)
	}
	return func() error { return write(dir, before) }, nil
}

func write(dir string, files map[string]string) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
