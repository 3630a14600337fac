package web_test

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"usher/web"
)

func TestStatic_serves_hashed_names_only(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	files := http.StripPrefix("/static/", http.FileServerFS(newRenderer(t).Static()))
	tests := map[string]int{
		r.AssetURL("app.css"): http.StatusOK, r.AssetURL("app.js"): http.StatusOK,
		r.AssetURL("icon.svg"): http.StatusOK,
		"/static/app.css":      http.StatusNotFound, "/static/": http.StatusNotFound,
		"/static/app.000000000000.css": http.StatusNotFound,
	}
	for path, want := range tests {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			answer := httptest.NewRecorder()
			files.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			if answer.Code != want {
				t.Errorf("got status %d, want %d", answer.Code, want)
			}
		})
	}
	if _, err := newRenderer(t).Static().Open("../web.go"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got error %v for a path outside, want fs.ErrNotExist", err)
	}
}

func TestRenderer_AssetURL_names_the_content(t *testing.T) {
	t.Parallel()
	r := newRenderer(t)
	if got := r.AssetURL("app.js"); !regexp.MustCompile(`^/static/app\.[0-9a-f]{12}\.js$`).MatchString(got) {
		t.Errorf("got %q, want a hashed path", got)
	}
	script, err := fs.ReadFile(r.Static(), strings.TrimPrefix(r.AssetURL("app.js"), "/static/"))
	if err != nil || !strings.Contains(string(script), "from './"+strings.TrimPrefix(r.AssetURL("usher.js"), "/static/")+"'") {
		t.Errorf("app.js does not import usher.js by its hashed name, %v", err)
	}
	if got := r.AssetURL("other.js"); got != "" {
		t.Errorf("got %q for an unknown asset, want nothing", got)
	}
}

func TestCSP_allows_nothing_inline_and_nothing_from_elsewhere(t *testing.T) {
	t.Parallel()
	for _, never := range []string{"unsafe", "http", "*"} {
		if strings.Contains(web.CSP(true), never) {
			t.Errorf("got %q in the policy %q, want it absent", never, web.CSP(true))
		}
	}
	if !strings.HasPrefix(web.CSP(true), "default-src 'none';") {
		t.Errorf("got policy %q, want it to start from nothing", web.CSP(true))
	}
}
