package api_test

import (
	"net/url"
	"testing"
	"time"

	"usher/accounts"
)

// passed is an account whose number another person has by now.
func passed(t *testing.T) *bundle {
	t.Helper()
	b := setup(t, nil)
	b.proved()
	b.clock.Advance(180 * 24 * time.Hour)
	return b
}

func TestNumber_that_changed_hands_opens_nothing_by_a_code(t *testing.T) {
	t.Parallel()
	b := passed(t)
	p := b.person()
	code := p.code(number, "login")
	right := body{"mobile": number, "sms_code_id": b.codeID(number), "sms_code": code}
	p.post("/v1/sessions", body{"mobile": number, "sms_code": wrongFor(code)}).want(422, "4204")
	p.post("/v1/sessions", right).want(403, "4210")
	p.wantSignedIn(false)
	b.clock.Advance(time.Minute)
	p.post("/v1/password-resets", body{
		"mobile": number, "sms_code": p.code(number, "reset_password"), "password": nextPassword, "password_repeat": nextPassword,
	}).want(403, "4210")
	// The owner comes back with the second proof, and the code that was refused works.
	owner := b.person()
	owner.post("/v1/sessions", body{"login": number, "password": password}).want(201, "0")
	p.post("/v1/sessions", right).want(201, "0")
}

func TestNumber_that_changed_hands_passes_to_a_new_account(t *testing.T) {
	t.Parallel()
	b := passed(t)
	p := b.person()
	view := p.signUp("new_holder", number)
	if view.Data["active"] != true || view.Data["mobile"] != "" || view.Data["pending_mobile"] != "138****8000" {
		t.Errorf("account is %v", view.Data)
	}
	p.wantSignedIn(true)
	p.get("/account").wantPage(200, "正在转入")
	told := b.mails.all()[1]
	if told.Purpose != accounts.MailNumberClaimed || told.To.Reveal() != address || told.Facts.Former != "138****8000" {
		t.Errorf("mail = %+v", told)
	}
	b.clock.Advance(time.Minute)
	again := b.person()
	got := again.post("/v1/sessions", body{"mobile": number, "sms_code": again.code(number, "login")}).want(201, "0")
	if got.Data["username"] != "new_holder" {
		t.Errorf("the code opens %v", got.Data)
	}
	b.clock.Advance(accounts.ClaimWindow)
	if n, err := b.store.HandOver(t.Context(), b.clock.Now().Add(-accounts.ClaimWindow), 10); n != 1 || err != nil {
		t.Fatalf("HandOver = %d, %v", n, err)
	}
	got = again.post("/v1/sessions", body{"login": number, "password": password}).want(201, "0")
	if got.Data["username"] != "new_holder" || got.Data["mobile"] != "138****8000" || got.Data["pending_mobile"] != nil {
		t.Errorf("after the time the number is of %v", got.Data)
	}
	b.person().post("/v1/sessions", body{"login": address, "password": password}).want(201, "0") // the account before is there
}

func TestNumber_stays_with_the_account_that_answers(t *testing.T) {
	t.Parallel()
	for title, answer := range map[string]func(*bundle, *person){
		"with the password": func(_ *bundle, p *person) { p.signInWith(password) },
		"by the mail's link": func(b *bundle, p *person) {
			p.post("/v1/account-changes/undo", undoBody(body{"token": b.undoToken(accounts.MailNumberClaimed, address)})).want(200, "0")
		},
	} {
		b := passed(t)
		claimer := b.person()
		claimer.signUp("new_holder", number)
		b.clock.Advance(24 * time.Hour)
		answer(b, b.person())
		p := b.person()
		got := p.post("/v1/sessions", body{"mobile": number, "sms_code": p.code(number, "login")}).want(201, "0")
		if got.Data["username"] != "li_lei" {
			t.Errorf("%s: the code opens %v", title, got.Data)
		}
		b.clock.Advance(accounts.ClaimWindow)
		if n, err := b.store.HandOver(t.Context(), b.clock.Now().Add(-accounts.ClaimWindow), 10); n != 0 || err != nil {
			t.Errorf("%s: HandOver = %d, %v", title, n, err)
		}
	}
}

func TestLogin_page_offers_the_choice(t *testing.T) {
	t.Parallel()
	b := passed(t)
	p := b.person()
	code := p.code(number, "login")
	form := url.Values{"mode": {"code"}, "mobile": {number}, "sms_code_id": {b.codeID(number)}, "sms_code": {code}, "action": {"code"}}
	p.get("/login?mode=code").wantPage(200, "data-second-proof hidden")
	p.submit("/login", form).wantPage(403, `<div class="second" data-second-proof>`)
}

func TestSession_in_use_keeps_an_account_in_sight(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.proved()
	p := b.signedIn(true)
	for range 6 {
		b.clock.Advance(24 * time.Hour)
		p.wantSignedIn(true)
	}
	account, err := b.store.Find(t.Context(), accounts.Key{By: accounts.ByUsername, Value: "li_lei"})
	if err != nil || b.clock.Now().Sub(account.SeenAt) > 24*time.Hour {
		t.Errorf("seen at %v, %v, now it is %v", account.SeenAt, err, b.clock.Now())
	}
}
