package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"usher/sandbox"
)

func TestTally_counts_and_keeps_nothing(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *sandbox.Config) { c.Tally = true }, unlimited)
	from := b.clock.now().UnixNano()
	for _, number := range []string{"13800138000", "13900139000"} {
		query := url.Values{"Action": {"SendSms"}, "PhoneNumbers": {number}}
		status, _, body := b.do(t, b.request(t, http.MethodPost, "/aliyun/?"+query.Encode(), ""))
		var answer struct{ Code, BizID string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || answer.Code != "OK" {
			t.Fatalf("SendSms: got %d, %s", status, body)
		}
	}
	// Nor is a signature checked.
	_, _, body := b.do(t, func() *http.Request {
		r := b.request(t, http.MethodPost, "/tencent/", b.tencentJSON("+8613700137000"))
		r.Header.Set("X-TC-Action", "SendSms")
		return r
	}())
	if got := decode[tencentResult](t, body); got.code() != "Ok" || got.Response.SendStatusSet[0].SerialNo == "" {
		t.Errorf("SendSms of Tencent: got %s", body)
	}
	if err := send(b.login(t), "a@example.org", "From: b@example.org\r\n\r\nhello\r\n"); err != nil {
		t.Fatal(err)
	}
	got := readTally(t, b)
	if mails := got.Vendors["smtp"]; mails.Count != 1 {
		t.Errorf("smtp: got %+v", mails)
	}
	if len(got.Arrivals) != 4 || got.Vendors["tencent"].Count != 1 || got.Arrivals[0].To != "13800138000" || got.Arrivals[1].At < from {
		t.Errorf("arrivals: got %+v", got.Arrivals)
	}
	aliyun := got.Vendors["aliyun"]
	if aliyun.Count != 2 || aliyun.First != got.Arrivals[0].At || aliyun.Last != got.Arrivals[1].At {
		t.Errorf("aliyun: got %+v", aliyun)
	}
	if kept := b.Messages(""); len(kept) > 0 {
		t.Errorf("%d messages were kept", len(kept))
	}
	b.Clear()
	if got := readTally(t, b); len(got.Vendors) > 0 || len(got.Arrivals) > 0 {
		t.Errorf("after Clear: got %+v", got)
	}
}

func readTally(t *testing.T, b *bundle) sandbox.Tally {
	t.Helper()
	_, _, body := b.do(t, b.request(t, http.MethodGet, "/api/tally?arrivals", ""))
	var tally sandbox.Tally
	if err := json.Unmarshal([]byte(body), &tally); err != nil {
		t.Fatal(err)
	}
	return tally
}

func TestTally_is_not_there_while_messages_are_kept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if status, _, _ := b.do(t, b.request(t, http.MethodGet, "/api/tally", "")); status != http.StatusNotFound {
		t.Errorf("got %d", status)
	}
}
