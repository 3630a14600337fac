package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/app"
	"usher/config"
	"usher/internal/faultproxy"
	"usher/internal/testkit"
)

// answerBound bounds an answer while the database hangs: 1.5 s are promised, and a busy machine may add four. After eight
// seconds any request is over.
const answerBound = 1500*time.Millisecond + 4*time.Second

// lookUp asks whether a user name is taken, which only SQL knows.
func (d *deployment) lookUp(t *testing.T) (status int, errno string, took time.Duration) {
	t.Helper()
	began := time.Now()
	answer := d.person(t).Do(http.MethodGet, "/v1/usernames/li_lei", nil)
	if answer.Status >= 400 && answer.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s without Retry-After", answer.Status, answer.Errno)
	}
	return answer.Status, answer.Errno, time.Since(began)
}

func TestDatabase_that_hangs_is_answered_with_503_in_time(t *testing.T) {
	t.Parallel()
	server := testkit.PostgresServer(t)
	d := deploy(t, testkit.Miniredis(t), server.URL(), testkit.DefaultTimes())
	if status, _, _ := d.lookUp(t); status != http.StatusOK {
		t.Fatalf("a look-up = %d", status)
	}
	thaw := server.Freeze(t)
	for range 3 {
		if status, errno, took := d.lookUp(t); status != http.StatusServiceUnavailable || errno != "4001" || took > answerBound {
			t.Errorf("a look-up = %d %s after %v, want 503 4001 within 1.5 s", status, errno, took)
		}
	}
	if status, body := d.ask(t, d.api.OpsAddr(), "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "USHER_DATABASE_TIMEOUT") {
		t.Errorf("/readyz = %d %s, want 503 and what to do", status, body)
	}
	thaw()
	testkit.Eventually(t, testkit.Patience, func() bool { return d.ready(t) }, "both are ready again")
	if status, _, _ := d.lookUp(t); status != http.StatusOK {
		t.Errorf("after that a look-up = %d", status)
	}
}

func TestDatabase_that_becomes_a_standby_is_left_for_the_primary(t *testing.T) {
	t.Parallel()
	one := testkit.PostgresServer(t)
	d := &deployment{environ: map[string]string{"USHER_DATABASE_URL": one.URL()}}
	d.migrate(t)
	two := testkit.PostgresStandby(t, one)
	d = deploy(t, testkit.Miniredis(t), "postgres://postgres@"+one.Addr()+","+two.Addr()+"/postgres?sslmode=disable", nil)
	d.person(t).Walk(lilei())

	testkit.Demote(t, one)
	if status, errno, _ := d.lookUp(t); status != http.StatusServiceUnavailable || errno != "4001" {
		t.Errorf("on a standby a look-up = %d %s, want 503 4001", status, errno)
	}
	if status, body := d.ask(t, d.worker.OpsAddr(), "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "is a standby") {
		t.Errorf("/readyz = %d %s, want 503 and the reason", status, body)
	}
	testkit.Promote(t, two)
	testkit.Eventually(t, testkit.Patience, func() bool { return d.ready(t) }, "both are ready again")
	next := lilei()
	next.Username, next.Mobile, next.Email = "han_meimei", "13900139000", "hanmeimei@example.com"
	d.person(t).Walk(next)
}

// A worker without work asks Redis many times a second whether there is some.
func TestIdleWorker_beside_a_stopped_Redis_writes_a_line_when_it_goes_and_one_when_it_is_back(t *testing.T) {
	t.Parallel()
	// It keeps what it holds: a periodic task that runs while it stops can be acknowledged afterwards.
	redis := testkit.RedisServer(t, "--appendonly", "yes", "--appendfsync", "always")
	d := &deployment{environ: environment(t, startSandbox(t), redis.URL(), testkit.SQLite(t))}
	d.migrate(t)
	log := new(testkit.Buffer)
	d.startWorker(t, app.NewLogger(log, config.Common{LogLevel: "info", LogFormat: "json"}))
	testkit.Eventually(t, testkit.Patience, func() bool { return strings.Contains(log.String(), "worker ready") }, "the worker is ready")
	<-time.After(2 * time.Second) // it takes up its periodic work
	before := len(log.String())
	redis.Stop()
	<-time.After(8 * time.Second)
	lines := strings.SplitAfter(strings.TrimSpace(log.String()[before:]), "\n")
	if len(lines) != 1 || !strings.Contains(lines[0], `"dependency unavailable"`) || !strings.Contains(lines[0], `"to_do":"start it`) {
		t.Errorf("in 8 s without Redis %d lines are written, want one:\n%s", len(lines), strings.Join(lines, ""))
	}
	before = len(log.String())
	redis.Start(t)
	testkit.Eventually(t, testkit.Patience, func() bool { return strings.Contains(log.String(), `"dependency available again"`) }, "the log tells that it is available")
	<-time.After(2 * time.Second)
	if after := log.String()[before:]; strings.Count(after, "\n") != 1 || !strings.Contains(after, `"lines_left_out":`) {
		t.Errorf("when Redis is back %d lines are written, want one:\n%s", strings.Count(after, "\n"), after)
	}
}

// A Redis that is far away works once the setting allows for its round trips. Until then the log names the setting.
func TestRedis_that_is_far_away_needs_a_setting(t *testing.T) {
	t.Parallel()
	far, err := faultproxy.Open(testkit.RedisServer(t).Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	far.SetDelay(500 * time.Millisecond)
	database := testkit.SQLite(t)
	d := deploy(t, "redis://"+far.Addr(), database, testkit.DefaultTimes())
	if status, body := d.ask(t, d.api.OpsAddr(), "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "USHER_REDIS_TIMEOUT") {
		t.Errorf("/readyz = %d %s, want 503 and the setting's name", status, body)
	}
	if said := strings.Join(d.complaints(), ""); !strings.Contains(said, "raise USHER_REDIS_TIMEOUT") {
		t.Errorf("at the start %q is logged, want the setting's name", said)
	}
	slow := deploy(t, "redis://"+far.Addr(), database, map[string]string{"USHER_REDIS_TIMEOUT": "3s"})
	testkit.Eventually(t, testkit.Patience, func() bool { return slow.ready(t) }, "both are ready")
	slow.askCode(t, "13900139000")
	slow.person(t).ReadCode("13900139000", 1)
}
