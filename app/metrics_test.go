package app_test

import (
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"usher/internal/testkit"
	"usher/sandbox"
)

// family is a row of docs/metrics.md, or what an operations port shows of it.
type family struct {
	kind   string
	labels string // sorted, with commas between them
}

var metricsRow = regexp.MustCompile("(?m)^\\| `(usher_[a-z_]+)` \\| ([a-z]+) \\|([^|]*)\\|")

// documented reads the tables of docs/metrics.md.
func documented(t *testing.T) map[string]family {
	t.Helper()
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]family{}
	for _, row := range metricsRow.FindAllStringSubmatch(string(page), -1) {
		labels := regexp.MustCompile("[a-z_]+").FindAllString(row[3], -1)
		slices.Sort(labels)
		if _, double := rows[row[1]]; double {
			t.Errorf("docs/metrics.md has two rows of %s", row[1])
		}
		rows[row[1]] = family{row[2], strings.Join(labels, ",")}
	}
	return rows
}

var (
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (usher_[a-z_]+) ([a-z]+)$`)
	sampleLine = regexp.MustCompile(`(?m)^(usher_[a-z_]+)(?:\{(.*)\})? \S+$`)
	labelName  = regexp.MustCompile(`([a-z_]+)="(?:[^"\\]|\\.)*"`)
)

// shown reads our families from the text of an operations port.
func shown(text string) map[string]family {
	families := map[string]family{}
	for _, line := range typeLine.FindAllStringSubmatch(text, -1) {
		families[line[1]] = family{kind: line[2]}
	}
	for _, line := range sampleLine.FindAllStringSubmatch(text, -1) {
		name := line[1]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if base := strings.TrimSuffix(line[1], suffix); families[base].kind == "histogram" {
				name = base
			}
		}
		labels := map[string]bool{}
		for _, label := range labelName.FindAllStringSubmatch(line[2], -1) {
			labels[label[1]] = true
		}
		delete(labels, "le")
		families[name] = family{families[name].kind, strings.Join(slices.Sorted(maps.Keys(labels)), ",")}
	}
	return families
}

func TestMetrics_page_tells_what_the_processes_show(t *testing.T) {
	t.Parallel()
	d := deploy(t, testkit.Redis(t), testkit.SQLite(t), map[string]string{
		"USHER_SMS_BUDGET_YUAN": "100", "USHER_SMS_PRICE_YUAN": "0.05", "USHER_REPORT_SECRET": reportSecret,
	})
	if err := d.sandbox.PushReports(sandbox.ReportURLs{Aliyun: "http://" + d.api.HTTPAddr() + "/v1/reports/aliyun/" + reportSecret}); err != nil {
		t.Fatal(err)
	}
	p := d.person(t)
	p.Walk(lilei())
	p.Do(http.MethodGet, "/v1/nowhere", nil)
	wants := []string{
		`usher_acceptance_seconds_count{channel="sms",provider="aliyun"} 2`,
		`usher_acceptance_seconds_count{channel="email",provider="smtp"} 1`,
		`usher_queue_tasks{queue="sms",state="pending"} 0`, `usher_outbox_mails 0`,
		`usher_captchas_total{result="right"} `, `usher_registrations_total{state="active"} 1`,
		`usher_sign_ins_total{result="code"} 1`, `usher_delivery_seconds_count{provider="aliyun"} 2`,
		`usher_provider_recent_messages{carrier="mobile",provider="aliyun",state="delivered"} 2`,
		`usher_provider_recent_messages{carrier="unknown",provider="aliyun",state="accepted"} 0`,
		`usher_redis_connections{state="idle"} `, `usher_build_info{`, `go_sql_open_connections{db_name="usher"} `,
	}
	var text string
	for _, want := range wants {
		testkit.Eventually(t, testkit.Patience, func() bool {
			text = metricsOf(t, d.api.OpsAddr()) + metricsOf(t, d.worker.OpsAddr())
			return strings.Contains(text, want)
		}, "metrics lack %s", want)
	}
	rows, families := documented(t), shown(text)
	if len(families) < 20 {
		t.Fatalf("only %d families are shown", len(families))
	}
	for name, got := range families {
		if want, found := rows[name]; !found || got != want {
			t.Errorf("%s is shown as %+v, docs/metrics.md has %+v", name, got, want)
		}
	}
	for _, secret := range []string{lilei().Mobile, lilei().Email, lilei().Username, "nowhere"} {
		if strings.Contains(text, secret) {
			t.Errorf("the metrics show %q", secret)
		}
	}
}

// Families of which nothing happened are not shown, so that the page is also compared with the sources.
func TestMetrics_page_tells_what_the_sources_name(t *testing.T) {
	t.Parallel()
	named := map[string]bool{}
	literal := regexp.MustCompile(`"(usher_[a-z_]+)"`)
	for _, dir := range []string{"api", "app", "tasks", "reports", "providers", "store", "verify", "accounts", "telemetry"} {
		err := filepath.WalkDir("../"+dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			for _, name := range literal.FindAllStringSubmatch(string(source), -1) {
				named[name[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	rows := documented(t)
	for name := range named {
		if _, found := rows[name]; !found {
			t.Errorf("docs/metrics.md lacks %s", name)
		}
	}
	for name := range rows {
		if !named[name] {
			t.Errorf("docs/metrics.md has %s, which nothing shows", name)
		}
	}
}
