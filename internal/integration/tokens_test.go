package integration_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/accounts"
	"usher/app/front"
	"usher/internal/testclient"
	"usher/internal/testkit"
	"usher/tokens"
)

// publicUsher is an API behind an address that stays the same while the API is restarted with other settings, and one account.
type publicUsher struct {
	t       *testing.T
	url     string
	current atomic.Pointer[url.URL]
	environ map[string]string
	account accounts.Account
	log     *testkit.Buffer
	stop    func()
}

func startPublicUsher(t *testing.T) *publicUsher {
	t.Helper()
	u := &publicUsher{t: t, stop: func() {}}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u.current.Load()) }})
	t.Cleanup(proxy.Close)
	u.url = proxy.URL
	u.environ = testkit.BasicSettings(testkit.Redis(t), testkit.SQLite(t))
	maps.Copy(u.environ, map[string]string{"USHER_PUBLIC_URL": u.url, "USHER_TOKEN_AUDIENCES": "shop,blog"})
	u.account = newAccount(t, openAccounts(t, u.environ), "li_lei")
	return u
}

// serve replaces the API by one with these keys for tokens.
func (u *publicUsher) serve(entries ...string) {
	u.t.Helper()
	u.stop()
	u.environ["USHER_TOKEN_KEYS"] = strings.Join(entries, ",")
	settings, err := front.Load(u.environ)
	if err != nil {
		u.t.Fatal(err)
	}
	logger, log := testkit.Logger(u.t)
	u.log = log
	ctx, cancel := context.WithCancel(context.Background())
	api, err := front.Open(ctx, settings, logger)
	if err != nil {
		u.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := api.Run(ctx); err != nil {
			u.t.Error(err)
		}
	}()
	stopped := false
	u.stop = func() {
		if !stopped {
			stopped = true
			cancel()
			<-ended
		}
	}
	u.t.Cleanup(u.stop)
	u.current.Store(&url.URL{Scheme: "http", Host: api.HTTPAddr()})
}

// person signs in and returns the browser.
func (u *publicUsher) person() *testclient.Client {
	u.t.Helper()
	p := testclient.New(u.t, strings.TrimPrefix(u.url, "http://"), "")
	p.Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": "li_lei", "password": accountPassword})
	return p
}

func token(p *testclient.Client, audience string) string {
	answer := p.Must(http.StatusOK, http.MethodPost, "/v1/sessions/current/token", map[string]any{"aud": audience})
	return answer.Text("token")
}

// backends starts the examples of docs/tokens.md as services of the audience shop, and returns their addresses by language.
func backends(t *testing.T, issuer string) map[string]string {
	t.Helper()
	examples, err := filepath.Abs("../../docs/examples/tokens")
	if err != nil {
		t.Fatal(err)
	}
	node, python := testkit.NeedProgram(t, "node"), "/usr/bin/python3" // Debian's, with Debian's packages
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import jwt, cryptography").CombinedOutput(); err != nil {
		t.Skipf("python3-jwt and python3-cryptography are needed: %v: %s", err, out)
	}
	dir := testkit.NPM(t, "jose@6.2.18")
	script, err := os.ReadFile(filepath.Join(examples, "backend.mjs"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "backend.mjs"), script, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "backend")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, examples).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	environ := map[string]string{"ISSUER": issuer, "AUDIENCE": "shop", "LISTEN": "127.0.0.1:0", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
	addresses := map[string]string{}
	for language, command := range map[string][]string{
		"Go": {program}, "Node": {node, filepath.Join(dir, "backend.mjs")}, "Python": {python, filepath.Join(examples, "backend.py")},
	} {
		addresses[language] = testkit.StartProgram(t, environ, command[0], command[1:]...).Await(t, `listening on (\S+)`)
	}
	return addresses
}

// ask returns the status of a backend's answer to a token, and the account in it.
func ask(t *testing.T, address, authorization string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", authorization)
	response, err := (&http.Client{Timeout: testkit.Patience}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body := make([]byte, 200)
	n, _ := response.Body.Read(body)
	return response.StatusCode, string(body[:n])
}

func TestTokens_are_verified_by_services_in_three_languages(t *testing.T) {
	t.Parallel()
	u := startPublicUsher(t)
	first, second, foreign := newTokenKey(t, "t1"), newTokenKey(t, "t2"), newTokenKey(t, "t3")
	u.serve(first, second)
	p := u.person()
	services := backends(t, u.url)
	want := func(what, token string, status int) {
		t.Helper()
		for language, address := range services {
			got, body := ask(t, address, "Bearer "+token)
			if got != status || status == http.StatusOK && !strings.Contains(body, u.account.ID) {
				t.Errorf("%s: %s answers %d %s, want %d", what, language, got, body, status)
			}
		}
	}
	good := token(p, "shop")
	want("a token", good, http.StatusOK)
	for what, bad := range badTokens(t, good, first, foreign) {
		want(what, bad, http.StatusUnauthorized)
	}
	want("a token for another service", token(p, "blog"), http.StatusUnauthorized)
	want("the token again", good, http.StatusOK)

	u.serve(second, first) // the services have known the second key all along
	if !strings.Contains(u.log.String(), "published too late") {
		t.Error("the API does not warn of a key that signs within an hour")
	}
	want("a token of before the rotation", good, http.StatusOK)
	rotated := token(p, "shop")
	if kidOf(t, rotated) == kidOf(t, good) {
		t.Fatal("the same key signs after the rotation")
	}
	want("a token of the second key", rotated, http.StatusOK)

	p.Must(http.StatusOK, http.MethodPut, "/v1/account/password", map[string]any{
		"password_current": accountPassword, "password": "another good one", "password_repeat": "another good one",
	})
	want("a token after the change of the password", token(p, "shop"), http.StatusOK)
	want("a token of before that", rotated, http.StatusUnauthorized)
}

func kidOf(t *testing.T, token string) any {
	t.Helper()
	header, _ := testkit.JWTParts(t, token)
	return header["kid"]
}

func newTokenKey(t *testing.T, id string) string {
	t.Helper()
	entry, err := tokens.NewKey(id)
	if err != nil {
		t.Fatal(err)
	}
	return entry.Reveal()
}

// badTokens are forgeries of a good token: with the key that signs, which only our own mistakes could do, and without it.
func badTokens(t *testing.T, good, own, foreign string) map[string]string {
	t.Helper()
	header, body := testkit.JWTParts(t, good)
	keys, err := tokens.ParseKeys(own)
	if err != nil {
		t.Fatal(err)
	}
	none := testkit.JWTSegment(t, testkit.With(header, "alg", "none")) + "." + testkit.JWTSegment(t, body) + "."
	hmacked := testkit.JWTSegment(t, testkit.With(header, "alg", "HS256")) + "." + testkit.JWTSegment(t, body)
	mac := hmac.New(sha256.New, keys.JWKS())
	mac.Write([]byte(hmacked))
	now := time.Now().Unix()
	signature := good[strings.LastIndexByte(good, '.'):]
	sign := func(header, body map[string]any) string { return testkit.ForgeJWT(t, own, header, body) }
	return map[string]string{
		"no token":                 "",
		"a word":                   "token",
		"alg none":                 none,
		"HS256 with public keys":   hmacked + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"another account":          testkit.JWTSegment(t, header) + "." + testkit.JWTSegment(t, testkit.With(body, "sub", "other")) + signature,
		"a foreign key":            testkit.ForgeJWT(t, foreign, header, body),
		"an unknown kid":           testkit.ForgeJWT(t, foreign, testkit.With(header, "kid", "unknown"), body),
		"no kid":                   testkit.ForgeJWT(t, foreign, testkit.With(header, "kid", nil), body),
		"a proof":                  sign(testkit.With(header, "typ", "usher-proof+jwt"), body),
		"no type":                  sign(testkit.With(header, "typ", nil), body),
		"another issuer":           sign(header, testkit.With(body, "iss", "https://other.example.com")),
		"no issuer":                sign(header, testkit.With(body, "iss", nil)),
		"no audience":              sign(header, testkit.With(body, "aud", nil)),
		"an expired one":           sign(header, testkit.With(body, "exp", now-1)),
		"one that does not expire": sign(header, testkit.With(body, "exp", nil)),
		"one of no account":        sign(header, testkit.With(body, "sub", nil)),
		"a huge one":               good + strings.Repeat("A", 5000),
	}
}

// The code in the page is that of the examples, which the test above runs.
func TestTokens_page_quotes_the_examples(t *testing.T) {
	t.Parallel()
	page := testkit.RepositoryFile(t, "docs/tokens.md")
	files := map[string]string{"js": "backend.mjs", "python": "backend.py", "go": "backend.go"}
	blocks := regexp.MustCompile("(?s)```(js|python|go)\n(.*?)```").FindAllStringSubmatch(page, -1)
	if len(blocks) != len(files) {
		t.Errorf("%d blocks of code, want %d", len(blocks), len(files))
	}
	for _, block := range blocks {
		if !strings.Contains(testkit.RepositoryFile(t, "docs/examples/tokens/"+files[block[1]]), block[2]) {
			t.Errorf("the block in %s is not in %s", block[1], files[block[1]])
		}
	}
}
