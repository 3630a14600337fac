package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"usher/web"
)

func TestPreview_shows_all_pages_and_mails_and_follows_the_folder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(content string) {
		if err := os.WriteFile(filepath.Join(dir, "brand.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"name": {"zh": "示例商城", "en": "Example Shop"}, "colours": {"light": {"accent": "#7a1fa2"}}}`)
	p := &preview{dir: dir, publicURL: "http://localhost:8080"}
	get := func(path string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Host = "127.0.0.1:8084"
		answer := httptest.NewRecorder()
		p.handler().ServeHTTP(answer, r)
		if answer.Code != http.StatusOK {
			t.Errorf("%s: status %d", path, answer.Code)
		}
		return answer.Body.String()
	}
	for _, name := range web.PageNames() {
		if !slices.ContainsFunc(states, func(s state) bool { return s.Name == name }) {
			t.Errorf("the preview has no row for the page %s", name)
		}
	}
	for i := range states {
		get("/light/en/page/" + strconv.Itoa(i))
	}
	index := get("/")
	for _, want := range []string{"/light/zh/page/0", "/dark/en/page/17", "/light/zh/mail/code_login", "/dark/en/mail/activation"} {
		if !strings.Contains(index, `src="`+want+`"`) {
			t.Errorf("the index lacks %s", want)
		}
	}
	dark := get("/dark/zh/page/0")
	if !strings.Contains(dark, "示例商城") || !strings.Contains(dark, `href="/dark/static/app.`) || strings.Contains(dark, "prefers-color-scheme") {
		t.Errorf("the page is not that of the folder in the dark theme:\n%s", dark)
	}
	_, style, _ := strings.Cut(dark, `href="/dark/static/app.`)
	style, _, _ = strings.Cut(style, `"`)
	if css := get("/dark/static/app." + style); !strings.Contains(css, "@media all") || !strings.Contains(css, "color-scheme: dark;") {
		t.Error("the style sheet is not that of the dark theme")
	}
	if mail := get("/light/en/mail/code_login"); !strings.Contains(mail, "Example Shop") || !strings.Contains(mail, "#7a1fa2") {
		t.Errorf("the mail is not that of the folder:\n%s", mail)
	}
	before := get("/stamp")
	write(`{"name": "Other", "colors": {}}`)
	if get("/stamp") == before || !strings.Contains(get("/"), "did you mean") || !strings.Contains(get("/light/zh/page/0"), "示例商城") {
		t.Error("a mistake is not shown, or the last right face is gone")
	}
	write(`{"name": "Another"}`)
	if index := get("/"); strings.Contains(index, "<pre>") || !strings.Contains(get("/light/zh/page/0"), "Another") {
		t.Error("the corrected face is not shown")
	}
	strange := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	strange.Host = "evil.example:8084"
	answer := httptest.NewRecorder()
	if p.handler().ServeHTTP(answer, strange); answer.Code != http.StatusMisdirectedRequest {
		t.Errorf("a foreign name: status %d", answer.Code)
	}
}
