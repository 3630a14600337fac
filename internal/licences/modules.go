package main

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// shipped are the commands that run in production.
var shipped = []string{"./cmd/api", "./cmd/worker", "./cmd/admin"}

// dependenciesFile is the list of the modules that we import ourselves.
//
//go:embed dependencies.yaml
var dependenciesFile []byte

// dependency is why a module is there. The list also has the packages that may import it, for internal/archtest.
type dependency struct {
	For string
}

// module is one that a package of ours imports, directly or through others.
type module struct {
	path, version, dir string
	direct             bool // go.mod names it without "// indirect"
	ships              bool // part of a command that runs in production
	dependency
}

// list returns the modules in order of their paths. A module that go.mod names and no package imports, not even
// a test, is left out: it is there for the versions that it asks for, and its files may not be downloaded.
func list(root string) ([]module, error) {
	var dependencies map[string]dependency
	if err := yaml.Unmarshal(dependenciesFile, &dependencies); err != nil {
		return nil, fmt.Errorf("read dependencies.yaml: %w", err)
	}
	all, err := imported(root, "-test", "./...")
	if err != nil {
		return nil, err
	}
	ships, err := imported(root, shipped...)
	if err != nil {
		return nil, err
	}
	for path := range dependencies {
		if _, found := all[path]; !found {
			return nil, fmt.Errorf("dependencies.yaml names %s, and nothing imports it: remove it", path)
		}
	}
	modules := make([]module, 0, len(all))
	for _, path := range slices.Sorted(maps.Keys(all)) {
		m := all[path]
		m.dependency = dependencies[path]
		m.direct = m.direct || m.For != ""
		_, m.ships = ships[path]
		modules = append(modules, m)
	}
	return modules, nil
}

// imported returns the modules of all packages that those of the patterns import, without our own.
func imported(root string, patterns ...string) (map[string]module, error) {
	const format = `{{with .Module}}{{if not .Main}}{{.Path}}{{"\t"}}{{.Version}}{{"\t"}}{{.Dir}}{{"\t"}}{{.Indirect}}{{end}}{{end}}`
	cmd := exec.CommandContext(context.Background(), "go", append([]string{"list", "-e", "-deps", "-f", format}, patterns...)...)
	cmd.Dir = root
	// As an image is built: a module's use may depend on the system.
	cmd.Env = append(cmd.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w: %s", err, &stderr)
	}
	modules := map[string]module{}
	for line := range strings.Lines(string(out)) {
		if fields := strings.Split(strings.TrimSpace(line), "\t"); len(fields) == 4 {
			modules[fields[0]] = module{path: fields[0], version: fields[1], dir: fields[2], direct: fields[3] == "false"}
		}
	}
	return modules, nil
}
