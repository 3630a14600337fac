package api_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/api"
	"usher/contact"
	"usher/internal/testkit"
	"usher/limits"
	"usher/verify"
)

// mailedCode is a code by mail as its reader sees it.
type mailedCode struct{ address, id, code, token string }

// typed is the body of a request with the code.
func (m mailedCode) typed(b body) body {
	b = maps.Clone(b)
	b["email"], b["email_code_id"], b["email_code"] = m.address, m.id, m.code
	return b
}

// pressed is the body of a request with the token of the button.
func (m mailedCode) pressed(b body) body {
	b = maps.Clone(b)
	b["email_code_token"] = m.token
	return b
}

// mailCode asks for a code by mail, and reads the mail as the worker would write it.
func (p *person) mailCode(address, purpose string) mailedCode {
	p.b.t.Helper()
	id := p.post("/v1/email-codes", body{
		"email": address, "purpose": purpose, "captcha_id": p.captcha(), "captcha": captchaText,
	}).want(202, "0").str("email_code_id")
	return p.b.readMailCode(id)
}

func (b *bundle) readMailCode(id string) mailedCode {
	b.t.Helper()
	for _, q := range b.sms.all() {
		if q.ID == id {
			to := q.To.(contact.Email)
			return mailedCode{
				address: to.Reveal(), id: id, code: must(b.keys.Code(q.Derivation()))(b.t),
				token: must(verify.LinkToken(b.keys, q, verify.SealEmail(b.keys, q.ID, to)))(b.t),
			}
		}
	}
	b.t.Fatal("no such code was enqueued")
	return mailedCode{}
}

func (m mailedCode) wrong() mailedCode {
	first := "0"
	if strings.HasPrefix(m.code, first) {
		first = "1"
	}
	m.code = first + m.code[1:]
	return m
}

func newAccount(username string) body {
	return body{"username": username, "password": password, "password_repeat": password, "agree": true}
}

func newPassword(text string) body { return body{"password": text, "password_repeat": text} }

// signUpByMailCode signs up with an address that a code proves.
func (p *person) signUpByMailCode(username, address string) *reply {
	p.b.t.Helper()
	got := p.post("/v1/registrations", p.mailCode(address, "register").typed(newAccount(username))).want(201, "0")
	p.b.clock.Advance(time.Minute)
	return got
}

func TestJourney_by_mail_code(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(mailedCode, body) body{"typed": mailedCode.typed, "button": mailedCode.pressed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			p, other := b.person(), b.person()
			register := p.mailCode(address, "register")
			got := p.post("/v1/registrations", use(register, newAccount("li_lei"))).want(201, "0")
			if got.Data["active"] != true || got.Data["email_active"] != true || got.Data["email"] != "l***@example.com" {
				t.Errorf("registered account is %v", got.Data)
			}
			p.wantSignedIn(true)
			if mails := b.mails.all(); len(mails) != 0 {
				t.Errorf("mails after the registration: %v", mails)
			}
			b.clock.Advance(time.Minute)

			login := other.mailCode(address, "login")
			other.post("/v1/sessions", use(login, body{"remember": true})).want(201, "0")
			other.wantSignedIn(true)
			b.clock.Advance(time.Minute)

			reset := b.person().mailCode(address, "reset_password")
			other.post("/v1/password-resets", use(reset, newPassword(nextPassword))).want(200, "0")
			p.wantSignedIn(false)
			other.wantSignedIn(false)
			p.post("/v1/sessions", body{"login": address, "password": password}).want(401, "4102")
			p.post("/v1/sessions", body{"login": address, "password": nextPassword}).want(201, "0")
			b.clock.Advance(time.Minute)

			change := p.mailCode(nextAddress, "change_email")
			changed := p.put("/v1/account/email", use(change, body{"password": nextPassword})).want(200, "0")
			if changed.Data["email"] != "h***@example.com" || changed.Data["email_active"] != true || changed.Data["pending_email"] != nil {
				t.Errorf("changed account is %v", changed.Data)
			}
			p.wantSignedIn(true)
			p.post("/v1/sessions", body{"login": nextAddress, "password": nextPassword}).want(201, "0")
			p.post("/v1/sessions", body{"login": address, "password": nextPassword}).want(401, "4102")
			p.post("/v1/account-changes/undo", body{
				"token": b.undoToken(accounts.MailEmailChanged, address), "password": password, "password_repeat": password,
			}).want(200, "0")
			p.post("/v1/sessions", body{"login": address, "password": password}).want(201, "0")
			for _, m := range []mailedCode{register, login, reset, change} {
				b.wantNoSecrets(m.address, m.code, m.token, password)
			}
		})
	}
}

func TestRegistration_by_both_codes(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	form := newAccount("li_lei")
	form["mobile"], form["sms_code"] = number, p.code(number, "register")
	mailed := p.mailCode(address, "register")
	p.post("/v1/registrations", mailed.wrong().typed(form)).want(422, "4204") // the code by SMS is restored
	got := p.post("/v1/registrations", mailed.typed(form)).want(201, "0")
	if got.Data["mobile"] != "138****8000" || got.Data["email_active"] != true {
		t.Errorf("registered account is %v", got.Data)
	}
	p.wantSignedIn(true)
}

func TestRegistration_by_mail_code_sent_twice_says_so(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	mailed := p.mailCode(address, "register")
	p.post("/v1/registrations", mailed.typed(newAccount("li_lei"))).want(201, "0")
	again := b.person().post("/v1/registrations", mailed.pressed(newAccount("li_lei"))).want(409, "4003")
	if !strings.Contains(again.Fields["email"], "直接登录") {
		t.Errorf("fields = %v", again.Fields)
	}
}

func TestRegistration_by_mail_code_needs_no_captcha_and_costs_no_mail(t *testing.T) {
	t.Parallel()
	b := setup(t, func(s *api.Server) {
		s.Limits[limits.MailTotalHour] = limits.Limit{Name: limits.MailTotalHour, Count: 1, Period: time.Hour}
	})
	b.person().signUpByMailCode("li_lei", address)
	b.person().signUpByMailCode("han_meimei", nextAddress)
}

func TestMail_code_refuses(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUpByMailCode("li_lei", address)
	mailed := p.mailCode(address, "login")
	b.clock.Advance(time.Minute)
	next := p.mailCode(nextAddress, "login")
	b.clock.Advance(time.Minute)
	reset := p.mailCode(address, "reset_password")
	stranger := b.person()
	stranger.signUpByEmail("han_meimei", nextAddress).want(201, "0")
	activation := b.lastToken(nextAddress)
	stranger = b.person()
	for name, c := range map[string]struct {
		errno string
		given body
	}{
		"wrong code":                    {"4204", mailed.wrong().typed(body{})},
		"code of another address":       {"4203", mailedCode{address, next.id, next.code, ""}.typed(body{})},
		"code of another purpose":       {"4203", reset.typed(body{})},
		"button of another purpose":     {"4203", reset.pressed(body{})},
		"button beside another address": {"4203", mailed.pressed(body{"email": nextAddress})},
		"broken token":                  {"4208", body{"email_code_token": mailed.token + "x"}},
		"token of another kind":         {"4208", body{"email_code_token": activation}},
		"unknown id":                    {"4203", mailedCode{address, strings.Repeat("A", 44), mailed.code, ""}.typed(body{})},
	} {
		if got := stranger.post("/v1/sessions", c.given); got.status != http.StatusUnprocessableEntity || got.Errno != c.errno {
			t.Errorf("%s: got %d, errno %s, want 422, %s", name, got.status, got.Errno, c.errno)
		}
	}
	for _, missing := range []string{"email", "email_code_id", "email_code"} {
		given := mailed.typed(body{})
		delete(given, missing)
		if got := stranger.post("/v1/sessions", given).want(422, "4103"); len(got.Fields) != 1 || got.Fields[missing] == "" {
			t.Errorf("without %s: fields %v", missing, got.Fields)
		}
	}
	stranger.post("/v1/sessions", mailed.typed(body{})).want(201, "0") // none of these has spent the code
}

func TestMail_code_ends(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.person()
	p.signUpByMailCode("li_lei", address)
	first := p.mailCode(address, "login")
	b.clock.Advance(time.Minute)
	second := b.readMailCode(p.post("/v1/email-codes", body{
		"email": address, "purpose": "login", "email_code_id": first.id, "captcha_id": p.captcha(), "captcha": captchaText,
	}).want(202, "0").str("email_code_id"))
	for name, given := range map[string]body{"superseded code": first.typed(body{}), "superseded button": first.pressed(body{})} {
		if got := p.post("/v1/sessions", given); got.Errno != "4203" {
			t.Errorf("%s: errno %s", name, got.Errno)
		}
	}
	b.clock.Advance(10*time.Minute + time.Second)
	for name, given := range map[string]body{"expired code": second.typed(body{}), "expired button": second.pressed(body{})} {
		if got := p.post("/v1/sessions", given); got.Errno != "4203" {
			t.Errorf("%s: errno %s", name, got.Errno)
		}
	}
}

// withoutAddressLimits lets one address send what an attack needs.
func withoutAddressLimits(s *api.Server) {
	for _, name := range []limits.Name{limits.RegisterIP, limits.LoginIP, limits.ResetIP, limits.ChangeAccount, limits.ChangesDay} {
		delete(s.Limits, name)
		delete(s.Limits, name.Net())
	}
}

func TestAttack_one_mail_code_used_fifty_times_at_once(t *testing.T) {
	t.Parallel()
	const many = 50
	for name, c := range map[string]struct {
		purpose string
		success int
		send    func(p *person, i int, code mailedCode, use func(mailedCode, body) body) *reply
	}{
		"registration": {"register", 201, func(p *person, i int, code mailedCode, use func(mailedCode, body) body) *reply {
			return p.post("/v1/registrations", use(code, newAccount(fmt.Sprintf("somebody_%d", i))))
		}},
		"sign-in": {"login", 201, func(p *person, _ int, code mailedCode, use func(mailedCode, body) body) *reply {
			return p.post("/v1/sessions", use(code, body{}))
		}},
		"reset": {"reset_password", 200, func(p *person, i int, code mailedCode, use func(mailedCode, body) body) *reply {
			return p.post("/v1/password-resets", use(code, newPassword(fmt.Sprintf("another good one %d", i))))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, withoutAddressLimits)
			if c.purpose != "register" {
				b.person().signUpByMailCode("li_lei", address)
			}
			code := b.person().mailCode(address, c.purpose)
			answers := testkit.Parallel(many, func(i int) *reply {
				use := mailedCode.typed
				if i%2 == 1 {
					use = mailedCode.pressed
				}
				return c.send(b.person(), i, code, use)
			})
			won := testkit.Count(answers, func(r *reply) bool { return r.status == c.success })
			refused := testkit.Count(answers, func(r *reply) bool {
				return r.Errno == "4203" || r.Errno == "4205" || r.Errno == "4003" && r.Fields["email"] != ""
			})
			if won != 1 || refused != many-1 {
				t.Errorf("%d of %d got through, %d were refused", won, many, refused)
			}
		})
	}
}

func TestAttack_several_mail_codes_of_one_address_prove_it_once(t *testing.T) {
	t.Parallel()
	b := setup(t, withoutAddressLimits)
	codes := make([]mailedCode, 3)
	for i := range codes {
		codes[i] = b.person().mailCode(address, "register")
		b.clock.Advance(time.Minute)
	}
	// A link of a registration that waits runs beside them.
	waiting := b.person()
	waiting.signUpByEmail("han_meimei", address).want(201, "0")
	token := b.lastToken(address)
	answers := testkit.Parallel(len(codes)+1, func(i int) *reply {
		if i == len(codes) {
			return waiting.post("/v1/activations", body{"token": token})
		}
		return b.person().post("/v1/registrations", codes[i].typed(newAccount(fmt.Sprintf("somebody_%d", i))))
	})
	won := testkit.Count(answers, func(r *reply) bool { return r.Errno == "0" })
	lost := testkit.Count(answers, func(r *reply) bool {
		return r.Errno == "4003" && r.Fields["email"] != "" || r.Errno == "4207" || r.Errno == "4208" // the link's account is gone
	})
	if won != 1 || lost != len(codes) {
		for _, answer := range answers {
			t.Logf("%d %s", answer.status, shorten(answer.text))
		}
		t.Errorf("%d have proved the address, %d were refused", won, lost)
	}
}

func TestStrangers_cannot_tell_by_a_mail_code_who_has_an_account(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.person().signUpByMailCode("li_lei", address)
	b.person().signUpByEmail("han_meimei", nextAddress).want(201, "0")
	for _, path := range []string{"/v1/sessions", "/v1/password-resets", "/v1/registrations"} {
		var first string
		for _, to := range []string{address, nextAddress, "unknown@example.com"} {
			given := mailedCode{to, strings.Repeat("A", 44), "00000000", ""}.typed(body{})
			switch path {
			case "/v1/password-resets":
				maps.Copy(given, newPassword(nextPassword))
			case "/v1/registrations":
				maps.Copy(given, newAccount("somebody_1"))
			}
			got := b.person().post(path, given).want(422, "4203")
			text := strings.ReplaceAll(got.text, got.RequestID, "")
			if first == "" {
				first = text
			}
			if text != first {
				t.Errorf("%s: %s is answered with %s, another address with %s", path, to, text, first)
			}
		}
	}
}

func TestReset_by_mail_code_activates_an_account_that_waits(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	stranger, owner := b.person(), b.person()
	stranger.signUpByEmail("li_lei", address).want(201, "0")
	code := owner.mailCode(address, "login")
	owner.post("/v1/sessions", code.typed(body{})).want(403, "4104")
	b.clock.Advance(time.Minute)
	reset := owner.mailCode(address, "reset_password")
	owner.post("/v1/password-resets", reset.typed(newPassword(nextPassword))).want(200, "0")
	owner.post("/v1/sessions", body{"login": address, "password": nextPassword}).want(201, "0")
	stranger.post("/v1/sessions", body{"login": "li_lei", "password": password}).want(401, "4102")
	stranger.wantSignedIn(false)
	// Nor does the session of the registration prove anything any more.
	stranger.post("/v1/activations/resend", body{"email": address}).want(202, "0")
	if mails := b.mails.all(); len(mails) != 1 {
		t.Errorf("%d mails, want that of the registration alone", len(mails))
	}
}

func TestReset_by_mail_code_is_not_for_an_address_that_waits_beside_a_number(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	owner, reader := b.person(), b.person()
	form := newAccount("li_lei")
	form["mobile"], form["sms_code"], form["email"] = number, owner.code(number, "register"), address
	owner.post("/v1/registrations", form).want(201, "0")
	reset := reader.mailCode(address, "reset_password")
	reader.post("/v1/password-resets", reset.typed(newPassword(nextPassword))).want(404, "4104")
	b.clock.Advance(time.Minute)
	login := reader.mailCode(address, "login")
	reader.post("/v1/sessions", login.typed(body{})).want(404, "4104")
	owner.wantSignedIn(true)
}

func TestReset_by_mail_code_of_an_account_with_a_number_is_undone_by_the_number(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	owner := b.proved()
	thief := b.person()
	thief.post("/v1/password-resets", thief.mailCode(address, "reset_password").typed(newPassword(nextPassword))).want(200, "0")
	owner.wantSignedIn(false) // which the owner notices
	thief.post("/v1/sessions", body{"login": "li_lei", "password": nextPassword}).want(201, "0")
	undo := newPassword("a third good one")
	undo["mobile"], undo["sms_code"] = number, owner.code(number, "undo_change")
	owner.post("/v1/account-changes/undo", undo).want(200, "0")
	thief.wantSignedIn(false)
	owner.post("/v1/sessions", body{"login": "li_lei", "password": "a third good one"}).want(201, "0")
}

func TestChange_of_address_by_mail_code(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p, other := b.proved(), b.person()
	b.person().signUpByMailCode("somebody_1", "taken@example.com")
	other.signIn(false)
	b.person().post("/v1/email-codes", body{
		"email": nextAddress, "purpose": "change_email", "captcha_id": p.captcha(), "captcha": captchaText,
	}).want(401, "4101")
	code := p.mailCode(nextAddress, "change_email")
	p.put("/v1/account/email", code.typed(body{"password": "not the password"})).want(422, "4106")
	p.put("/v1/account/email", code.wrong().typed(body{"password": password})).want(422, "4204")
	b.person().put("/v1/account/email", code.typed(body{"password": password})).want(401, "4101")
	p.put("/v1/account/email", code.typed(body{"password": password})).want(200, "0")
	p.wantSignedIn(true)
	other.wantSignedIn(false)
	p.put("/v1/account/email", code.pressed(body{"password": password})).want(422, "4103") // it is the address by now
	b.clock.Advance(time.Minute)
	taken := p.mailCode("taken@example.com", "change_email")
	p.put("/v1/account/email", taken.typed(body{"password": password})).want(409, "4003")
}
