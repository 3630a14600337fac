package web_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/audit"
	"usher/messages"
)

func readTexts(t *testing.T, lang string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("texts", lang+".json"))
	if err != nil {
		t.Fatalf("read texts: %v", err)
	}
	table := map[string]string{}
	if err := json.Unmarshal(raw, &table); err != nil {
		t.Fatalf("parse texts: %v", err)
	}
	return table
}

var placeholder = regexp.MustCompile(`%[a-z]|\{n\}`)

func TestTexts_both_languages_say_the_same_things(t *testing.T) {
	t.Parallel()
	shape := func(lang string) map[string][]string {
		keys := map[string][]string{}
		for key, text := range readTexts(t, lang) {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: got an empty text for %q", lang, key)
			}
			keys[key] = placeholder.FindAllString(text, -1)
		}
		return keys
	}
	if diff := cmp.Diff(shape("zh"), shape("en")); diff != "" {
		t.Errorf("keys or placeholders differ (-zh +en):\n%s", diff)
	}
}

// A key counts as used when it stands in a template, or quoted in the script.
func TestTexts_every_text_is_used_and_every_use_has_a_text(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	templates, err := filepath.Glob("templates/*.html")
	if err != nil || len(templates) == 0 {
		t.Fatalf("got %d templates, error %v", len(templates), err)
	}
	call := regexp.MustCompile(`\.T "([a-z_.]+)"`)
	kinds := regexp.MustCompile(`\.TextFor "([a-z_.]+)"`)
	for _, path := range templates {
		for _, found := range kinds.FindAllStringSubmatch(read(t, path), -1) {
			for _, to := range []string{"_mobile", "_email", "_either"} {
				used[found[1]+to] = true
			}
		}
		for _, found := range call.FindAllStringSubmatch(read(t, path), -1) {
			used[found[1]] = true
		}
	}
	script := read(t, "static/app.js") + read(t, "templates/parts.html")
	for _, found := range regexp.MustCompile(`say\('([a-z_]+)'`).FindAllStringSubmatch(script, -1) {
		used["js."+found[1]] = true
	}
	texts := readTexts(t, "zh")
	// Some keys are chosen by a value: the state of a message, the length of a password.
	for key := range texts {
		name, ok := strings.CutPrefix(key, "js.")
		if ok && (strings.Contains(script, "'"+name+"'") || strings.Contains(script, `"`+name+`"`)) {
			used[key] = true
		}
	}
	states := []string{
		"js.queued", "js.sent", "js.delivered", "js.failed", "js.expired",
		"js.mail_queued", "js.mail_sent", "js.mail_delayed", "js.mail_failed", "js.mail_slow",
		"js.said_agree", "js.said_withdraw_privacy", "js.said_withdraw_terms",
	}
	for _, action := range audit.Actions() {
		used["admin.did."+string(action)] = true
	}
	for _, kind := range []audit.Kind{audit.System, audit.Person, audit.Superuser, audit.App, audit.Operator} {
		used["admin.actor."+string(kind)] = true
	}
	for _, state := range []messages.State{
		messages.Queued, messages.Sending, messages.Sent, messages.Delivered, messages.Undelivered, messages.Failed, messages.Dropped,
	} {
		used["admin.state."+string(state)] = true
	}
	for _, action := range regexp.MustCompile(`\$\.Do "([a-z_]+)"`).FindAllStringSubmatch(read(t, "templates/admin-account.html"), -1) {
		used["admin.do."+action[1]], used["admin.effect."+action[1]], used["admin.done."+action[1]] = true, true, true
	}
	for key := range texts {
		if !used[key] && !slices.Contains(states, key) {
			t.Errorf("text %q is used nowhere", key)
		}
	}
	for key := range used {
		if _, ok := texts[key]; !ok {
			t.Errorf("text %q is used and does not exist", key)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read %s: %v", path, err)
	}
	return string(raw)
}
