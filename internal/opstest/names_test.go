package opstest_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"usher/internal/testkit"
)

// Labels that Prometheus adds to every series, and that of histograms.
var added = []string{"job", "instance", "channels", "le"}

// row is one of docs/metrics.md. What the processes show is held against that page in package app.
type row struct{ labels, text string }

func documented(t *testing.T) map[string]row {
	t.Helper()
	rows := map[string]row{}
	for _, line := range regexp.MustCompile("(?m)^\\| `(usher_[a-z_]+)` \\|[^|]*\\|([^|]*)\\|.*$").
		FindAllStringSubmatch(testkit.RepositoryFile(t, "docs/metrics.md"), -1) {
		rows[line[1]] = row{labels: line[2], text: line[0]}
	}
	return rows
}

// base is the name of a metric without what histograms add to it.
func base(name string) string {
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		if trimmed, ok := strings.CutSuffix(name, suffix); ok && strings.HasSuffix(trimmed, "_seconds") {
			return trimmed
		}
	}
	return name
}

// foreign are series that are not ours: redis_exporter's, and Prometheus's own.
func foreign(name string) bool {
	return strings.HasPrefix(name, "redis_") || name == "ALERTS"
}

// exist waits until all series of rules and board are there that Prometheus finds in a deployment without problems.
func exist(t *testing.T, p *prometheus) {
	t.Helper()
	recorded := map[string]bool{}
	for _, r := range rules(t) {
		recorded[r.Record] = true
	}
	wanted := map[string]bool{}
	for _, query := range queries(t) {
		for _, s := range series(query) {
			if !foreign(s.name) && !recorded[s.name] {
				wanted[s.name] = true
			}
		}
	}
	var shown map[string]bool
	absent := func() (names []string) {
		shown = p.names()
		for name := range wanted {
			if !shown[name] && !shown[base(name)] {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		return names
	}
	// Faults, refusals and captchas, which are off, leave no series; all the rest must be there.
	silent := []string{
		"usher_captcha_prices_total", "usher_captchas_total", "usher_limits_recorded_total", "usher_limits_refused_total", "usher_mail_outage", "usher_messages_dropped_total",
		"usher_messages_refusals_total",
		"usher_messages_unrecorded_total", "usher_tasks_archived_total", "usher_tasks_foreign_total", "usher_tasks_reaped_total", "usher_undelivered_total",
	}
	testkit.Eventually(t, patience, func() bool {
		return !slices.ContainsFunc(absent(), func(name string) bool { return !slices.Contains(silent, name) })
	}, "of what rules and board name the processes show all but %q", silent)
}

// A misspelt label or value makes a query that never finds anything, and an alert that never fires.
func TestQueries_select_by_labels_and_values_that_exist(t *testing.T) {
	t.Parallel()
	rows, page := documented(t), testkit.RepositoryFile(t, "docs/metrics.md")
	looked := 0
	for _, query := range queries(t) {
		for _, s := range series(query) {
			r, ours := rows[base(s.name)]
			if !ours && strings.HasPrefix(s.name, "usher_") {
				t.Errorf("docs/metrics.md lacks %s", s.name)
			}
			if !ours {
				continue
			}
			for _, m := range matcher.FindAllStringSubmatch(s.matchers, -1) {
				looked++
				label, values := m[1], strings.Split(m[2], "|")
				if !slices.Contains(added, label) && !strings.Contains(r.labels, "`"+label+"`") {
					t.Errorf("%s has no label %s", s.name, label)
				}
				if !slices.Contains([]string{"state", "result", "reason", "decision", "cause", "outcome"}, label) {
					continue
				}
				for _, value := range values {
					if !strings.Contains(r.text, "`"+value+"`") && !strings.Contains(page, `="`+value+`"`) {
						t.Errorf("%s: docs/metrics.md has no value %s of %s", s.name, value, label)
					}
				}
			}
		}
	}
	if looked < 30 {
		t.Errorf("only %d matchers were found", looked)
	}
}
