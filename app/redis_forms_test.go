package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
)

// ask returns what an operations port answers.
func (*deployment) ask(t *testing.T, addr, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// ready reports whether both processes say so.
func (d *deployment) ready(t *testing.T) bool {
	t.Helper()
	api, _ := d.ask(t, d.api.OpsAddr(), "/readyz")
	worker, _ := d.ask(t, d.worker.OpsAddr(), "/readyz")
	return api == http.StatusOK && worker == http.StatusOK
}

// complaints are the lines of the log that an operator would have to read.
func (d *deployment) complaints() []string {
	var found []string
	for line := range strings.Lines(d.log.String()) {
		if strings.Contains(line, `"level":"WARN"`) || strings.Contains(line, `"level":"ERROR"`) {
			found = append(found, line)
		}
	}
	return found
}

// carries walks through a sign-up and looks at the dashboard; nothing may be logged as wrong, neither by
// Asynq nor by the loops of the worker, which have run by then.
func (d *deployment) carries(t *testing.T) {
	t.Helper()
	d.person(t).Walk(lilei())
	if !d.ready(t) {
		t.Error("after a sign-up the processes are not ready")
	}
	for _, path := range []string{"/queues", "/queues/api/queues", "/queues/api/queues/sms", "/queues/api/servers", "/queues/api/redis_info"} {
		if status, body := d.ask(t, d.api.OpsAddr(), path); status != http.StatusOK || body == "" {
			t.Errorf("%s = %d %.300s", path, status, body)
		}
	}
	if found := d.complaints(); len(found) > 0 {
		t.Errorf("logged: %q", found)
	}
}

// lonely checks at the test's end that a server has no connection left but the client's own. Call it before
// deploy.
func lonely(t *testing.T, client *redis.Client) {
	t.Helper()
	t.Cleanup(func() {
		testkit.Eventually(t, testkit.Patience, func() bool {
			info, err := client.Info(context.Background(), "clients").Result()
			return err == nil && strings.Contains(info, "connected_clients:1\r")
		}, "every connection is closed")
	})
}

func TestRedisForm_carries_a_sign_up(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (url string){
		"unix socket":     openSocket,
		"documented user": openACL,
		"TLS":             openTLS,
		"sentinels, TLS":  openSentinels,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			deploy(t, open(t), testkit.SQLite(t), nil).carries(t)
		})
	}
}

func openSocket(t *testing.T) string {
	t.Helper()
	//nolint:usetesting // a path of the test's own is too long for a socket
	dir, err := os.MkdirTemp("", "usher")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "redis.sock")
	form := testkit.RedisForm{}
	lonely(t, form.Client(t, form.Server(t, "--unixsocket", socket)))
	return "unix://" + socket + "?db=3"
}

// openACL makes the user whom the operator's documentation names.
func openACL(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^ACL SETUSER .*$`).Find(text)
	if line == nil {
		t.Fatal("docs/redis.md names no user")
	}
	form := testkit.RedisForm{}
	server := form.Server(t)
	admin := form.Client(t, server)
	lonely(t, admin)
	var command []any
	for word := range strings.FieldsSeq(string(line)) {
		command = append(command, strings.ReplaceAll(word, "PASSWORD", "s@crt"))
	}
	for _, command := range [][]any{command, {"ACL", "SETUSER", "default", "off"}} {
		if err := admin.Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		denied, err := admin.Do(context.Background(), "ACL", "LOG").Slice()
		if err != nil || len(denied) > 0 {
			t.Errorf("denied: %v, %v", denied, err)
		}
	})
	restricted(t, "redis://usher:s%40crt@"+server.Addr())
	if err := admin.Do(t.Context(), "ACL", "LOG", "RESET").Err(); err != nil {
		t.Fatal(err)
	}
	return "redis://usher:s%40crt@" + server.Addr()
}

// restricted checks that the user can do no harm to others' data.
func restricted(t *testing.T, url string) {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	for _, command := range []string{
		"GET other", "SET other 1", "PUBLISH other 1", "KEYS *", "FLUSHALL", "FLUSHDB", "CONFIG GET *", "SHUTDOWN", "ACL LIST",
		"CLIENT LIST", "SCRIPT FLUSH", "FUNCTION FLUSH",
	} {
		var words []any
		for word := range strings.FieldsSeq(command) {
			words = append(words, word)
		}
		if err := client.Do(t.Context(), words...).Err(); !redis.HasErrorPrefix(err, "NOPERM") {
			t.Errorf("the user may %s: %v", command, err)
		}
	}
}

func openTLS(t *testing.T) string {
	t.Helper()
	authority := testkit.NewAuthority(t)
	form := testkit.RedisForm{Authority: authority, Password: "s@crt"}
	server := form.Server(t, "--tls-auth-clients", "yes")
	lonely(t, form.Client(t, server))
	cert, key := authority.Issue(t, "usher")
	return fmt.Sprintf("rediss://:s%%40crt@%s/0?ca=%s&cert=%s&key=%s", server.Addr(),
		url.QueryEscape(authority.File), url.QueryEscape(cert), url.QueryEscape(key))
}

func openSentinels(t *testing.T) string {
	t.Helper()
	form := testkit.RedisForm{Authority: testkit.NewAuthority(t), Password: "s@crt"}
	set := form.Sentinels(t, 1)
	return fmt.Sprintf("rediss-sentinel://:s%%40crt@%s/2?master=%s&sentinel_password=s%%40crt&ca=%s",
		set.Sentinels[0].Addr(), testkit.SentinelMaster, url.QueryEscape(form.Authority.File))
}

func TestRedisCluster_carries_a_sign_up_and_heals(t *testing.T) {
	t.Parallel()
	for name, form := range map[string]testkit.RedisForm{
		"plain": {}, "TLS": {Authority: testkit.NewAuthority(t), Password: "s@crt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nodes := form.Cluster(t, 3)
			address := "redis-cluster://" + nodes[0].Addr() + "," + nodes[1].Addr()
			if form.Authority != nil {
				address = fmt.Sprintf("rediss-cluster://:s%%40crt@%s?ca=%s", nodes[2].Addr(), url.QueryEscape(form.Authority.File))
			}
			d := deploy(t, address, testkit.SQLite(t), nil)
			d.carries(t)
			for i, node := range nodes {
				if n, err := form.Client(t, node).DBSize(t.Context()).Result(); err != nil || n == 0 {
					t.Errorf("node %d has %d keys, %v: want some on each", i, n, err)
				}
			}
			if form.Authority == nil {
				d.heals(t, nodes[1].Kill, func() { nodes[1].Start(t) }, "cluster", "cannot be reached")
			}
		})
	}
}

// heals breaks something and checks that it is told with one of the reasons, and that all is well without a
// restart once it is corrected.
func (d *deployment) heals(t *testing.T, broken, mend func(), reasons ...string) {
	t.Helper()
	p := d.person(t)
	broken()
	var body string
	testkit.Eventually(t, testkit.Patience, func() bool {
		status, text := d.ask(t, d.api.OpsAddr(), "/readyz")
		body = text
		return status == http.StatusServiceUnavailable
	}, "readiness notices")
	told := false
	for _, reason := range reasons {
		told = told || strings.Contains(body, reason)
	}
	if !told || strings.Contains(body, "s@crt") || !strings.Contains(body, `"database":"ok"`) {
		t.Errorf("/readyz says %s, want one of %q", body, reasons)
	}
	for range 8 { // on a cluster the answer may lie on a server that is well
		if away := p.Do(http.MethodPost, "/v1/captchas", map[string]any{}); away.Status != http.StatusCreated &&
			(away.Status != http.StatusServiceUnavailable || away.Errno != "4301" || away.Header.Get("Retry-After") == "") {
			t.Errorf("a captcha = %d %s", away.Status, away.Body)
		}
	}
	mend()
	testkit.Eventually(t, testkit.Patience, func() bool { return d.ready(t) }, "both are ready again")
	d.askCode(t, "13900139000")
	p.ReadCode("13900139000", 1)
}

// askCode asks for a code until one is accepted.
func (d *deployment) askCode(t *testing.T, mobile string) {
	t.Helper()
	p := d.person(t)
	testkit.Eventually(t, testkit.Patience, func() bool {
		captcha := p.Do(http.MethodPost, "/v1/captchas", map[string]any{})
		answer := p.Do(http.MethodPost, "/v1/sms-codes", map[string]any{
			"mobile": mobile, "purpose": "register", "captcha_id": captcha.Text("captcha_id"), "captcha": captchaAnswer,
		})
		return answer.Status == http.StatusAccepted
	}, "a code is accepted")
}
