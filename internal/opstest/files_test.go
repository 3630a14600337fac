package opstest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"usher/internal/testkit"
)

func TestRules_pass_promtool(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	promtool := testkit.NeedProgram(t, "promtool")
	for _, args := range [][]string{
		{"check", "rules", "ops/alerts.yml"},
		{"check", "config", "ops/prometheus.yml"},
		{"test", "rules", "ops/alerts_test.yml", "ops/alerts_week_test.yml"},
	} {
		t.Run(strings.Join(args[:2], " "), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), promtool, args...)
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", cmd, err, out)
			}
		})
	}
}

func TestAlerts_each_has_a_case_that_fires_and_one_that_does_not(t *testing.T) {
	t.Parallel()
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, name := range []string{"ops/alerts_test.yml", "ops/alerts_week_test.yml"} {
		var file struct {
			Tests []struct {
				Cases []struct {
					Alertname string
					Expected  []any `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		if err := yaml.Unmarshal([]byte(testkit.RepositoryFile(t, name)), &file); err != nil {
			t.Fatal(err)
		}
		for _, test := range file.Tests {
			for _, c := range test.Cases {
				fires[c.Alertname] = fires[c.Alertname] || len(c.Expected) > 0
				quiet[c.Alertname] = quiet[c.Alertname] || len(c.Expected) == 0
			}
		}
	}
	for alert := range alerts(t) {
		if !fires[alert] || !quiet[alert] {
			t.Errorf("%s: fires in a case: %t, does not in another: %t", alert, fires[alert], quiet[alert])
		}
	}
}

func TestAlerts_say_what_an_operator_needs(t *testing.T) {
	t.Parallel()
	page := testkit.RepositoryFile(t, "docs/alerts.md")
	for _, r := range rules(t) {
		if r.Alert == "" {
			continue
		}
		a := r.Annotations
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		if a["summary"] == "" || !strings.Contains(a["description"], "$value") && !strings.Contains(a["description"], "query") {
			t.Errorf("%s: summary %q, description %q", r.Alert, a["summary"], a["description"])
		}
		if a["runbook_url"] != "docs/runbooks/"+r.Alert+".md" {
			t.Errorf("%s: runbook %q", r.Alert, a["runbook_url"])
		}
		if line := "[" + r.Alert + "](runbooks/" + r.Alert + ".md)"; !strings.Contains(page, line) {
			t.Errorf("docs/alerts.md lacks %s", line)
		}
	}
}

// runbooks are the pages by the name of their alert.
func runbooks(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "docs/runbooks/*.md"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no runbooks: %v", err)
	}
	pages := map[string]string{}
	for _, file := range files {
		name := filepath.Base(file)
		pages[strings.TrimSuffix(name, ".md")] = testkit.RepositoryFile(t, "docs/runbooks/"+name)
	}
	return pages
}

func TestRunbooks_belong_to_alerts_and_have_one_form(t *testing.T) {
	t.Parallel()
	pages, known := runbooks(t), alerts(t)
	for alert := range known {
		if pages[alert] == "" {
			t.Errorf("%s has no runbook", alert)
		}
	}
	headings := regexp.MustCompile(`(?m)^#+ (.+)$`)
	for name, page := range pages {
		if !known[name] {
			t.Errorf("the runbook %s has no alert", name)
		}
		var found []string
		for _, heading := range headings.FindAllStringSubmatch(page, -1) {
			found = append(found, heading[1])
		}
		if want := []string{name, "Look first at", "Causes", "Fix"}; !slices.Equal(found, want) {
			t.Errorf("%s: headings %q, want %q", name, found, want)
		}
		if lines := strings.Count(page, "\n"); lines < 15 || lines > 45 {
			t.Errorf("%s has %d lines", name, lines)
		}
	}
}

// What a runbook tells people to open or to run must exist.
func TestRunbooks_name_what_exists(t *testing.T) {
	t.Parallel()
	commands := map[string]bool{}
	for _, command := range regexp.MustCompile(`(?m)^\t\t"([a-z-]+)": `).FindAllStringSubmatch(testkit.RepositoryFile(t, "cmd/admin/main.go"), -1) {
		commands[command[1]] = true
	}
	settings := testkit.RepositoryFile(t, "docs/configuration.md")
	titles := map[string]bool{}
	for _, p := range panels(t) {
		titles[p.Title] = true
	}
	for name, page := range runbooks(t) {
		for _, command := range regexp.MustCompile("`admin ([a-z-]+)").FindAllStringSubmatch(page, -1) {
			if !commands[command[1]] {
				t.Errorf("%s: there is no command admin %s", name, command[1])
			}
		}
		for _, setting := range regexp.MustCompile(`\bUSHER_[A-Z_]*[A-Z]\b`).FindAllString(page, -1) {
			if !strings.Contains(settings, "`"+strings.TrimSuffix(setting, "_FILE")) {
				t.Errorf("%s: there is no setting %s", name, setting)
			}
		}
		for _, line := range regexp.MustCompile(`(?m)^- Board: .*$`).FindAllString(page, -1) {
			for _, title := range quoted.FindAllString(line, -1) {
				if !titles[strings.Trim(title, `"`)] {
					t.Errorf("%s: the board has no panel %s", name, title)
				}
			}
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#]+)`).FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(filepath.Join(root, "docs/runbooks", link[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestBoard_panels_are_told_apart_and_explained(t *testing.T) {
	t.Parallel()
	ids, titles, known := map[int]bool{}, map[string]bool{}, alerts(t)
	named := regexp.MustCompile(`\b(?:[A-Z]+[a-z]+){2,}\b`)
	for _, p := range panels(t) {
		if ids[p.ID] || titles[p.Title] {
			t.Errorf("panel %d, %q: its id or its title is another's too", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		for _, alert := range named.FindAllString(p.Description, -1) {
			if !known[alert] {
				t.Errorf("%q: there is no alert %s", p.Title, alert)
			}
		}
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("%q has %d queries, of the data source %q", p.Title, len(p.Targets), p.Datasource.UID)
		}
	}
}
