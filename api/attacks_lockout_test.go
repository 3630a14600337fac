package api_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"usher/accounts"
	"usher/api"
	"usher/limits"
	"usher/passwords"
	"usher/store/redisstore"
)

// What strangers do to one person, who wants to sign in all the same.

// priced asks for a captcha of a price, and returns its id and its answer.
func (p *person) priced(price string) (id, answer string) {
	p.b.t.Helper()
	asked := p.post("/v1/captchas", body{"price": price}).want(201, "0")
	return asked.str("captcha_id"), asked.solved()
}

// askFor asks for a code to sign in with.
func (p *person) askFor(mobile, price string) *reply {
	p.b.t.Helper()
	id, answer := p.priced(price)
	return p.post("/v1/sms-codes", body{"mobile": mobile, "purpose": "login", "captcha_id": id, "captcha": answer})
}

// tryPaying gives a password with a captcha of the high price.
func (p *person) tryPaying(login, secret string) *reply {
	p.b.t.Helper()
	id, answer := p.priced("high")
	return p.post("/v1/sessions", body{"login": login, "password": secret, "captcha_id": id, "captcha": answer})
}

// besiege has strangers, each from a network of its own, ask for every code that they get of a number, pay or not.
func (b *bundle) besiege(mobile string) (sent int) {
	b.t.Helper()
	before := len(b.sms.all())
	for i := range 24 { // an hour, in which a code a minute is allowed
		stranger := b.at(anyAddress(i))
		if got := stranger.askFor(mobile, "normal"); got.status != http.StatusAccepted {
			stranger.askFor(mobile, "high")
		}
		b.clock.Advance(150 * time.Second)
	}
	return len(b.sms.all()) - before
}

func TestStrangers_leave_the_owner_a_share_of_the_codes(t *testing.T) {
	t.Parallel()
	b := onRedis(t, func(s *api.Server, _ *redisstore.Store) {
		delete(s.Limits, limits.SMSPrefix) // of one prefix everybody has a share, see docs/limits.md
	})
	owner := b.at("192.0.2.1")
	owner.signUp("li_lei", number)
	b.clock.Advance(25 * time.Hour)
	held := owner.askFor(number, "normal").want(202, "0").str("sms_code_id")
	code := b.lastCode()
	b.clock.Advance(time.Minute)
	if got := b.at("198.51.100.1").askFor(number, "normal"); got.status != http.StatusAccepted {
		t.Fatalf("a stranger's code: %s", got.text)
	}
	// A code that the stranger asked for does not end the owner's.
	owner.post("/v1/sessions", body{"mobile": number, "sms_code": code, "sms_code_id": held}).want(201, "0")

	b.clock.Advance(25 * time.Hour)
	sent := b.besiege(number)
	if want := limits.Defaults()[limits.SMSUnknownHour].Count; sent != want {
		t.Errorf("strangers had %d codes sent in an hour, want %d", sent, want)
	}
	b.at("198.51.100.2").askFor(number, "high").want(429, "4206")
	owner.post("/v1/sessions", body{"mobile": number, "sms_code": owner.code(number, "login")}).want(201, "0")

	// A person on a new network finds the share of those who pay, as long as no stranger paid.
	b.clock.Advance(25 * time.Hour)
	for i := range 3 {
		b.at(anyAddress(i)).askFor(number, "normal").want(202, "0")
		b.clock.Advance(time.Minute)
	}
	traveller := b.at("203.0.113.9")
	if got := traveller.askFor(number, "normal").want(422, "4202"); got.Data["captcha_price"] != "high" {
		t.Errorf("the traveller is not told what would help: %s", got.text)
	}
	traveller.askFor(number, "high").want(202, "0")
	traveller.post("/v1/sessions", body{"mobile": number, "sms_code": b.lastCode()}).want(201, "0")
}

// Strangers use up all that is counted by the name and the number of a person: codes, the pause between codes, the
// attempts of each code they can name, passwords with and without captchas, cheap and dear ones. The owner is on a
// network that nothing is known of, and has the password.
func TestStrangers_cannot_close_both_password_and_code(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	b.at("192.0.2.1").signUp("li_lei", number)
	b.clock.Advance(31 * 24 * time.Hour) // no network is known any more
	b.besiege(number)
	for i := range 3 * failures {
		stranger := b.at(anyAddress(i))
		stranger.try("li_lei", "wrong password", false)
		stranger.try("li_lei", "wrong password", true)
		stranger.tryPaying("li_lei", "wrong password")
		stranger.check(number, "000000", "login")
	}

	owner := b.at("203.0.113.9")
	owner.askFor(number, "high").want(429, "4206") // the code is closed
	wanted := owner.try("li_lei", password, true).want(422, "4202")
	if wanted.Data["captcha_price"] != "high" {
		t.Fatalf("the owner is not told what would help: %s", wanted.text)
	}
	owner.try("li_lei", password, false).want(422, "4202")
	owner.tryPaying("li_lei", "mistyped password").want(401, "4102")
	owner.tryPaying("li_lei", password).want(201, "0")
	owner.try("li_lei", password, true).want(201, "0") // the network is known now

	// A stranger who pays is held to the allowance of a network.
	stranger := b.at("198.51.100.9")
	for range limits.Defaults()[limits.LoginNameNet].Count {
		stranger.tryPaying("li_lei", "wrong password").want(401, "4102")
	}
	stranger.tryPaying("li_lei", password).want(429, "4206")
}

// A stranger whose user name is compared as the number of another person, as one of an older version may be, is a stranger
// to that number: their network gets a stranger's share of its codes.
func TestStrangers_are_not_known_by_a_name_that_looks_like_a_number(t *testing.T) {
	t.Parallel()
	const victim, lookalike = "13800138006", "1380013800\u0431" // a Cyrillic letter like a six
	b := onRedis(t, nil)
	b.at("192.0.2.1").signUp("li_lei", victim)
	stranger := b.at("198.51.100.9")
	stranger.post("/v1/registrations", body{
		"username": lookalike, "password": password, "password_repeat": password, "agree": true, "email": "li@example.com",
		"captcha_id": stranger.captcha(), "captcha": captchaText,
	}).want(422, "4103")

	hash := must(b.face.Accounts.Passwords.Hash(t.Context(), password, passwords.First))(t)
	older := accounts.Account{
		ID: uuid.NewString(), Username: lookalike, PasswordHash: hash, Active: true, ActivationGeneration: 1, SessionGeneration: 1,
		CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now(),
	}
	if err := b.store.Create(t.Context(), older, nil); err != nil {
		t.Fatal(err)
	}
	stranger.try(lookalike, password, false).want(201, "0")
	b.clock.Advance(25 * time.Hour)
	for range limits.Defaults()[limits.SMSStrangerHour].Count {
		stranger.askFor(victim, "normal").want(202, "0")
		b.clock.Advance(time.Minute)
	}
	stranger.askFor(victim, "normal").want(422, "4202")
}

// Strangers use up everybody's captchas and the three wrong passwords that a name has without one. Where the owner has
// been before, the password needs none.
func TestStrangers_who_use_up_captchas_leave_known_networks_the_password(t *testing.T) {
	t.Parallel()
	b := onRedis(t, func(s *api.Server, _ *redisstore.Store) {
		all := s.Limits[limits.CaptchaIP.All()]
		all.Count = 6
		s.Limits[all.Name] = all
	})
	owner := b.at("192.0.2.1")
	owner.signUp("li_lei", number)
	for i := range 7 {
		stranger := b.at(anyAddress(i))
		stranger.try("li_lei", "wrong password", false)
		stranger.post("/v1/captchas", body{})
	}
	b.at("198.51.100.9").post("/v1/captchas", body{}).want(429, "4206")
	b.at("198.51.100.9").try("li_lei", password, false).want(422, "4202")
	owner.try("li_lei", password, false).want(201, "0")
}
