package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// mutant is the product without one guard.
type mutant struct {
	name    string // of the guard
	without string // what happens without it, for people
	edits   []edit
	pkg     string   // whose tests must notice
	tests   []string // patterns as of go test -run; each must match one that passes while the guard is there
}

// edit replaces a text that the file has exactly once.
type edit struct{ file, old, new string }

// list has all mutants; its first lines describe the form.
//
//go:embed mutants.txt
var list string

// parse reads mutants from the form of [list].
func parse(text string) ([]mutant, error) {
	var all []mutant
	for n, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if word == "mutant" {
			name, without, _ := strings.Cut(rest, ": ")
			all = append(all, mutant{name: name, without: without})
			continue
		}
		if len(all) == 0 || !all[len(all)-1].read(word, line) {
			return nil, fmt.Errorf("mutants.txt:%d: cannot read %q", n+1, line)
		}
	}
	return all, nil
}

// read adds one line of the list to the mutant, and reports whether the line belongs there.
func (m *mutant) read(word, line string) bool {
	rest := strings.TrimPrefix(line, word+" ")
	last := len(m.edits) - 1
	switch {
	case word == "test":
		var pattern string
		m.pkg, pattern, _ = strings.Cut(rest, " ")
		m.tests = append(m.tests, pattern)
	case word == "file":
		m.edits = append(m.edits, edit{file: rest})
	case last >= 0 && line[0] == '-':
		m.edits[last].old = addLine(m.edits[last].old, line[1:])
	case last >= 0 && line[0] == '+':
		m.edits[last].new = addLine(m.edits[last].new, line[1:])
	default:
		return false
	}
	return true
}

func addLine(text, line string) string {
	if text == "" {
		return line
	}
	return text + "\n" + line
}

// overlay writes the mutant's files to dir and returns the path of the list that go's -overlay option reads: the
// compiler takes them instead of those of the working tree at root, which stays as it is. A text that is missing
// is an error: the guard was rewritten, and the mutant has to follow.
func (m mutant) overlay(root, dir string) (string, error) {
	texts := map[string]string{}
	for _, e := range m.edits {
		path := filepath.Join(root, e.file)
		text, edited := texts[path]
		if !edited {
			raw, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("mutant %s: %w", m.name, err)
			}
			text = string(raw)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return "", fmt.Errorf("mutant %s: %s has %d times, want once:\n%s", m.name, e.file, n, e.old)
		}
		texts[path] = strings.Replace(text, e.old, e.new, 1)
	}
	var replaced struct{ Replace map[string]string }
	replaced.Replace = map[string]string{}
	for path, text := range texts {
		replaced.Replace[path] = filepath.Join(dir, strconv.Itoa(len(replaced.Replace))+filepath.Ext(path))
		if err := os.WriteFile(replaced.Replace[path], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	index, err := json.Marshal(replaced)
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, index, 0o600)
}
