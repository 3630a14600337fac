package api_test

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"usher/accounts"
)

const ownersPassword = "the owner's own words"

// undoToken derives the token of the newest mail of a purpose to an address, as a worker would.
func (b *bundle) undoToken(purpose accounts.MailPurpose, to string) string {
	b.t.Helper()
	for _, mail := range slices.Backward(b.mails.all()) {
		if mail.Purpose != purpose || mail.To.Reveal() != to {
			continue
		}
		if mail.Facts.Change == "" {
			b.t.Fatalf("the mail %s to %s has no link", purpose, to)
		}
		var account accounts.Account
		if err := b.db.Unwrap().GetContext(b.t.Context(), &account.ID, "select account_id from messages where id = ?", mail.ID); err != nil {
			b.t.Fatal(err)
		}
		return must(accounts.UndoToken(b.keys, accounts.ClaimedMail{Mail: mail, Account: account}))(b.t)
	}
	b.t.Fatalf("no mail %s to %s", purpose, to)
	return ""
}

func undoBody(more body) body {
	b := body{"password": ownersPassword, "password_repeat": ownersPassword}
	maps.Copy(b, more)
	return b
}

// changeNumber is what a person with a session and the password does.
func (p *person) changeNumber(to string) *reply {
	p.b.t.Helper()
	return p.put("/v1/account/mobile", body{"mobile": to, "sms_code": p.code(to, "change_mobile"), "password": password})
}

func TestUndo_of_what_an_intruder_has_changed(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	owner := b.proved()
	intruder := b.signedIn(false)
	intruder.changeNumber(nextNumber).want(200, "0")
	intruder.wantSignedIn(true)
	owner.wantSignedIn(false)
	told := b.mails.all()[1]
	if told.Purpose != accounts.MailMobileChanged || told.To.Reveal() != address || told.Network != "127.0.0.0/24" ||
		told.Facts.Former != "138****8000" || told.Facts.Present != "139****9000" {
		t.Errorf("mail = %+v", told)
	}
	b.clock.Advance(time.Minute)
	intruder.put("/v1/account/email", body{"email": nextAddress, "password": password}).want(200, "0")
	intruder.post("/v1/activations", body{"token": b.lastToken(nextAddress)}).want(200, "0")
	b.clock.Advance(time.Hour)
	// The number that the intruder has brought opens the account, and gives no power over it.
	reset := body{"mobile": nextNumber, "sms_code": intruder.code(nextNumber, "reset_password"), "password": nextPassword, "password_repeat": nextPassword}
	intruder.post("/v1/password-resets", reset).want(403, "4209")

	link := b.undoToken(accounts.MailMobileChanged, address)
	got := owner.post("/v1/account-changes/undo", undoBody(body{"token": link})).want(200, "0")
	account, _ := got.Data["account"].(map[string]any)
	if lost, _ := got.Data["not_restored"].([]any); account["mobile"] != "138****8000" || account["email"] != "l***@example.com" || len(lost) != 0 {
		t.Errorf("account is %v, not restored %v", account, lost)
	}
	intruder.wantSignedIn(false)
	b.clock.Advance(time.Minute)
	intruder.post("/v1/password-resets", reset).want(404, "4104")
	intruder.post("/v1/sessions", body{"mobile": nextNumber, "sms_code": intruder.code(nextNumber, "login")}).want(404, "4104")
	intruder.post("/v1/sessions", body{"login": "li_lei", "password": password}).want(401, "4102")
	owner.post("/v1/sessions", body{"login": "li_lei", "password": ownersPassword}).want(201, "0")
	owner.post("/v1/account-changes/undo", undoBody(body{"token": link})).want(422, "4207")
	owner.wantSignedIn(true)
	b.wantNoSecrets(number, nextNumber, address, nextAddress, password, ownersPassword, link)
}

func TestUndo_by_the_number_that_the_account_had(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	intruder := b.person()
	intruder.signUp("li_lei", number) // a number and nothing else
	b.clock.Advance(time.Minute)
	intruder.changeNumber(nextNumber).want(200, "0")
	b.clock.Advance(time.Minute)
	owner := b.person()
	const unknown = "13700137000"
	for _, mobile := range []string{number, unknown} {
		code := owner.code(mobile, "undo_change")
		owner.post("/v1/account-changes/undo", undoBody(body{"mobile": mobile, "sms_code": wrongFor(code)})).want(422, "4204")
		b.clock.Advance(time.Minute)
	}
	owner.post("/v1/account-changes/undo", undoBody(body{"mobile": unknown, "sms_code": b.lastCode()})).want(404, "4002")
	code := owner.code(number, "undo_change")
	owner.post("/v1/account-changes/undo", undoBody(body{"mobile": number, "sms_code": code, "password": "short", "password_repeat": "short"})).want(422, "4103")
	owner.post("/v1/account-changes/undo", undoBody(body{"mobile": number, "sms_code": code})).want(200, "0")
	intruder.wantSignedIn(false)
	owner.post("/v1/sessions", body{"login": number, "password": ownersPassword}).want(201, "0")
}

func TestUndo_says_what_another_account_has_by_now(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	owner := b.proved()
	owner.changeNumber(nextNumber).want(200, "0")
	b.clock.Advance(time.Minute)
	b.person().signUp("han_mei", number)
	got := owner.post("/v1/account-changes/undo", undoBody(body{"token": b.undoToken(accounts.MailMobileChanged, address)})).want(200, "0")
	account, _ := got.Data["account"].(map[string]any)
	if lost, _ := got.Data["not_restored"].([]any); len(lost) != 1 || lost[0] != "mobile" || account["mobile"] != "" {
		t.Errorf("account is %v, not restored %v", account, lost)
	}
}

func TestUndo_refuses(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	p.changeNumber(nextNumber).want(200, "0")
	link := b.undoToken(accounts.MailMobileChanged, address)
	for title, c := range map[string]struct {
		body  body
		errno string
	}{
		"nothing":            {body{}, "4103"},
		"a made-up link":     {undoBody(body{"token": "k1.e30.AAAA"}), "4208"},
		"another kind":       {undoBody(body{"token": b.lastToken(address)}), "4208"},
		"a common password":  {body{"token": link, "password": "12345678", "password_repeat": "12345678"}, "4103"},
		"the account's name": {body{"token": link, "password": "li_lei", "password_repeat": "li_lei"}, "4103"},
	} {
		t.Log(title)
		p.post("/v1/account-changes/undo", c.body).want(422, c.errno)
	}
	p.post("/v1/activations", body{"token": link}).want(422, "4208")
	b.clock.Advance(accounts.UndoWindow)
	p.post("/v1/account-changes/undo", undoBody(body{"token": link})).want(422, "4207")
}

func TestUndo_page_works_without_a_script(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	p.changeNumber(nextNumber).want(200, "0")
	p.get("/forgot").wantPage(200, `href="/undo"`)
	link := b.undoToken(accounts.MailMobileChanged, address)
	page := p.get("/undo?token="+url.QueryEscape(link)).wantPage(200, "撤销账号更改")
	if page.header.Get("Referrer-Policy") != "strict-origin" || strings.Contains(page.text, `name="mobile"`) {
		t.Error("the page passes its address on, or asks for a number")
	}
	p.wantSignedIn(true) // looking at the page changes nothing
	form := url.Values{"token": {link}, "password": {ownersPassword}, "password_repeat": {"another"}, "action": {"undo"}}
	p.submit("/undo", form).wantPage(422, "两次输入的密码不一致")
	form.Set("password_repeat", ownersPassword)
	p.submit("/undo", form).wantPage(200, "<div data-done>")
	p.submit("/undo", form).wantPage(422, "撤销链接已过期或已被使用")

	b.clock.Advance(time.Minute)
	p.signInWith(ownersPassword)
	p.put("/v1/account/mobile", body{"mobile": nextNumber, "sms_code": p.code(nextNumber, "change_mobile"), "password": ownersPassword}).want(200, "0")
	b.clock.Advance(time.Minute)
	stranger := b.person()
	form = url.Values{"mobile": {number}, "captcha": {captchaText}, "action": {"send_code"}}
	form.Set("captcha_id", stranger.get("/undo?lang=en").wantPage(200, "Undo an account change").captchaOf())
	stranger.submit("/undo", form).wantPage(200, "We have sent you a code")
	form = url.Values{
		"mobile": {number}, "sms_code_id": {b.codeID(number)}, "sms_code": {b.lastCode()},
		"password": {nextPassword}, "password_repeat": {nextPassword}, "action": {"undo"},
	}
	stranger.submit("/undo", form).wantPage(200, "<div data-done>")
	p.wantSignedIn(false)
}

// signInWith signs li_lei in.
func (p *person) signInWith(password string) {
	p.b.t.Helper()
	p.post("/v1/sessions", body{"login": "li_lei", "password": password}).want(201, "0")
}

func TestChanges_of_an_account_have_a_day_s_limit(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	both := []string{password, nextPassword}
	for i := range 20 {
		p.put("/v1/account/password", newPasswords(both[i%2], both[(i+1)%2])).want(200, "0")
	}
	p.put("/v1/account/password", newPasswords(both[0], both[1])).want(429, "4206")
}
