package integration_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"usher/internal/testkit"
)

const examples = "../../docs/examples/"

// identity are the headers of a forward-auth answer, in the spelling of CGI, WSGI and PHP.
var identity = []string{
	"X_AUTH_REQUEST_USER", "X_USHER_USERNAME", "X_USHER_EMAIL_VERIFIED", "X_USHER_MOBILE_VERIFIED", "X_USHER_SESSION", "X_USHER_TOKEN",
}

// app is the service behind the proxy. It counts requests and tells what it was sent.
type app struct {
	addr    string
	reached atomic.Int32
}

// seen is what the app was sent. Headers are in the spelling of CGI, in which dashes and underscores are the same.
type seen struct {
	Method  string
	Headers map[string][]string
	Body    int64
}

func startApp(t *testing.T) *app {
	t.Helper()
	a := &app{}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.addr = listener.Addr().String()
	server := &http.Server{Handler: a, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return a
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.reached.Add(1)
	if r.Header.Get("Upgrade") != "" {
		a.upgrade(w)
		return
	}
	size, _ := io.Copy(io.Discard, r.Body)
	answer := seen{Method: r.Method, Headers: map[string][]string{}, Body: size}
	for name, values := range r.Header {
		cgi := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(name))
		answer.Headers[cgi] = append(answer.Headers[cgi], values...)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// upgrade switches to a protocol that repeats each line.
func (a *app) upgrade(w http.ResponseWriter) {
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	line, _ := buffered.ReadString('\n')
	_, _ = io.WriteString(conn, line)
}

// freeAddr returns an address that the kernel has chosen and that is free again.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// example returns a file of docs/examples with addresses of this test. Each text to replace must be there.
func example(t *testing.T, name string, replace map[string]string) string {
	t.Helper()
	text, err := os.ReadFile(examples + name)
	if err != nil {
		t.Fatal(err)
	}
	config := string(text)
	for old, next := range replace {
		if !strings.Contains(config, old) {
			t.Fatalf("%s has no %q", name, old)
		}
		config = strings.ReplaceAll(config, old, next)
	}
	return config
}

// proxy starts a proxy before Usher and the app, and returns its address.
type proxy func(t *testing.T, usher, app string) string

func nginx(t *testing.T, usher, app string) string {
	t.Helper()
	return nginxWith(t, usher, app, "", "")
}

// nginxWith is nginx with more lines in the http block and in the location of the question.
func nginxWith(t *testing.T, usher, app, inHTTP, inQuestion string) string {
	t.Helper()
	addr, dir := freeAddr(t), t.TempDir()
	user := "" // a worker of another user could not write to the folder of the test
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	config := fmt.Sprintf(`%[3]s daemon off; worker_processes 1; pid %[1]s/pid; error_log stderr notice;
events { worker_connections 128; }
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	%[4]s
	%[2]s
}`, dir, example(t, "nginx-forward-auth.conf", map[string]string{
		"127.0.0.1:8080": usher, "127.0.0.1:3000": app, "listen 80;": "listen " + addr + ";",
		"        internal;\n": "        internal;\n" + inQuestion,
	}), user, inHTTP)
	start(t, dir, config, "nginx", "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "config"))
	await(t, addr)
	return addr
}

func caddy(t *testing.T, usher, app string) string {
	t.Helper()
	addr, dir := freeAddr(t), t.TempDir()
	config := "{\n\tadmin off\n\tauto_https off\n}\n" + example(t, "Caddyfile-forward-auth", map[string]string{
		"127.0.0.1:8080": usher, "127.0.0.1:3000": app, "example.com {": "http://" + addr + " {",
	})
	t.Helper()
	start(t, dir, config, "caddy", "run", "--adapter", "caddyfile", "--config", filepath.Join(dir, "config"))
	await(t, addr)
	return addr
}

// start writes the configuration and starts the program, which ends with the test.
func start(t *testing.T, dir, config, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if path = "/usr/sbin/" + name; !exists(path) {
			if os.Getenv("USHER_TEST_REAL") == "1" {
				t.Fatalf("there is no %s on this machine", name)
			}
			t.Skipf("there is no %s on this machine", name)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	program, err := testkit.LaunchProgram(cmd, syscall.SIGTERM)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = program.Stop(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("%s:\n%s", name, program.Output())
		}
	})
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// await waits until the address accepts connections.
func await(t *testing.T, addr string) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, "%s accepts connections", addr)
}

// visitor is a browser that sees the proxy only.
type visitor struct {
	t      *testing.T
	proxy  string
	client *http.Client
}

func newVisitor(t *testing.T, proxy string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, proxy, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (v *visitor) do(method, path string, header http.Header, body io.Reader) (int, []byte) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, "http://"+v.proxy+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	maps.Copy(req.Header, header) // also names that are not in the canonical form
	res, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, text
}

// signIn signs in through the proxy.
func (v *visitor) signIn(name string) {
	v.t.Helper()
	body := fmt.Sprintf(`{"login":%q,"password":%q}`, name, accountPassword)
	status, text := v.do("POST", "/v1/sessions", http.Header{"Content-Type": {"application/json"}}, strings.NewReader(body))
	if status != http.StatusCreated {
		v.t.Fatalf("sign-in through the proxy: %d %s", status, text)
	}
}

// opens sends a request that the app must get, and returns what the app was sent.
func (v *visitor) opens(method, path string, header http.Header, body io.Reader) seen {
	v.t.Helper()
	status, text := v.do(method, path, header, body)
	var got seen
	if err := json.Unmarshal(text, &got); status != http.StatusOK || err != nil || got.Method != method {
		v.t.Fatalf("%s %s is answered with %d %.300s", method, path, status, text)
	}
	return got
}

// forged are identity headers of a client that wants to be the administrator, in all spellings that some service reads alike.
func forged() http.Header {
	header := http.Header{}
	for _, cgi := range identity {
		for _, name := range []string{
			strings.ReplaceAll(cgi, "_", "-"), cgi, strings.ToLower(cgi), strings.ToLower(strings.ReplaceAll(cgi, "_", "-")),
			strings.Replace(cgi, "_", "-", 1), strings.Replace(strings.ReplaceAll(cgi, "_", "-"), "-", "_", 1),
		} {
			header[name] = []string{"admin"}
		}
	}
	return header
}

func TestForwardAuth_with_nginx(t *testing.T) { t.Parallel(); testProxy(t, nginx) }

func TestForwardAuth_with_Caddy(t *testing.T) { t.Parallel(); testProxy(t, caddy) }

func testProxy(t *testing.T, startProxy proxy) {
	usher, backend := startUsher(t), startApp(t)
	account := usher.account(t, "li_lei_1")
	addr := startProxy(t, usher.addr, backend.addr)
	person, stranger := newVisitor(t, addr), newVisitor(t, addr)
	person.signIn("li_lei_1")

	wantIdentity := func(what string, got seen) {
		t.Helper()
		for _, name := range identity {
			values := got.Headers[name]
			if len(values) != 1 || values[0] == "admin" || name == "X_AUTH_REQUEST_USER" && values[0] != account.ID {
				t.Errorf("%s: the app was sent %s: %q", what, name, values)
			}
		}
	}
	wantIdentity("signed in", person.opens("GET", "/", nil, nil))
	wantIdentity("signed in with forged headers", person.opens("GET", "/shop?x=1", forged(), nil))

	for what, header := range map[string]http.Header{"signed out": nil, "signed out with forged headers": forged()} {
		if status, text := stranger.do("GET", "/shop", header, nil); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", what, status, text)
		}
	}
	if n := backend.reached.Load(); n != 2 {
		t.Errorf("the app was reached %d times, want twice", n)
	}

	preflight := forged()
	preflight["Origin"], preflight["Access-Control-Request-Method"] = []string{"https://app.example.com"}, []string{"PUT"}
	got := stranger.opens("OPTIONS", "/shop", preflight, nil)
	for _, name := range identity {
		if values, found := got.Headers[name]; found {
			t.Errorf("a preflight reaches the app with %s: %q", name, values)
		}
	}

	const megabyte = 1 << 20
	got = person.opens("POST", "/upload", http.Header{"Expect": {"100-continue"}}, bytes.NewReader(make([]byte, megabyte)))
	if wantIdentity("an upload", got); got.Body != megabyte {
		t.Errorf("of an upload of %d bytes the app has got %d", megabyte, got.Body)
	}
	wantUpgrade(person, true)
	wantUpgrade(stranger, false)

	usher.block(t, account)
	reached := backend.reached.Load()
	testkit.Eventually(t, testkit.Patience, func() bool {
		status, _ := person.do("GET", "/shop", nil, nil)
		if status == http.StatusOK {
			reached++
		}
		return status == http.StatusForbidden
	}, "a blocked account is refused with 403")
	usher.stop()
	for _, method := range []string{"GET", "POST", "OPTIONS"} {
		if status, _ := person.do(method, "/shop", nil, nil); status < http.StatusInternalServerError && status != http.StatusForbidden {
			t.Errorf("Usher does not run, %s is answered with %d", method, status)
		}
	}
	if n := backend.reached.Load(); n != reached {
		t.Errorf("the app was reached %d times after the account was blocked", n-reached)
	}
}

// wantUpgrade changes the protocol through the proxy, or is refused.
func wantUpgrade(v *visitor, allowed bool) {
	v.t.Helper()
	conn, err := new(net.Dialer).DialContext(v.t.Context(), "tcp", v.proxy)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
	req, err := http.NewRequestWithContext(v.t.Context(), "GET", "http://"+v.proxy+"/live", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, cookie := range v.client.Jar.Cookies(req.URL) {
		req.AddCookie(cookie)
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		req.Header.Set(name, value)
	}
	if err := req.Write(conn); err != nil {
		v.t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	res, err := http.ReadResponse(reader, req)
	if err != nil {
		v.t.Fatal(err)
	}
	_ = res.Body.Close()
	want := http.StatusUnauthorized
	if allowed {
		want = http.StatusSwitchingProtocols
	}
	if res.StatusCode != want {
		v.t.Fatalf("an upgrade is answered with %d, want %d", res.StatusCode, want)
	}
	if !allowed {
		return
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		v.t.Fatal(err)
	}
	if line, err := reader.ReadString('\n'); err != nil || line != "hello\n" {
		v.t.Errorf("after the upgrade: %q, %v", line, err)
	}
}

// The lines of the guide that make nginx keep answers give no person the identity of another, and a sign-out is seen a little later.
func TestForwardAuth_with_an_nginx_that_caches(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/integration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "```nginx\nproxy_cache usher;\n")
	lines, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/integration.md does not show how to cache")
	}
	usher, backend := startUsher(t), startApp(t)
	addr := nginxWith(t, usher.addr, backend.addr,
		"proxy_cache_path "+t.TempDir()+" keys_zone=usher:1m max_size=5m inactive=10s;", "proxy_cache usher;\n"+lines)
	people := map[string]*visitor{}
	for _, name := range []string{"li_lei_1", "han_mei_2"} {
		usher.account(t, name)
		people[name] = newVisitor(t, addr)
		people[name].signIn(name)
	}
	for range 3 {
		for name, person := range people {
			if got := person.opens("GET", "/", nil, nil).Headers["X_USHER_USERNAME"]; len(got) != 1 || got[0] != name {
				t.Errorf("%s is taken for %q", name, got)
			}
		}
		if status, _ := newVisitor(t, addr).do("GET", "/", nil, nil); status != http.StatusUnauthorized {
			t.Errorf("a stranger is answered with %d", status)
		}
	}
	before := people["li_lei_1"].client.Jar
	kept := newVisitor(t, addr)
	kept.client.Jar = copyOf(t, before, addr)
	if status, _ := people["li_lei_1"].do("DELETE", "/v1/sessions/current", nil, nil); status != http.StatusOK {
		t.Fatalf("sign-out is answered with %d", status)
	}
	testkit.Eventually(t, testkit.Patience, func() bool {
		status, _ := kept.do("GET", "/", nil, nil)
		return status == http.StatusUnauthorized
	}, "a sign-out is seen")
}

// copyOf returns a jar with the same cookies.
func copyOf(t *testing.T, jar http.CookieJar, addr string) http.CookieJar {
	t.Helper()
	u := &url.URL{Scheme: "http", Host: addr}
	next, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	next.SetCookies(u, jar.Cookies(u))
	return next
}

// The guide shows the configurations that the tests run.
func TestForwardAuth_guide_shows_what_is_tested(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/integration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nginx-forward-auth.conf", "Caddyfile-forward-auth"} {
		text, err := os.ReadFile(examples + name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(guide), "\n"+string(text)+"```\n") {
			t.Errorf("docs/integration.md does not quote %s", name)
		}
	}
}
