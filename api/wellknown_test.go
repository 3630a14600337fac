package api_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"usher/api"
	"usher/brand"
	"usher/web"
)

// get asks the face without a client that unpacks answers.
func get(t *testing.T, face http.Handler, method, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	face.ServeHTTP(answer, r)
	return answer.Result()
}

func bodyOf(t *testing.T, answer *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWellKnown_addresses_lead_where_programs_expect(t *testing.T) {
	t.Parallel()
	team, err := brand.Load(fstest.MapFS{
		"brand.json":   &fstest.MapFile{Data: []byte(`{"name": "a"}`)},
		"security.txt": &fstest.MapFile{Data: []byte("Contact: mailto:security@example.com\nExpires: 2099-01-01T00:00:00Z\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	face := setup(t, nil).face.Handler()
	branded := setup(t, func(s *api.Server) { s.Web = must(web.New(team))(t) }).face.Handler()
	for _, tt := range []struct {
		face   http.Handler
		path   string
		status int
		want   string // in the location or the body
	}{
		{face, "/.well-known/change-password", http.StatusSeeOther, "/account?mode=password#change"},
		{face, "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200", http.StatusNotFound, ""},
		{face, "/.well-known/security.txt", http.StatusNotFound, ""},
		{branded, "/.well-known/security.txt", http.StatusOK, "Contact: mailto:security@example.com"},
		{face, "/robots.txt", http.StatusOK, "Disallow: /\n"},
		{face, "/favicon.ico", http.StatusFound, "/static/icon."},
		{face, "/apple-touch-icon.png", http.StatusFound, "/static/touch-icon."},
		{branded, "/apple-touch-icon.png", http.StatusNotFound, ""},
		{face, "/account?mode=password", http.StatusUnauthorized, `href="/login?next=%2Faccount%3Fmode%3Dpassword"`},
		{face, "/account?mode=x", http.StatusUnauthorized, `href="/login"`},
	} {
		got := get(t, tt.face, http.MethodGet, tt.path, "Accept", "text/html")
		if text := got.Header.Get("Location") + bodyOf(t, got); got.StatusCode != tt.status || !strings.Contains(text, tt.want) {
			t.Errorf("%s: got %d %q, want %d and %q", tt.path, got.StatusCode, text, tt.status, tt.want)
		}
	}
	icon := get(t, branded, http.MethodGet, get(t, branded, http.MethodGet, "/favicon.ico").Header.Get("Location"))
	if policy := icon.Header.Get("Content-Security-Policy"); icon.StatusCode != http.StatusOK || !strings.Contains(policy, "default-src 'none'; style-src 'unsafe-inline'; sandbox") ||
		icon.Header.Get("Content-Type") != "image/svg+xml" || icon.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the team's icon: %d %v", icon.StatusCode, icon.Header)
	}
}

// A secret beside a text that an attacker chooses must not be compressed (BREACH): what is made for a request is compressed only when the
// request carries nothing of a person.
func TestCompress_packs_only_what_is_nobodys(t *testing.T) {
	t.Parallel()
	face := setup(t, nil).face.Handler()
	script := regexp.MustCompile(`src="(/static/app\.[^"]+)"`).FindStringSubmatch(bodyOf(t, get(t, face, http.MethodGet, "/login")))[1]
	for _, tt := range []struct {
		method, path string
		headers      []string
		packed       bool
	}{
		{"GET", script, nil, true},
		{"GET", script, []string{"Cookie", "usher=x"}, true},
		{"GET", "/openapi.yaml", nil, true},
		{"GET", "/docs", nil, true},
		{"GET", "/register", nil, true},
		{"GET", "/register?mode=email", []string{"Cookie", "usher-lang=en; usher-next=x"}, true},
		{"GET", "/login", nil, true},
		{"POST", "/v1/captchas", nil, true},
		{"GET", "/register?token=x", nil, false},
		{"GET", "/register", []string{"Cookie", "usher-lang=en; usher=x"}, false},
		{"GET", "/login", []string{"Cookie", "usher-name=x"}, false},
		{"POST", "/v1/captchas", []string{"Authorization", "Bearer x"}, false},
		{"POST", "/login", nil, false},
		{"GET", "/activate?token=x", nil, false},
		{"GET", "/account", nil, false},
		{"GET", "/check-mail", nil, false},
		{"GET", "/robots.txt", nil, false},
	} {
		got := get(t, face, tt.method, tt.path, append([]string{"Accept-Encoding", "br, gzip;q=0.8", "Accept", "text/html"}, tt.headers...)...)
		if packed := got.Header.Get("Content-Encoding") == "gzip"; packed != tt.packed {
			t.Errorf("%s %s %v: packed %v, want %v", tt.method, tt.path, tt.headers, packed, tt.packed)
			continue
		}
		if !tt.packed {
			continue
		}
		unpacked, err := gzip.NewReader(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unpacked)
		if err != nil || len(text) < 1400 || !strings.Contains(strings.Join(got.Header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%s: error %v, %d bytes, %v", tt.path, err, len(text), got.Header)
		}
	}
	for _, refusing := range []string{"", "br", "gzip;q=0", "gzip; q=0.0"} {
		if got := get(t, face, "GET", script, "Accept-Encoding", refusing); got.Header.Get("Content-Encoding") != "" || !strings.Contains(bodyOf(t, got), "import") {
			t.Errorf("Accept-Encoding %q: packed", refusing)
		}
	}
	for _, path := range []string{script, "/docs", "/openapi.yaml"} {
		first := get(t, face, "GET", path, "Accept-Encoding", "gzip")
		again := get(t, face, "GET", path, "Accept-Encoding", "gzip", "If-None-Match", first.Header.Get("ETag"))
		if first.Header.Get("ETag") == "" || again.StatusCode != http.StatusNotModified || bodyOf(t, again) != "" {
			t.Errorf("%s: ETag %q, then status %d", path, first.Header.Get("ETag"), again.StatusCode)
		}
	}
}
