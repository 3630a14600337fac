package api_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/api"
	"usher/store"
)

func TestRedis_away_is_answered_with_503(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUp("li_lei", number)
	captcha := p.captcha()
	b.redis.Close()
	for name, got := range map[string]*reply{
		"captcha":  p.post("/v1/captchas", body{}),
		"code":     p.post("/v1/sms-codes", body{"mobile": number, "purpose": "login", "captcha_id": captcha, "captcha": captchaText}),
		"lookup":   p.get("/v1/usernames/li_lei"),
		"session":  p.get("/v1/sessions/current"),
		"sign-out": p.delete("/v1/sessions/current"),
	} {
		if got.status != 503 || got.Errno != "4301" || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d %s, Retry-After %q", name, got.status, got.Errno, got.header.Get("Retry-After"))
		}
	}
	p.get("/login").wantPage(200, "</html>")
	p.get("/register").wantPage(200, "</html>")
}

func TestQueue_away_is_answered_with_503_and_gives_the_code_back(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	b.sms.refuse = errors.New("no queue")
	if got := p.send(number).want(503, "4301"); got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	b.sms.refuse = nil
	p.send(number).want(202, "0")
}

// failing is a store of accounts with something wrong.
type failing struct {
	accounts.Store
	err   error
	panic any
}

// Exists implements [accounts.Store].
func (f failing) Exists(context.Context, accounts.Key) (bool, error) {
	if f.panic != nil {
		panic(f.panic)
	}
	return false, f.err
}

// NameTaken implements [accounts.Store].
func (f failing) NameTaken(ctx context.Context, _ string, _ time.Time) (bool, error) {
	return f.Exists(ctx, accounts.Key{})
}

// storeAway is the error of an unavailable store.
func storeAway(of store.Dependency) error {
	return &store.Outage{Of: of, Reason: "connection refused", Err: errors.New("pq: secret_thing")}
}

func TestErrors_of_ours_are_not_shown(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		store  failing
		status int
		errno  string
	}{
		"an unknown error":        {failing{err: errors.New("column secret_thing is missing")}, 500, "4500"},
		"an unavailable database": {failing{err: storeAway(store.Database)}, 503, "4001"},
		"an unavailable Redis":    {failing{err: storeAway(store.Redis)}, 503, "4301"},
		"a request too slow":      {failing{err: context.DeadlineExceeded}, 503, "4301"},
		"a panic":                 {failing{panic: "secret_thing"}, 500, "4500"},
		"a panic of the runtime":  {failing{panic: errors.New("secret_thing")}, 500, "4500"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(s *api.Server) { s.Accounts.Store = test.store })
			got := b.person().get("/v1/usernames/li_lei").want(test.status, test.errno)
			if strings.Contains(got.text, "secret_thing") || strings.Contains(got.text, "pq:") {
				t.Errorf("shown: %s", got.text)
			}
			if test.status == 500 && !strings.Contains(b.logs.String(), got.RequestID) {
				t.Error("not logged under its request id")
			}
			if test.store.panic != nil && strings.Contains(b.logs.String(), "secret_thing") {
				t.Error("the panic's value is in the log")
			}
		})
	}
}
