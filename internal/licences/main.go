// Command licences writes docs/dependencies.md: every module that ours is built from, with its licence as its
// own files state it, and why the direct ones are there. It runs in the repository's root: go generate ./...
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run . ../..

// page is the file that is written, relative to the root.
const page = "docs/dependencies.md"

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
	return os.WriteFile(filepath.Join(root, page), []byte(text), 0o644)
}
