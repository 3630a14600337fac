package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"usher/accounts"
	"usher/api"
	"usher/limits"
	"usher/verify"
)

// signInCreates makes an account at a first sign-in.
func signInCreates(s *api.Server) { s.Accounts.Policy.SignInCreates = true }

// signInByCode has a code sent and signs in with it.
func (p *person) signInByCode(mobile string, agree bool) *reply {
	p.b.t.Helper()
	return p.post("/v1/sessions", body{"mobile": mobile, "sms_code": p.code(mobile, "login"), "agree": agree})
}

func TestFirstSignIn_makes_the_account(t *testing.T) {
	t.Parallel()
	b := setup(t, signInCreates)
	p := b.person()
	made := p.signInByCode(number, true).want(201, "0")
	if made.Data["created"] != true || made.str("username") != "" || made.Data["has_password"] != false || made.Data["active"] != true {
		t.Errorf("answer: %s", made.text)
	}
	made.golden("session_created")
	if now := p.get("/v1/sessions/current").want(200, "0"); now.str("id") != made.str("id") {
		t.Errorf("another account is signed in: %s", now.text)
	}
	b.clock.Advance(time.Minute)
	if again := b.person().signInByCode(number, false).want(201, "0"); again.Data["created"] != false || again.str("id") != made.str("id") {
		t.Errorf("second sign-in: %s", again.text)
	}
	b.person().post("/v1/sessions", body{"login": number, "password": password}).want(401, "4102")
}

func TestFirstSignIn_is_off_by_default(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signInByCode(number, true).want(404, "4104")
}

func TestFirstSignIn_tells_only_the_owner_of_the_number(t *testing.T) {
	t.Parallel()
	b := setup(t, signInCreates)
	b.person().signUp("li_lei", number)
	b.clock.Advance(time.Minute)
	p := b.person()
	code := p.code(nextNumber, "login")
	p.code(number, "login")
	var answers []string
	for _, mobile := range []string{number, nextNumber} { // with and without an account
		wrong := p.post("/v1/sessions", body{"mobile": mobile, "sms_code": wrongFor(code)})
		answers = append(answers, fmt.Sprint(wrong.status, wrong.Errno, wrong.Errmsg, wrong.Fields))
	}
	if answers[0] != answers[1] {
		t.Errorf("a wrong code tells who has an account: %q", answers)
	}
	// The right code is needed to learn that consent is missing, and stays valid.
	if refused := p.post("/v1/sessions", body{"mobile": nextNumber, "sms_code": code}).want(422, "4103"); refused.Fields["agree"] == "" {
		t.Errorf("refused with %v", refused.Fields)
	}
	p.get("/v1/sessions/current").want(401, "4101")
	p.post("/v1/sessions", body{"mobile": nextNumber, "sms_code": code, "agree": true}).want(201, "0")
}

func TestFirstSignIn_counts_as_a_registration(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) {
		signInCreates(s)
		s.Limits[limits.RegisterIP] = limits.Limit{Name: limits.RegisterIP, Count: 1, Period: time.Hour}
	})
	p := b.person()
	p.signInByCode(number, true).want(201, "0")
	code := p.code(nextNumber, "login")
	if p.post("/v1/sessions", body{"mobile": nextNumber, "sms_code": code, "agree": true}).want(429, "4206").header.Get("Retry-After") == "" {
		t.Error("no time to wait")
	}
	b.clock.Advance(time.Minute)
	p.signInByCode(number, true).want(201, "0") // a sign-in to an account costs nothing of it
	if exists := must(b.store.Exists(t.Context(), accounts.Key{By: accounts.ByMobile, Value: nextNumber}))(t); exists {
		t.Error("the account was made")
	}
}

func TestFirstSignIn_with_one_code_from_50_clients_makes_one_account(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) {
		signInCreates(s)
		for _, name := range []limits.Name{limits.LoginIP, limits.RegisterIP} {
			s.Limits[name] = limits.Limit{Name: name, Count: 1000, Period: time.Hour}
		}
	})
	code := b.person().code(number, "login")
	ids := make(chan string, 50)
	var group sync.WaitGroup
	for range cap(ids) {
		p := b.person()
		group.Go(func() {
			r := p.post("/v1/sessions", body{"mobile": number, "sms_code": code, "agree": true})
			switch r.status {
			case http.StatusCreated:
				ids <- r.Data["id"].(string)
			case http.StatusUnprocessableEntity, http.StatusTooManyRequests:
			default:
				t.Errorf("status %d: %s", r.status, r.text)
			}
		})
	}
	group.Wait()
	var count int
	if err := b.db.Unwrap().GetContext(t.Context(), &count, "select count(*) from accounts"); err != nil || count != 1 || len(ids) != 1 {
		t.Errorf("%d accounts, %d sign-ins with one code, %v", count, len(ids), err)
	}
}

func TestFirstSignIn_account_chooses_a_name_and_a_password(t *testing.T) {
	t.Parallel()
	b := setup(t, signInCreates)
	b.person().signUp("li_lei", nextNumber)
	b.clock.Advance(time.Minute)
	p := b.person()
	p.signInByCode(number, true).want(201, "0")

	p.put("/v1/account/username", body{"username": "x"}).want(422, "4103")
	p.put("/v1/account/username", body{"username": "ＬI_LEI"}).want(409, "4003")
	p.put("/v1/account/username", body{"username": "han_mei"}).want(200, "0").golden("account_username")
	if twice := p.put("/v1/account/username", body{"username": "han_mei_2"}).want(409, "4003"); len(twice.Fields) != 0 {
		t.Errorf("a second name is refused as if it was taken: %v", twice.Fields)
	}
	before := p.cookie()
	set := p.put("/v1/account/password", body{"password": password, "password_repeat": password}).want(200, "0")
	if set.Data["has_password"] != true || p.cookie() == before {
		t.Errorf("after the first password: %s", set.text)
	}
	p.put("/v1/account/password", body{"password": nextPassword, "password_repeat": nextPassword}).want(422, "4103")
	b.person().post("/v1/sessions", body{"login": "han_mei", "password": password}).want(201, "0")
}

func TestFirstSignIn_account_without_a_password_is_changed_only_after_a_recent_sign_in(t *testing.T) {
	t.Parallel()
	b := setup(t, signInCreates)
	p := b.person()
	p.signInByCode(number, true).want(201, "0")
	b.clock.Advance(accounts.RecentSignIn)
	p.get("/v1/sessions/current").want(200, "0")
	p.put("/v1/account/password", body{"password": password, "password_repeat": password}).want(403, "4210")
	p.put("/v1/account/email", body{"email": address}).want(403, "4210")
	p.put("/v1/account/mobile", body{"mobile": nextNumber, "sms_code": p.code(nextNumber, "change_mobile")}).want(403, "4210")
	b.clock.Advance(time.Minute)

	p.signInByCode(number, false).want(201, "0")
	p.put("/v1/account/email", body{"email": address}).want(200, "0")
	if mails := b.mails.all(); len(mails) != 1 || mails[0].Purpose != accounts.MailActivation {
		t.Errorf("mails: %+v", mails)
	}
	p.put("/v1/account/password", body{"password": password, "password_repeat": password}).want(200, "0")
	b.clock.Advance(accounts.RecentSignIn)
	p.put("/v1/account/password", newPasswords(password, nextPassword)).want(200, "0")
}

func TestFirstSignIn_leaves_no_number_in_logs(t *testing.T) {
	t.Parallel()
	b := setup(t, signInCreates)
	p := b.person()
	p.signInByCode(number, true).want(201, "0")
	if logs := b.logs.String(); strings.Contains(logs, number) || strings.Contains(logs, b.lastCode()) {
		t.Errorf("the log has the number or the code:\n%s", logs)
	}
	if purpose := b.sms.all()[0].Purpose; purpose != verify.Login {
		t.Errorf("the code is for %s", purpose)
	}
}
