package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"usher/api"
	"usher/limits"
	"usher/store/redisstore"
)

// Every way in which a request causes an activation mail. Each returns the answer of its i-th request for a mail to the
// address; none waits for a proof of it before, unless the way needs that.
func waysToMail() map[string]func(b *bundle) func(i int, address string) *reply {
	return map[string]func(b *bundle) func(i int, address string) *reply{
		"registration with an address": func(b *bundle) func(int, string) *reply {
			return func(i int, address string) *reply {
				return b.at(anySite(i)).signUpByEmail(fmt.Sprintf("somebody_%d", i), address)
			}
		},
		"registration with a number and an address": func(b *bundle) func(int, string) *reply {
			return func(i int, address string) *reply {
				p := b.at(anySite(i))
				return p.post("/v1/registrations", body{
					"username": fmt.Sprintf("somebody_%d", i), "password": password, "password_repeat": password, "agree": true,
					"mobile": anyNumber(i), "sms_code": p.code(anyNumber(i), "register"), "email": address,
				})
			}
		},
		"change of address": func(b *bundle) func(int, string) *reply {
			return func(i int, address string) *reply { // of one account from here, and of many from everywhere
				p := b.at(anySite(i))
				p.signUp(fmt.Sprintf("somebody_%d", i), anyNumber(i))
				return p.put("/v1/account/email", body{"email": address, "password": password})
			}
		},
	}
}

// mailing is a face with no other limits than those of mails.
func mailing(t *testing.T, setting string) *bundle {
	return onRedis(t, func(s *api.Server, store *redisstore.Store) {
		set := must(limits.Defaults().Parse(setting))(t)
		s.Limits = limits.Set{}
		for _, name := range []limits.Name{limits.ResendEmail, limits.MailDomainHour, limits.MailTotalHour, limits.ChangesDay} {
			s.Limits[name] = set[name]
		}
		store.Rules.Set = s.Limits
	})
}

// mailed counts the requests that sent a mail; all others must be refused by a limit.
func (b *bundle) mailed(n int, ask func(i int, address string) *reply, address func(int) string) int {
	b.t.Helper()
	before := len(b.mails.all())
	for i := range n {
		if got := ask(i, address(i)); got.status >= http.StatusBadRequest && got.status != http.StatusTooManyRequests {
			b.t.Fatalf("request %d: %s", i, got.text)
		}
	}
	return len(b.mails.all()) - before
}

func spelling(i int) string  { return fmt.Sprintf("v+%d@corp.example", i) }
func colleague(i int) string { return fmt.Sprintf("v%d@mail%d.corp.example", i, i) }
func customer(i int) string  { return fmt.Sprintf("v%d@qq.com", i) }
func unrelated(i int) string { return fmt.Sprintf("v%d@corp%d.example", i, i) }
func invented(i int) string  { return fmt.Sprintf("v%d@example.com", i) }
func byOneOf(i int) string   { return fmt.Sprintf("2001:db8:7:%x::1", i%200) }

func TestMails_are_bounded_whatever_causes_them(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, setting string
		address       func(int) string
		want          int
	}{
		{"spellings of one mailbox", "", spelling, 5},
		{"mailboxes of one domain", "mail_domain_hour=7/1h", colleague, 7},
		{"mailboxes of a public provider", "mail_domain_hour=7/1h,mail_total_hour=11/1h", customer, 11},
		{"all together", "mail_total_hour=9/1h", unrelated, 9},
	} {
		for way, asks := range waysToMail() {
			t.Run(test.name+", "+way, func(t *testing.T) {
				t.Parallel()
				b := mailing(t, test.setting)
				if got := b.mailed(25, asks(b), test.address); got != test.want {
					t.Errorf("%d mails, want %d", got, test.want)
				}
			})
		}
	}
}

// The case from outside: one account, one /48, 400 changes of address to spellings of one mailbox, 400 mails.
func TestMails_of_one_account_are_a_handful(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	b.at(byOneOf(0)).signUp("stranger", number)
	before := len(b.mails.all())
	for i := range 400 {
		b.clock.Advance(61 * time.Second)
		p := b.at(byOneOf(i))
		if i%20 == 0 {
			p.try("stranger", password, true)
		}
		p.put("/v1/account/email", body{"email": spelling(i), "password": password})
	}
	if got := len(b.mails.all()) - before; got > 5 {
		t.Errorf("%d mails to one mailbox in 7 hours, want 5 at most", got)
	}
}

func TestMails_of_400_registrations_to_one_mailbox_are_a_handful(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	passed := 0
	for i := range 400 {
		if b.at(anySite(i)).signUpByEmail(fmt.Sprintf("somebody_%d", i), spelling(i)).status == http.StatusCreated {
			passed++
		}
	}
	if got := len(b.mails.all()); got != 5 || passed != 5 {
		t.Errorf("%d mails of %d registrations, want 5", got, passed)
	}
}

// A person who is signed in asks again from the page, where the account counts as well.
func TestMails_asked_for_again_count_for_the_account(t *testing.T) {
	t.Parallel()
	b := mailing(t, "changes_day=4/24h,resend_email=off")
	p := b.person()
	p.signUp("li_lei", number)
	p.put("/v1/account/email", body{"email": address, "password": password}).want(200, "0")
	for range 3 {
		p.post("/v1/activations/resend", body{"email": address}).want(202, "0")
	}
	p.post("/v1/activations/resend", body{"email": address}).want(429, "4206")
	p.put("/v1/account/email", body{"email": "another@example.com", "password": password}).want(429, "4206")
}

// What many share, and what a mailbox may get in a day, is not used up by requests that send nothing.
func TestMails_that_are_not_sent_cost_nobody_else(t *testing.T) {
	t.Parallel()
	b := mailing(t, "mail_domain_hour=2/1h,mail_total_hour=2/1h")
	for i := range 10 {
		p := b.at(anySite(i))
		p.post("/v1/activations/resend", body{"email": invented(i)}).want(202, "0")
		p.post("/v1/registrations", body{
			"username": "han_mei", "password": password, "password_repeat": password, "agree": true,
			"mobile": anyNumber(i), "sms_code": "123456", "email": invented(i),
		}).want(422, "4203")
	}
	p := b.person()
	p.signUpByEmail("li_lei", address).want(201, "0")
	for range 2 { // the second one is not sent, and not refused either: that would tell of the account
		b.person().post("/v1/activations/resend", body{"email": address}).want(202, "0")
	}
	if got := len(b.mails.all()); got != 2 {
		t.Errorf("%d mails, want 2", got)
	}
	p.post("/v1/activations/resend", body{"email": address}).want(429, "4206")
}

// A stranger who asks for mails that no account waits for keeps the owner of the mailbox neither from registering nor from
// asking again.
func TestMails_that_strangers_ask_for_keep_no_owner_from_theirs(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	refused := 0
	for i := range 2 * limits.Defaults()[limits.ResendEmail].Count {
		if b.at(anySite(i)).post("/v1/activations/resend", body{"email": address}).status == http.StatusTooManyRequests {
			refused++
		}
		b.clock.Advance(61 * time.Second)
	}
	if refused == 0 {
		t.Error("the stranger was not refused")
	}
	owner := b.at("192.0.2.1")
	owner.signUpByEmail("li_lei", address).want(201, "0")
	b.at("198.51.100.1").post("/v1/activations/resend", body{"email": address})
	owner.post("/v1/activations/resend", body{"email": address}).want(202, "0")
	if got := len(b.mails.all()); got != 2 {
		t.Errorf("%d mails, want that of the registration and the one that the owner asked for", got)
	}
}
