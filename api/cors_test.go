package api_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// call is one operation of the contract, with something in place of its parameters.
type call struct{ method, path string }

// forApps tells whether the operations of the path are for apps with a key.
func forApps(path string) bool {
	return strings.HasPrefix(path, "/v1/verifications") || strings.HasPrefix(path, "/v1/admin/")
}

func contractCalls(t *testing.T) (calls []call) {
	t.Helper()
	doc := must(loadContract())(t)
	for path, item := range doc.Paths.Map() {
		// Proxies call the first, with the origins of their clients' requests, which decide nothing; apps call the others from their
		// servers, and a request with an origin is refused. Every origin may read the keys of tokens.
		if path == "/v1/auth" || forApps(path) || path == keySetPath {
			continue
		}
		for method := range item.Operations() {
			calls = append(calls, call{method, regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "something")})
		}
	}
	return calls
}

// accessHeaders are the names of the CORS headers of an answer.
func accessHeaders(h http.Header) (names []string) {
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			names = append(names, name)
		}
	}
	return names
}

// listed tells whether a header is a list with all of these in it.
func listed(h http.Header, name string, want ...string) bool {
	var list []string
	for _, value := range h.Values(name) {
		for item := range strings.SplitSeq(value, ",") {
			list = append(list, strings.ToLower(strings.TrimSpace(item)))
		}
	}
	return !slices.ContainsFunc(want, func(item string) bool { return !slices.Contains(list, strings.ToLower(item)) })
}

func preflight(origin string, c call) request {
	return request{method: http.MethodOptions, path: c.path, header: http.Header{
		"Origin": {origin}, "Access-Control-Request-Method": {c.method},
		"Access-Control-Request-Headers": {"content-type,idempotency-key"},
	}}
}

func TestCORS_every_operation_may_be_called_from_an_allowed_origin(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	const origin = "https://app.example.com"
	for _, c := range contractCalls(t) {
		got := p.do(preflight(origin, c))
		h := got.header
		if got.status != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != origin ||
			h.Get("Access-Control-Allow-Credentials") != "true" || h.Get("Access-Control-Max-Age") != "600" ||
			!listed(h, "Access-Control-Allow-Methods", c.method) ||
			!listed(h, "Access-Control-Allow-Headers", "Content-Type", "Idempotency-Key", "Accept-Language", "X-Request-Id", "Traceparent") ||
			!listed(h, "Vary", "Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers") {
			t.Errorf("preflight of %s %s: got %d %v", c.method, c.path, got.status, h)
		}
		// What a refusal says must be readable too.
		h = p.do(request{method: c.method, path: c.path, header: http.Header{
			"Origin": {origin}, "Sec-Fetch-Site": {"cross-site"},
		}}).header
		if h.Get("Access-Control-Allow-Origin") != origin || h.Get("Access-Control-Allow-Credentials") != "true" ||
			!listed(h, "Access-Control-Expose-Headers",
				"Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id", "Idempotency-Replayed") ||
			!listed(h, "Vary", "Origin") {
			t.Errorf("%s %s: got %v", c.method, c.path, h)
		}
	}
}

func TestCORS_other_origins_learn_nothing_and_change_nothing(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	for _, origin := range []string{
		"https://evil.example", "null", "http://app.example.com", "https://app.example.com:8443",
		"https://app.example.com.evil.example", "https://x.app.example.com", "https://APP.example.com",
	} {
		for _, c := range contractCalls(t) {
			got := p.do(preflight(origin, c))
			if names := accessHeaders(got.header); len(names) > 0 || !listed(got.header, "Vary", "Origin") {
				t.Errorf("preflight of %s %s from %s: got %v", c.method, c.path, origin, got.header)
			}
			if c.method == http.MethodGet {
				continue
			}
			got = p.do(request{
				method: c.method, path: c.path, contentType: "application/json", text: `{}`,
				header: http.Header{"Origin": {origin}, "Sec-Fetch-Site": {"cross-site"}},
			}).want(403, "4209")
			if names := accessHeaders(got.header); len(names) > 0 {
				t.Errorf("%s %s from %s: got %v", c.method, c.path, origin, names)
			}
		}
		if got := p.do(request{method: "GET", path: "/v1/nothing", header: http.Header{"Origin": {origin}}}); len(accessHeaders(got.header)) > 0 {
			t.Errorf("GET from %s: got %v", origin, accessHeaders(got.header))
		}
	}
	b.wantNothingSpent()
}

func TestCORS_is_for_the_API_not_for_the_pages(t *testing.T) {
	t.Parallel()
	p := setup(t, nil).person()
	for _, path := range []string{"/account", "/register", "/login"} {
		got := p.do(request{method: "GET", path: path, header: http.Header{"Origin": {"https://app.example.com"}}})
		if names := accessHeaders(got.header); len(names) > 0 {
			t.Errorf("%s: got %v", path, names)
		}
	}
}
