package events_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/events"
	"usher/webhooks"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 123456789, time.FixedZone("CST", 8*60*60))

func TestTypes_have_names_of_the_specification_and_are_read_back(t *testing.T) {
	t.Parallel()
	for _, typ := range events.Types() {
		if strings.Trim(string(typ), "abcdefghijklmnopqrstuvwxyz_.") != "" {
			t.Errorf("%q has other characters than letters, dots and underscores", typ)
		}
	}
	got, err := events.ParseTypes(events.JoinTypes(events.Types()))
	if err != nil || !slices.Equal(got, events.Types()) {
		t.Errorf("ParseTypes = %v, %v", got, err)
	}
	if got, err := events.ParseTypes(" account.created , account.created"); err != nil || len(got) != 1 {
		t.Errorf("a type that is named twice: %v, %v", got, err)
	}
	if got, err := events.ParseTypes(""); got != nil || err != nil {
		t.Errorf("every type: %v, %v", got, err)
	}
	for _, wrong := range []string{"account.born", "account.created,", ",", "*", "account.created account.deleted"} {
		if got, err := events.ParseTypes(wrong); err == nil {
			t.Errorf("%q is read as %v", wrong, got)
		}
	}
}

func TestIDs_are_ids_of_webhooks(t *testing.T) {
	t.Parallel()
	first, second := events.NewID(), events.NewID()
	if first >= second || !webhooks.IsID(first) || !webhooks.IsID(events.IDOf("undelivered", "x.y/z")) {
		t.Errorf("ids %s, %s", first, second)
	}
	fact := "a"
	if id := events.IDOf("undelivered", fact); id != events.IDOf("undelivered", "a") || id == events.IDOf("undelivered", "b") {
		t.Error("the id of a fact is not the fact's own")
	}
}

func TestBody_is_that_of_the_specification(t *testing.T) {
	t.Parallel()
	active := true
	body, err := events.Body(events.AccountCreated, noon, events.AccountData{AccountID: "a", Seq: 1, Active: &active, Mobile: "138****8000"})
	want := `{"type":"account.created","timestamp":"2026-01-02T04:00:00.123Z","data":{"account_id":"a","seq":1,"active":true,"mobile":"138****8000"}}`
	if err != nil || string(body) != want {
		t.Errorf("body %s, %v, want %s", body, err, want)
	}
	if _, err := events.Body(events.AccountCreated, noon, strings.Repeat("x", 20_000)); err == nil {
		t.Error("a body of 20 kB is accepted")
	}
	var deleted map[string]any
	body, _ = events.Body(events.AccountDeleted, noon, events.AccountData{AccountID: "a", Seq: 2})
	if err := json.Unmarshal(body, &deleted); err != nil || len(deleted["data"].(map[string]any)) != 2 {
		t.Errorf("the event of a deleted account shows more than its id: %s", body)
	}
}

func TestNext_follows_the_schedule_of_the_specification(t *testing.T) {
	t.Parallel()
	now, total := noon, time.Duration(0)
	for failed, pause := range []time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	} {
		at, again := events.Next(failed+1, noon, now)
		if got := at.Sub(now); !again || got < pause || got > pause+pause/10 {
			t.Errorf("after %d failures %v, %v, want %v and up to a tenth", failed+1, got, again, pause)
		}
		total += pause
		now = now.Add(pause)
	}
	if _, again := events.Next(10, noon, now); again {
		t.Error("there is an eleventh attempt")
	}
	if _, again := events.Next(2, noon, noon.Add(events.Life-time.Minute)); again {
		t.Error("an attempt after the life of a delivery")
	}
	if total > events.Life {
		t.Errorf("the schedule takes %v", total)
	}
}

func TestJudge_reads_statuses_as_the_specification_says(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]events.Result{
		200: events.Delivered, 202: events.Delivered, 204: events.Delivered, 299: events.Delivered, 301: events.Redirect, 307: events.Redirect,
		304: events.Redirect, 400: events.Refused, 404: events.Refused, 410: events.Gone, 429: events.SlowDown, 500: events.ServerError,
		502: events.SlowDown, 503: events.ServerError, 504: events.SlowDown, 101: events.ServerError, 999: events.ServerError,
	} {
		if got := events.Judge(status); got != want {
			t.Errorf("%d is %s, want %s", status, got, want)
		}
	}
}

func TestPause_spares_an_endpoint_that_does_not_work(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer   events.Answer
		failures int
		want     time.Duration
	}{
		{events.Answer{Result: events.ServerError}, 1, 0},
		{events.Answer{Result: events.ServerError}, 3, time.Second},
		{events.Answer{Result: events.Timeout}, 5, 4 * time.Second},
		{events.Answer{Result: events.Timeout}, 1000, time.Minute},
		{events.Answer{Result: events.SlowDown, Status: 502}, 1, 30 * time.Second},
		{events.Answer{Result: events.SlowDown, RetryAfter: 2 * time.Second}, 1, 2 * time.Second},
		{events.Answer{Result: events.ServerError, Status: 503, RetryAfter: 10 * time.Minute}, 1, 10 * time.Minute},
		{events.Answer{Result: events.SlowDown, RetryAfter: 1000 * time.Hour}, 1, events.MaxRetryAfter},
	} {
		if got := c.answer.Pause(c.failures); got != c.want {
			t.Errorf("%+v, failure %d in a row: %v, want %v", c.answer, c.failures, got, c.want)
		}
	}
}

func TestAfter_heeds_what_the_endpoint_asks_for(t *testing.T) {
	t.Parallel()
	claimed := events.Claimed{CreatedAt: noon}
	after := claimed.After(events.Answer{Result: events.SlowDown, Status: http.StatusTooManyRequests, RetryAfter: 20 * time.Minute}, noon)
	if after.State != events.Waiting || after.NextAt.Sub(noon) != 20*time.Minute || after.Failed != 1 {
		t.Errorf("after 429: %+v", after)
	}
	for result, want := range map[events.Result]events.After{
		events.Delivered:   {State: events.Done, NextAt: noon},
		events.Gone:        {State: events.Failed, Failed: 1, NextAt: noon},
		events.Interrupted: {State: events.Waiting, NextAt: noon},
		events.Unsealable:  {State: events.Waiting, NextAt: noon.Add(time.Minute)},
	} {
		if got := claimed.After(events.Answer{Result: result}, noon); got != want {
			t.Errorf("after %s: %+v, want %+v", result, got, want)
		}
	}
}

func TestCheckURL_refuses_what_no_endpoint_can_be(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]error{
		"https://example.com/usher?x=1": nil, "https://8.8.8.8/": nil, "https://[2606:4700::1111]:8443/x": nil, "https://例子.example/": nil,
		"http://example.com/": events.ErrPlain, "https://user:password@example.com/": events.ErrURL, "https://example.com/#x": events.ErrURL,
		"ftp://example.com/": events.ErrURL, "https://": events.ErrURL, "example.com": events.ErrURL, "": events.ErrURL,
		"https:example.com": events.ErrURL, "https://example.com/" + strings.Repeat("x", 2000): events.ErrURL, "https://a b/": events.ErrURL,
		"https://2130706433/": events.ErrHost, "https://0x7f.1/": events.ErrHost, "https://0x7f000001/": events.ErrHost, "https://0177.0.0.1/": events.ErrHost,
		"https://127.1/": events.ErrHost, "https://127.0.0.1.:8/": events.ErrHost, "https://under_score.example/": events.ErrHost,
	} {
		if got := events.CheckURL(url, false); got != want { //nolint:errorlint // not wrapped
			t.Errorf("CheckURL(%q) = %v, want %v", url, got, want)
		}
	}
	if err := events.CheckURL("http://127.0.0.1:8000/", true); err != nil {
		t.Errorf("http in a network that is allowed: %v", err)
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{"https://example.com/", "https://0x7f.1/", "http://[::ffff:127.0.0.1]/", "https://user@x/", "//x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if events.CheckURL(text, false) == nil && !strings.HasPrefix(strings.ToLower(text), "https:") {
			t.Errorf("%q is accepted", text)
		}
	})
}
