package opstest_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"usher/internal/testkit"
)

// root is the repository's.
const root = "../.."

// patience is how long something may take that takes seconds; the machine may be busy.
const patience = time.Minute

func TestMain(m *testing.M) { testkit.Main(m) }

// rule is one of ops/alerts.yml, a recorded series or an alert.
type rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      map[string]string
}

func rules(t testing.TB) (all []rule) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal([]byte(testkit.RepositoryFile(t, "ops/alerts.yml")), &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// alerts are the names of all alerts.
func alerts(t testing.TB) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, r := range rules(t) {
		if r.Alert != "" {
			names[r.Alert] = true
		}
	}
	return names
}

// panel is one of ops/dashboard.json.
type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               struct{ UID string }
	Targets                  []struct{ Expr, LegendFormat string }
}

// panels are those of the board, whose queries are as Grafana sends them.
func panels(t testing.TB) []panel {
	t.Helper()
	var board struct {
		SchemaVersion int
		Panels        []panel
	}
	text := strings.ReplaceAll(testkit.RepositoryFile(t, "ops/dashboard.json"), "$__rate_interval", "1m")
	if err := json.Unmarshal([]byte(text), &board); err != nil {
		t.Fatal(err)
	}
	if board.SchemaVersion < 36 {
		t.Errorf("the board's schema is %d", board.SchemaVersion)
	}
	return board.Panels
}

// queries are all expressions of rules and board.
func queries(t testing.TB) (all []string) {
	t.Helper()
	for _, r := range rules(t) {
		all = append(all, r.Expr)
	}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	return all
}

var (
	quoted   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	selector = regexp.MustCompile(`\b([a-z_]+(?::[a-z0-9_]+)+|[a-z]+_[a-z_]+|up|ALERTS)\b(?:\{([^}]*)\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|on|group_left) *\(([^)]*)\)`)
)

// selected is a series that a query asks for, and its matchers.
type selected struct{ name, matchers string }

// series finds what a query asks for. Functions and words of PromQL have no place among names: what is followed
// by a parenthesis is one.
func series(query string) (found []selected) {
	query = grouping.ReplaceAllString(query, "")
	values := quoted.FindAllString(query, -1)
	query = quoted.ReplaceAllString(query, `""`)
	for _, at := range selector.FindAllStringSubmatchIndex(query, -1) {
		name := query[at[2]:at[3]]
		if strings.HasPrefix(strings.TrimLeft(query[at[1]:], " "), "(") && at[4] < 0 {
			continue
		}
		s := selected{name: name}
		if at[4] >= 0 {
			before := strings.Count(query[:at[4]], `""`)
			parts := strings.Split(query[at[4]:at[5]], `""`)
			for i, part := range parts {
				s.matchers += part
				if i+1 < len(parts) {
					s.matchers += values[before+i]
				}
			}
		}
		found = append(found, s)
	}
	return found
}
