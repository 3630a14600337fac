package board_test

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"usher/board"
	"usher/internal/testkit"
	"usher/messages"
	"usher/vitals"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// hostile is a text that would do harm if it were not escaped.
const hostile = `"><script>alert(1)</script>`

// busy is the traffic of an hour with every outcome.
func busy(w vitals.Window) *vitals.Traffic {
	t := vitals.NewTraffic(w)
	for i := range w.Slots() {
		n := 5 + i%7
		recent := !w.Start(i).Before(w.Recent)
		t.Add(vitals.Part{Channel: messages.SMS, Slot: i, Provider: "aliyun", Prefix: "138", Recent: recent}, vitals.Tally{
			Asked: n, Accepted: n, Delivered: n - 1, Undelivered: i % 2, Used: n - 3,
			Acceptance: vitals.Times{120 * time.Millisecond: n - 1, 1300 * time.Millisecond: 1},
			Delivery:   vitals.Times{2 * time.Second: n - 1},
		})
	}
	t.Add(vitals.Part{Channel: messages.Email, Slot: 3, Provider: "smtp"}, vitals.Tally{Asked: 2, Accepted: 1, Waiting: 1})
	t.Dead = []vitals.DeadGroup{{
		Channel: messages.SMS, State: messages.Failed, Provider: "aliyun", Code: hostile, Count: 3, Last: w.Until,
	}}
	return t
}

// sources are those of a deployment without problems.
func sources() board.Sources {
	return board.Sources{
		Probes:  func(context.Context) map[string]error { return map[string]error{"redis": nil, "database": nil} },
		Traffic: func(_ context.Context, w vitals.Window) (*vitals.Traffic, error) { return busy(w), nil },
		Workers: func(context.Context) ([]vitals.Worker, error) {
			return []vitals.Worker{{
				ID: "w1", Host: "host-1", Channels: []messages.Channel{messages.SMS, messages.Email}, Queues: []string{"sms"},
				Breakers: map[string]string{"aliyun": "closed"},
			}}, nil
		},
		Queues: func(context.Context) ([]vitals.Queue, error) {
			return []vitals.Queue{{Name: "sms"}}, nil
		},
		Outbox:   func(context.Context) (vitals.Backlog, error) { return vitals.Backlog{}, nil },
		Outcomes: func(context.Context) (vitals.Backlog, error) { return vitals.Backlog{}, nil },
		Events:   func(context.Context) (vitals.Events, error) { return vitals.Events{}, nil },
		Budget: func(context.Context) (vitals.Budget, error) {
			return vitals.Budget{Count: 10_000, Left: 9_812, Price: 0.045}, nil
		},
	}
}

// open returns the page of sources, on a clock of the test's own.
func open(t *testing.T, s board.Sources) (get func(path string) *httptest.ResponseRecorder, clock *testkit.Clock) {
	t.Helper()
	clock = testkit.NewClock(time.Date(2031, 5, 6, 7, 8, 9, 0, time.FixedZone("CST", 8*60*60)))
	b, err := board.New(s, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	b.Register(mux)
	return func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
		r.Header.Set("Accept-Language", "en-GB,en;q=0.9")
		mux.ServeHTTP(w, r)
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("%s = %d %s", path, w.Code, w.Body)
		}
		return w
	}, clock
}

func wantTexts(t *testing.T, page string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestBoard_says_whether_codes_arrive(t *testing.T) {
	t.Parallel()
	get, _ := open(t, sources())
	answer := get("/ops")
	wantTexts(t, answer.Body.String(), `<html lang="en">`, `class="verdict`, "Codes",
		"of 10,000 in 24 h · ¥441.54", "admin messages list -state dead", "host-1", `<rect class="used"`, "closed × 1",
		"p50\u00a0120\u00a0ms · p95\u00a01.3\u00a0s")
	if got := answer.Header().Get("Refresh"); got != "10" {
		t.Errorf("loads itself again after %q seconds", got)
	}
	if answer.Code != http.StatusOK || strings.Contains(answer.Body.String(), "<script") {
		t.Errorf("%d, or a text from outside is markup", answer.Code)
	}
	policy := answer.Header().Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'; style-src 'self'; img-src 'self';") {
		t.Errorf("policy %q", policy)
	}
}

func TestBoard_speaks_both_languages_and_keeps_what_was_chosen(t *testing.T) {
	t.Parallel()
	get, _ := open(t, sources())
	paused := get("/ops?lang=zh&range=15m&pause=1")
	chinese := paused.Body.String()
	wantTexts(t, chinese, `<html lang="zh-CN">`, "验证码到达情况", `/ops?lang=zh&amp;pause=1&amp;range=24h`, `aria-current="page">15 分钟`, "已暂停刷新")
	if paused.Header().Get("Refresh") != "" {
		t.Error("a page that is paused loads itself again")
	}
	wantTexts(t, get("/ops?range=nonsense&lang=fr").Body.String(), `<html lang="en">`, `aria-current="page">1 hour`)
}

func TestBoard_shows_what_it_knows_when_sources_fail(t *testing.T) {
	t.Parallel()
	fail := errors.New("down")
	s := sources()
	s.Probes = func(context.Context) map[string]error { return map[string]error{"redis": fail, "database": nil} }
	s.Workers = func(context.Context) ([]vitals.Worker, error) { return nil, fail }
	s.Queues = func(context.Context) ([]vitals.Queue, error) { return nil, fail }
	s.Outcomes = func(context.Context) (vitals.Backlog, error) { return vitals.Backlog{}, fail }
	s.Budget = func(context.Context) (vitals.Budget, error) { return vitals.Budget{}, fail }
	get, _ := open(t, s)
	page := get("/ops").Body.String()
	wantTexts(t, page, `class="verdict red"`, "Redis does not answer", "Currently unavailable: ", "workers", `<rect class="used"`)

	s = sources()
	s.Traffic = func(context.Context, vitals.Window) (*vitals.Traffic, error) { return nil, fail }
	get, _ = open(t, s)
	page = get("/ops").Body.String()
	wantTexts(t, page, `class="verdict amber"`, "figures of messages", "host-1")
	if strings.Contains(page, "<figure") {
		t.Error("charts without traffic")
	}
}

func TestBoard_answers_its_sentences_as_JSON(t *testing.T) {
	t.Parallel()
	s := sources()
	s.Queues = func(context.Context) ([]vitals.Queue, error) {
		return []vitals.Queue{{Name: "sms", Oldest: 90 * time.Second, Archived: 3}}, nil
	}
	s.Workers = func(context.Context) ([]vitals.Worker, error) {
		return []vitals.Worker{{
			ID: "w1", Channels: []messages.Channel{messages.SMS, messages.Email}, Breakers: map[string]string{"aliyun": "closed"},
			MailOutage: "login_refused",
		}}, nil
	}
	get, clock := open(t, s)
	clock.Advance(24 * time.Hour)
	for lang, want := range map[string][]string{
		"en": {
			"Mails are not sent: login refused (1 of 1 workers), since 07:08 or earlier: people who wait for a mail (link, code, notice) get none; no mail is lost.",
			"Correct USHER_SMTP_USERNAME and USHER_SMTP_PASSWORD, then send the mail workers SIGHUP.",
			"The queue sms is behind: its oldest task has been waiting for 90\u00a0s, since 07:06 (90\u00a0s): people who wait for a code by SMS get it late or not at all.",
			"The queue sms keeps 3 tasks that were given up",
		},
		"zh": {"队列 sms 积压：最早的任务已等待 90\u00a0s，自 07:06 起（已 90\u00a0s）：等待短信验证码的用户很晚才收到，甚至收不到。"},
	} {
		answer := get("/ops?format=json&lang=" + lang)
		var verdict board.Verdict
		if err := json.Unmarshal(answer.Body.Bytes(), &verdict); err != nil {
			t.Fatal(err)
		}
		if verdict.Level != "red" || len(verdict.Findings) != 3 || len(verdict.Notes) != 1 || answer.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("%+v", verdict)
		}
		var said []string
		page := get("/ops?lang=" + lang).Body.String()
		for _, sentence := range append(verdict.Findings, verdict.Notes...) {
			said = append(said, sentence.Text, sentence.Do)
			if sentence.Runbook == "" || get(sentence.Runbook).Code != http.StatusOK || !strings.Contains(page, `href="`+sentence.Runbook+`"`) {
				t.Errorf("no runbook at %q, or the page does not link it", sentence.Runbook)
			}
			wantTexts(t, page, html.EscapeString(sentence.Text), html.EscapeString(sentence.Do))
		}
		for _, text := range want {
			if !slices.Contains(said, text) {
				t.Errorf("%q is not among\n%s", text, strings.Join(said, "\n"))
			}
		}
	}
}

func TestBoard_asks_once_for_many_viewers(t *testing.T) {
	t.Parallel()
	s := sources()
	var asked atomic.Int32
	s.Traffic = func(_ context.Context, w vitals.Window) (*vitals.Traffic, error) { asked.Add(1); return busy(w), nil }
	get, clock := open(t, s)
	want := func(n int32, why string) {
		t.Helper()
		for range 3 {
			get("/ops")
		}
		if got := asked.Load(); got != n {
			t.Errorf("%s: asked %d times, want %d", why, got, n)
		}
	}
	want(1, "at once")
	clock.Advance(4 * time.Second)
	want(1, "soon after")
	clock.Advance(time.Second)
	want(2, "five seconds after")
	get("/ops?range=15m")
	want(3, "another range")
}

func TestBoard_serves_its_style_and_nothing_else(t *testing.T) {
	t.Parallel()
	get, _ := open(t, sources())
	page := get("/ops").Body.String()
	_, rest, _ := strings.Cut(page, `rel="stylesheet" href="`)
	style, _, _ := strings.Cut(rest, `"`)
	answer := get(style)
	if answer.Code != http.StatusOK || !strings.HasPrefix(answer.Header().Get("Content-Type"), "text/css") {
		t.Errorf("%s = %d %s", style, answer.Code, answer.Header().Get("Content-Type"))
	}
	for _, path := range []string{"/ops/board.css", "/ops/board.html", "/ops/board.000000000000.css", "/ops/x", "/elsewhere"} {
		if got := get(path).Code; got != http.StatusNotFound {
			t.Errorf("%s = %d", path, got)
		}
	}
	if answer := get("/"); answer.Code != http.StatusFound || answer.Header().Get("Location") != "/ops" {
		t.Errorf("/ = %d %s", answer.Code, answer.Header().Get("Location"))
	}
}

// A mail outage is said in the page's language, with what to do.
func TestBoard_says_why_mails_do_not_leave(t *testing.T) {
	t.Parallel()
	s := sources()
	s.Workers = func(context.Context) ([]vitals.Worker, error) {
		return []vitals.Worker{{
			ID: "w1", Channels: []messages.Channel{messages.SMS, messages.Email}, Breakers: map[string]string{"aliyun": "closed"},
			MailOutage: "login_refused",
		}}, nil
	}
	get, _ := open(t, s)
	for path, want := range map[string]string{
		"/ops?lang=en": "Mails are not sent: login refused (1 of 1 workers), since",
		"/ops?lang=zh": "邮件发不出去：登录被拒绝（1 个工作进程中的 1 个），自",
	} {
		if page := get(path).Body.String(); !strings.Contains(page, want) {
			t.Errorf("%s lacks %q", path, want)
		}
	}
}

func TestBoard_shows_events_where_there_are_endpoints(t *testing.T) {
	t.Parallel()
	s := sources()
	get, clock := open(t, s)
	for path, unwanted := range map[string]string{"/ops?lang=en": "Events to your services", "/ops?lang=zh": "发往自有服务的事件"} {
		if strings.Contains(get(path).Body.String(), unwanted) {
			t.Errorf("%s shows events without an endpoint", path)
		}
	}
	s.Events = func(context.Context) (vitals.Events, error) {
		return vitals.Events{Waiting: 1234, Behind: 1500 * time.Millisecond, Endpoints: []vitals.Endpoint{
			{ID: "ep_1"},
			{ID: "ep_2", FailingSince: clock.Now().Add(-2 * time.Hour)},
			{ID: "ep_3", DisabledAt: clock.Now().Add(-time.Hour), Disabled: vitals.ByAnswer},
			{ID: "ep_4", DisabledAt: clock.Now().Add(-time.Hour), Disabled: vitals.ByOperator},
		}}, nil
	}
	get, _ = open(t, s)
	wantTexts(t, get("/ops?lang=en").Body.String(), `class="verdict amber"`, "Events to your services", "working × 1", "failing × 1", "disabled × 2",
		"<td>1,234</td>", "<td>1.5\u00a0s</td>", "The endpoint ep_2 fails, since 05:08 (2\u00a0h): the service behind it misses changes of accounts.",
		"Find the cause with admin events list", "The endpoint ep_3 was disabled because it answered 410, since 06:08 (60\u00a0min)", "The endpoint ep_4 was disabled by an operator")
	chinese := get("/ops?lang=zh").Body.String()
	wantTexts(t, chinese, "正常 × 1", "失败中 × 1", "已停用 × 2", "端点 ep_2 持续失败，自 05:08 起（已 2\u00a0h）", "端点 ep_3 返回了 410", "端点 ep_4 已被运维人员停用")
	if problems, _, found := strings.Cut(chinese, `class="notes"`); !found || strings.Contains(problems, "ep_4") {
		t.Error("an endpoint that an operator has disabled is a problem, and no note")
	}
}
