package board_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"usher/reasons"
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
	source, err := os.ReadFile("../vitals/verdict.go")
	if err != nil {
		t.Fatal(err)
	}
	rules := regexp.MustCompile(`(?:Green|Amber|Red|level), "(\w+)"|rate\("(\w+)"`).FindAllStringSubmatch(string(source), -1)
	if len(rules) < 15 {
		t.Fatalf("only %d rules found", len(rules))
	}
	chinese := texts(t, "zh")
	for _, rule := range rules {
		if chinese["rule."+rule[1]+rule[2]] == "" {
			t.Errorf("no sentence for %s%s", rule[1], rule[2])
		}
	}
	for _, store := range []string{"redis", "database"} {
		if chinese["rule."+store+"_unavailable"] == "" {
			t.Errorf("no sentence for the absence of %s", store)
		}
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
