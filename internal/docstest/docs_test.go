// Package docstest checks the documents: that links lead somewhere, that long pages have a table of contents, and that
// the Chinese README keeps up with the English one.
package docstest_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"usher/internal/testkit"
)

const root = "../.."

// pages are all Markdown files of the repository's root and of docs, by path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md", "bench/results/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			found[strings.TrimPrefix(filepath.ToSlash(name), root+"/")] = string(text)
		}
	}
	if len(found) < 50 {
		t.Fatalf("only %d pages", len(found))
	}
	return found
}

var (
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	heading = regexp.MustCompile(`(?m)^(#+) (.+)$`)
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// anchor is the fragment that GitHub gives a heading.
func anchor(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteRune('-')
		}
	}
	return b.String()
}

func TestLinks_lead_to_files_and_headings(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for name, text := range all {
		for _, found := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			target, fragment, _ := strings.Cut(found[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			path := name
			if target != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(name), target))
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s: %s does not exist", name, found[1])
				continue
			}
			page, readable := all[path]
			if fragment == "" || !readable {
				continue
			}
			known := func(h []string) bool { return anchor(h[2]) == fragment }
			if !slices.ContainsFunc(heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1), known) {
				t.Errorf("%s: %s has no heading of that name", name, found[1])
			}
		}
	}
}

func TestLong_pages_have_a_table_of_contents(t *testing.T) {
	t.Parallel()
	for name, text := range pages(t) {
		if !strings.HasPrefix(name, "docs/") || strings.Count(text, "\n") <= 100 {
			continue
		}
		if before, _, _ := strings.Cut(text, "\n## "); strings.Count(before, "](#") < 2 {
			t.Errorf("%s has %d lines and links to none of its headings before the first", name, strings.Count(text, "\n"))
		}
	}
}

func TestREADME_is_told_in_Chinese_too(t *testing.T) {
	t.Parallel()
	wantTwins(t, "README.md", "README.zh-CN.md", map[string]string{
		"levels of headings": `(?m)^(#+) `,
		"commands":           "(?ms)^```sh\n(.*?)^```$",
		"first column":       "(?m)^\\| ((?:`[^`]+`|<[^>]+>)[^|]*) \\|",
		"pictures":           `!\[[^]]*\]\(([^)]+)\)`,
	})
}

// The Chinese page has the settings of SMS in a table of its own, which the English one links to.
func TestBranding_is_told_in_Chinese_too(t *testing.T) {
	t.Parallel()
	wantTwins(t, "docs/branding.md", "docs/zh/branding.md", map[string]string{
		"levels of headings": `(?m)^(#+) `,
		"examples":           "(?ms)^```[a-z]*\n(.*?)^```$",
		"files and keys":     "(?m)^\\| (`(?:[a-z-]+[./]|name|mail_name|icp)[^|]*?`)",
		"limits":             "([0-9.]+(?: KiB|:1)|180|1024|600|220)",
	})
}

// wantTwins checks that a page and its translation have the same of each pattern's first group, in the same order.
func wantTwins(t *testing.T, english, chinese string, patterns map[string]string) {
	t.Helper()
	all := pages(t)
	for what, pattern := range patterns {
		of := func(text string) (found []string) {
			for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
				found = append(found, match[1])
			}
			return found
		}
		if here, there := of(all[english]), of(all[chinese]); !slices.Equal(here, there) || len(here) == 0 {
			t.Errorf("%s of %s and %s differ:\n%q\n%q", what, english, chinese, here, there)
		}
	}
}

// chineseWords are those that texts for people do not have, with what they have instead.
var chineseWords = map[string]string{"账户": "账号", "帐户": "账号", "帐号": "账号", "登陆": "登录", "您": "你"}

// notOurTexts are folders and files whose texts are the vendors': those of SMS, who say 您, and their errors. The glossary names the
// words.
var notOurTexts = []string{"node_modules", "testdata", "bench", "providers", "reports", "sandbox", "docs/development.md", "docs/sms-providers.md"}

func TestChinese_texts_have_one_word_for_an_account_and_one_tone(t *testing.T) {
	t.Parallel()
	extensions := []string{".md", ".json", ".html", ".txt", ".subject", ".go", ".yaml", ".js", ".ts", ".tsx", ".vue"}
	named := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name := strings.TrimPrefix(filepath.ToSlash(path), root+"/")
		isLeft := slices.Contains(notOurTexts, name) || slices.Contains(notOurTexts, entry.Name())
		switch {
		case err != nil || path == root:
			return err
		case entry.IsDir() && (isLeft || strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.IsDir(), isLeft, strings.HasSuffix(name, "_test.go"), !slices.Contains(extensions, filepath.Ext(name)):
			return nil
		}
		text, err := os.ReadFile(path)
		for word, better := range chineseWords {
			if before, _, found := strings.Cut(string(text), word); found {
				t.Errorf("%s:%d has %s: write %s", name, strings.Count(before, "\n")+1, word, better)
			}
		}
		named += strings.Count(string(text), "账号")
		return err
	})
	if err != nil || named < 200 {
		t.Errorf("accounts are named %d times, %v", named, err)
	}
}

// The last cell of each row of the attacks has packages, each followed by its tests; a name that is not a test function is
// that of a subtest.
func TestControls_name_tests_that_exist(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(pages(t)["docs/security-controls.md"], "|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	named := 0
	for row := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(row), "|"), "|")
		if len(cells) != 3 || !strings.Contains(cells[2], "`Test") {
			t.Errorf("docs/security-controls.md: no test in the row %s", row)
			continue
		}
		sources, afterTest := "", true
		for _, word := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[2], -1) {
			if info, err := os.Stat(filepath.Join(root, word[1])); err == nil && info.IsDir() {
				if afterTest {
					sources = ""
				}
				sources, afterTest = sources+testkit.TestSource(t, word[1]), false
				continue
			}
			afterTest = true
			name, _, _ := strings.Cut(word[1], "/")
			if strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz") {
				name = "func " + name + "("
			}
			if named++; !strings.Contains(sources, name) {
				t.Errorf("docs/security-controls.md names %s, which the packages before it do not have", word[1])
			}
		}
	}
	if named < 200 {
		t.Errorf("only %d tests are named", named)
	}
}
