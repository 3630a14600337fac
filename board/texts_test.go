package board_test

import (
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/docs"
	"usher/reasons"
	"usher/vitals"
)

func texts(t *testing.T, lang string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("texts/" + lang + ".json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTexts_are_the_same_in_both_languages(t *testing.T) {
	t.Parallel()
	chinese, english := texts(t, "zh"), texts(t, "en")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(chinese)), slices.Sorted(maps.Keys(english))); diff != "" {
		t.Fatalf("keys (-zh +en):\n%s", diff)
	}
	slot := regexp.MustCompile(`%(\[\d\])?s`)
	for key := range chinese {
		if zh, en := slot.FindAllString(chinese[key], -1), slot.FindAllString(english[key], -1); len(zh) != len(en) {
			t.Errorf("%s takes %d and %d values", key, len(zh), len(en))
		}
	}
}

// A rule without a sentence would break the page just when something is wrong.
func TestTexts_have_a_sentence_for_every_rule(t *testing.T) {
	t.Parallel()
	chinese := texts(t, "zh")
	for name, rule := range vitals.Rules() {
		if chinese["rule."+name] == "" {
			t.Errorf("no sentence for %s", name)
		}
		if rule.Hit != "" && (chinese["hit."+rule.Hit] == "" || name != "vendor_refuses" && chinese["fix."+name] == "") {
			t.Errorf("no text says whom %s hits, or what to do", name)
		}
		if rule.Hit != "" && rule.Runbook == "" {
			t.Errorf("%s has no runbook", name)
		}
	}
	for _, topic := range []vitals.Topic{
		vitals.TopicBalance, vitals.TopicTemplate, vitals.TopicSignature, vitals.TopicKey, vitals.TopicAccount,
	} {
		if chinese["topic."+string(topic)] == "" || chinese["fix."+string(topic)] == "" {
			t.Errorf("no text for %s", topic)
		}
	}
	for _, hit := range []string{"prefixes", "sms", "sms_late", "mail_late", "receivers", "operators", "detour"} { // that findings set themselves
		if chinese["hit."+hit] == "" {
			t.Errorf("no text for %s", hit)
		}
	}
}

// Every alert has a sentence and a runbook that is served, and a rule that leads there, or a reason why the page cannot know.
// Every runbook belongs to an alert.
func TestRunbooks_belong_to_alerts_and_rules(t *testing.T) {
	t.Parallel()
	linked := map[string]bool{"CodesNotSent": true} // few_accepted, when none was accepted
	for _, rule := range vitals.Rules() {
		linked[rule.Runbook] = true
	}
	rules, err := os.ReadFile("../ops/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	chinese := texts(t, "zh")
	alerts := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1) {
		name := found[1]
		alerts[name] = true
		if chinese["alert."+name] == "" {
			t.Errorf("%s has no sentence", name)
		}
		if why := vitals.Unjudged[name]; linked[name] == (why != "") {
			t.Errorf("%s: a rule leads to its runbook: %v; the page cannot know: %q", name, linked[name], why)
		}
	}
	if len(alerts) < 40 {
		t.Fatalf("only %d alerts found", len(alerts))
	}
	get, _ := open(t, sources())
	index := get("/ops/runbooks").Body.String()
	pages, err := fs.Glob(docs.Files, "runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		name := strings.TrimSuffix(path.Base(page), ".md")
		if !alerts[name] || !strings.Contains(index, `href="/ops/docs/runbooks/`+name+`"`) {
			t.Errorf("%s belongs to no alert, or is not on the index", name)
		}
		delete(alerts, name)
	}
	if len(alerts) > 0 {
		t.Errorf("alerts without a runbook: %v", slices.Sorted(maps.Keys(alerts)))
	}
}

// No link of a page that is served leads nowhere.
func TestDocs_link_to_pages_that_are_served(t *testing.T) {
	t.Parallel()
	get, _ := open(t, sources())
	seen, next := map[string]bool{}, []string{"/ops/runbooks"}
	for len(next) > 0 {
		page := next[0]
		next = next[1:]
		if seen[page] {
			continue
		}
		seen[page] = true
		answer := get(page)
		if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "<main") {
			t.Errorf("%s = %d", page, answer.Code)
		}
		for _, link := range regexp.MustCompile(`href="([^"#]*)`).FindAllStringSubmatch(answer.Body.String(), -1) {
			switch {
			case strings.HasPrefix(link[1], "/ops/docs/"):
				next = append(next, link[1])
			case strings.HasSuffix(link[1], ".md") && !strings.HasPrefix(link[1], "https://"):
				t.Errorf("%s links to %s", page, link[1])
			}
		}
	}
	if len(seen) < 45 {
		t.Errorf("only %d pages are served", len(seen))
	}
	if get("/ops/docs/../docs").Code == http.StatusOK || get("/ops/docs/decisions/0001").Code != http.StatusNotFound {
		t.Error("a page that is not meant to be is served")
	}
}

// Each reason has its words, and each that can stop all mails what to do about it.
func TestTexts_have_every_reason(t *testing.T) {
	t.Parallel()
	chinese := texts(t, "zh")
	for _, r := range reasons.All() {
		if chinese["reason."+string(r.Word)] == "" {
			t.Errorf("no text for the reason %s", r.Word)
		}
		if r.Effect != reasons.None && chinese["do."+string(r.Word)] == "" {
			t.Errorf("no text for what to do about %s", r.Word)
		}
	}
}
