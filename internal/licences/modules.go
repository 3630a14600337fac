package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
)

// shipped are the commands that run in production.
var shipped = []string{"./cmd/api", "./cmd/worker", "./cmd/admin"}

// module is one that something of ours imports, be it by way of others.
type module struct {
	path, version, dir string
	direct             bool
	ships              bool // part of a command that runs in production
}

// list returns the modules in order of their paths. What go.mod names and nothing of ours imports, not even a
// test, is left out: it is there for the versions that it asks for, and nobody has its files.
func list(root string) ([]module, error) {
	direct, err := required(root)
	if err != nil {
		return nil, err
	}
	all, err := imported(root, "-test", "./...")
	if err != nil {
		return nil, err
	}
	ships, err := imported(root, shipped...)
	if err != nil {
		return nil, err
	}
	modules := make([]module, 0, len(all))
	for _, path := range slices.Sorted(maps.Keys(all)) {
		m := all[path]
		m.direct = direct[path] || reasons[path] != ""
		_, m.ships = ships[path]
		modules = append(modules, m)
	}
	return modules, nil
}

// required tells of each module in go.mod whether we import it ourselves.
func required(root string) (map[string]bool, error) {
	out, err := command(root, "mod", "edit", "-json")
	if err != nil {
		return nil, err
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		return nil, fmt.Errorf("read go.mod: %w", err)
	}
	direct := map[string]bool{}
	for _, r := range mod.Require {
		direct[r.Path] = !r.Indirect
	}
	return direct, nil
}

// imported returns the modules of all packages that those of the patterns import, but not our own.
func imported(root string, patterns ...string) (map[string]module, error) {
	const format = `{{with .Module}}{{if not .Main}}{{.Path}}{{"\t"}}{{.Version}}{{"\t"}}{{.Dir}}{{end}}{{end}}`
	out, err := command(root, append([]string{"list", "-e", "-deps", "-f", format}, patterns...)...)
	if err != nil {
		return nil, err
	}
	modules := map[string]module{}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if fields := strings.Split(lines.Text(), "\t"); len(fields) == 3 {
			modules[fields[0]] = module{path: fields[0], version: fields[1], dir: fields[2]}
		}
	}
	return modules, nil
}

// command runs go where an image is built: what a module is used for may depend on the system.
func command(root string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(context.Background(), "go", args...)
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", args[0], err, &stderr)
	}
	return out, nil
}
