package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"strings"
)

// envLine is an assignment as foreman reads it in .env, for the Procfile: no spaces around the equals sign.
var envLine = regexp.MustCompile(`\A([A-Za-z_][A-Za-z_0-9]*)=(.*)\z`)

// WithFile returns the environment with the settings of a file such as .env for those that the environment lacks. The
// file may be missing. Lines that assign nothing, such as comments, are skipped, and so are variables without [Prefix]: a
// file in a folder must not choose the PATH or a proxy of a command that an operator runs there.
func WithFile(environ map[string]string, name string) (map[string]string, error) {
	text, err := os.ReadFile(name) //nolint:gosec // the program names the file
	if errors.Is(err, fs.ErrNotExist) {
		return environ, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	all := maps.Clone(environ)
	for line := range strings.Lines(string(text)) {
		match := envLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if match == nil || !strings.HasPrefix(match[1], Prefix) || environ[match[1]] != "" {
			continue
		}
		all[match[1]] = unquote(match[2])
	}
	return all, nil
}

// unquote takes one pair of quotes away. Within double quotes a backslash stands for the character behind it.
func unquote(value string) string {
	if len(value) < 2 || value[0] != value[len(value)-1] {
		return value
	}
	switch inner := value[1 : len(value)-1]; value[0] {
	case '\'':
		return inner
	case '"':
		return escaped.ReplaceAllString(strings.ReplaceAll(inner, `\n`, "\n"), "$1")
	}
	return value
}

var escaped = regexp.MustCompile(`\\(.)`)
