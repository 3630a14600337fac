// Command licences writes docs/dependencies.md: every module that ours is built from, with the licence that its
// own files state, and the reason for the direct ones. It runs in the repository's root: go generate ./...
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run . ../..

// target is the file that is written, relative to the root.
const target = "docs/dependencies.md"

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	if err := run(root); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(root string) error {
	modules, err := list(root)
	if err != nil {
		return err
	}
	text, err := write(modules)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, target), []byte(text), 0o644)
}
