package api_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"usher/api"
	"usher/limits"
	"usher/messages"
	"usher/reports"
	"usher/store/redisstore"
	"usher/verify"
)

// finish plays a worker that sends a code through aliyun.
func (b *bundle) finish(id string, state messages.State) {
	b.t.Helper()
	codes := redisstore.New(b.client, b.keys, b.clock.Now).Codes()
	claim := must(codes.Claim(b.t.Context(), id, time.Second))(b.t)
	if err := codes.Record(b.t.Context(), claim, messages.Outcome{State: state, Provider: "aliyun", At: b.clock.Now()}); err != nil {
		b.t.Fatal(err)
	}
}

func (p *person) resend(id, via string) *reply {
	p.b.t.Helper()
	return p.post("/v1/sms-codes/"+id+"/resend", body{"via": via})
}

// ways returns the ways that the status offers.
func (p *person) ways(id string) string {
	p.b.t.Helper()
	return fmt.Sprint(p.get("/v1/sms-codes/"+id).want(200, "0").Data["second_way"])
}

func TestResend_journey(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	id := p.send(number).want(202, "0").str("sms_code_id")
	digits := b.lastCode()
	if got := p.ways(id); got != "[]" {
		t.Errorf("a message that was just queued: %s", got)
	}
	b.finish(id, messages.Sent)
	if got := p.ways(id); got != "[map[after:60 via:sms]]" {
		t.Errorf("a message that was sent: %s", got)
	}
	if wait := p.resend(id, "sms").want(429, "4206").wait(); wait != time.Minute {
		t.Errorf("within the pause: try again in %v", wait)
	}
	store := redisstore.New(b.client, b.keys, b.clock.Now).Reports()
	report := reports.Report{Provider: "aliyun", MessageID: id, State: messages.Undelivered, Code: "E"}
	if result := must(store.Apply(t.Context(), []reports.Report{report}))(t); !result[0].Changed {
		t.Fatal("the report changes nothing")
	}
	b.clock.Advance(time.Minute)
	if got := p.ways(id); got != "[map[after:0 via:sms]]" {
		t.Errorf("a message that did not arrive: %s", got)
	}
	again := p.resend(id, "sms").want(202, "0")
	if again.str("sms_code_id") != id || again.Data["expires_in"] != 240.0 || again.Data["resend_after"] != 60.0 || again.header.Get("RateLimit") == "" {
		t.Errorf("resent: %v", again.Data)
	}
	if all := b.sms.all(); len(all) != 2 || all[1].Resends != 1 || b.lastCode() != digits {
		t.Errorf("enqueued %+v", all)
	}
	if got := p.ways(id); got != "[]" {
		t.Errorf("after the resend: %s", got)
	}
	b.finish(id, messages.Sent)
	b.clock.Advance(time.Minute)
	p.resend(id, "sms").want(422, "4203")
	p.post("/v1/registrations", body{
		"username": "li_lei", "password": password, "password_repeat": password, "agree": true, "mobile": number, "sms_code": digits,
	}).want(201, "0")
}

func TestResend_refuses_what_is_malformed_unknown_or_unsafe(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	id := p.send(number).want(202, "0").str("sms_code_id")
	b.finish(id, messages.Sent)
	b.clock.Advance(time.Minute)
	for _, via := range []string{"", "email", "carrier pigeon", "SMS"} {
		if got := p.resend(id, via).want(422, "4103"); got.Fields["via"] == "" {
			t.Errorf("via %q: %s", via, got.text)
		}
	}
	keys := len(b.redis.Keys())
	for _, unknown := range []string{"x", verify.NewID("AAAAAAAAAAAAAAAAAAAAAA"), id + "-2"} {
		p.resend(unknown, "sms").want(404, "4002")
	}
	if now := len(b.redis.Keys()); now != keys {
		t.Errorf("made-up ids leave %d keys", now-keys)
	}
	b.sms.refuse = verify.ErrQueue
	p.resend(id, "sms").want(503, "4301")
	b.sms.refuse = nil
	p.resend(id, "sms").want(202, "0") // the failed try has spent neither the pause nor the resend
}

// A code for a change of number belongs to a signed-in person.
func TestResend_of_a_change_needs_the_session(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	owner := b.person()
	owner.signUp("li_lei", number)
	other := "13900139000"
	id := owner.post("/v1/sms-codes", body{
		"mobile": other, "purpose": "change_mobile", "captcha_id": owner.captcha(), "captcha": captchaText,
	}).want(202, "0").str("sms_code_id")
	b.finish(id, messages.Sent)
	b.clock.Advance(time.Minute)
	b.person().resend(id, "sms").want(401, "4101")
	owner.resend(id, "sms").want(202, "0")
}

// An Idempotency-Key that was used for one code is another key for another code.
func TestResend_keeps_answers_by_code(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	var ids []string
	for _, mobile := range []string{number, "13900139000"} {
		ids = append(ids, p.send(mobile).want(202, "0").str("sms_code_id"))
		b.finish(ids[len(ids)-1], messages.Sent)
	}
	b.clock.Advance(time.Minute)
	p.header = map[string][]string{"Idempotency-Key": {"the-same-key"}}
	for _, id := range append(ids, ids...) {
		if got := p.resend(id, "sms").want(202, "0").str("sms_code_id"); got != id {
			t.Errorf("the answer names %s, want %s", got, id)
		}
	}
	if n := len(b.sms.all()); n != 4 {
		t.Errorf("%d messages, want two codes and one resend of each", n)
	}
}

// TestResend_of_a_crowd_is_one_message: 50 presses at once send one SMS more, which costs what a code costs.
func TestResend_of_a_crowd_is_one_message(t *testing.T) {
	t.Parallel()
	const presses = 50
	b := onRedis(t, func(s *api.Server, store *redisstore.Store) {
		s.Limits = limits.Defaults().WithBudget(0.45, priceOfOne) // 10 codes, 8 of them for strangers
		for _, name := range []limits.Name{limits.SMSIPHour, limits.SMSIPHour.Net(), limits.SMSIPDay, limits.SMSIPDay.Net(), limits.SMSPrefix, limits.SMSConversion, limits.SMSTotal} {
			delete(s.Limits, name)
		}
		store.Rules.Set = s.Limits
		s.Captcha = captchaOff(t)
	})
	p := b.at("198.51.100.7")
	id := p.ask(number).want(202, "0").str("sms_code_id")
	b.finish(id, messages.Sent)
	b.clock.Advance(time.Minute)

	var all sync.WaitGroup
	answers := make(chan int, presses)
	for range presses {
		all.Go(func() { answers <- p.resend(id, "sms").status })
	}
	all.Wait()
	close(answers)
	got := map[int]int{}
	for status := range answers {
		got[status]++
	}
	if got[202] != 1 || got[202]+got[422]+got[429] != presses {
		t.Errorf("answers by status: %v", got)
	}
	if n := len(b.sms.all()); n != 2 {
		t.Fatalf("%d messages, want the code and one resend", n)
	}
	// Two of the strangers' eight units are spent.
	for i := range 7 {
		want := 202
		if i == 6 {
			want = 429
		}
		if got := b.at(anyAddress(i)).ask(anyNumber(i)); got.status != want {
			t.Errorf("stranger %d: %s, want %d", i, got.text, want)
		}
	}
}
