package api_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"usher/api"
	"usher/apps"
	"usher/limits"
	"usher/store/redisstore"
)

// Addresses, each of another /64: of one customer with a /48, and of many.
func sameSite(i int) string { return fmt.Sprintf("2001:db8:7:%x::1", i) }
func anySite(i int) string  { return fmt.Sprintf("2001:db8:%x::1", i) }

// attempt is a request that a limit by address counts.
type attempt struct {
	prepare func(b *bundle) (given string)
	send    func(p *person, i int, given string) *reply
}

// countedBy has one for every limit by address. What has a total succeeds, where only success counts for it.
func countedBy() map[limits.Name]attempt {
	nothing := func(*bundle) string { return "" }
	ask := attempt{nothing, func(p *person, i int, _ string) *reply { return p.send(anyNumber(i)) }}
	signIn := attempt{nothing, func(p *person, i int, _ string) *reply {
		return p.try(fmt.Sprintf("somebody_%d", i), "wrong password", false)
	}}
	return map[limits.Name]attempt{
		limits.SMSIPHour: ask,
		limits.SMSIPDay:  ask,
		limits.LoginIP:   signIn,
		limits.LoginAddr: signIn,
		limits.CheckIP: {nothing, func(p *person, i int, _ string) *reply {
			return p.check(anyNumber(i), "123456", "login")
		}},
		limits.CaptchaIP: {nothing, func(p *person, _ int, _ string) *reply { return p.post("/v1/captchas", body{}) }},
		limits.CaptchaAudioIP: {nothing, func(p *person, _ int, _ string) *reply {
			return p.post("/v1/captchas", body{"kind": "audio", "replaces": p.captcha()})
		}},
		limits.UndoIP: {nothing, func(p *person, i int, _ string) *reply {
			return p.post("/v1/account-changes/undo", body{
				"mobile": anyNumber(i), "sms_code_id": "made up", "sms_code": "123456", "password": password, "password_repeat": password,
			})
		}},
		limits.LookupIP: {nothing, func(p *person, i int, _ string) *reply {
			if i%2 == 0 {
				return p.get("/v1/mobiles/" + anyNumber(i))
			}
			return p.get(fmt.Sprintf("/v1/usernames/somebody_%d", i))
		}},
		limits.AppKeyIP: {nothing, func(p *person, _ int, _ string) *reply {
			_, invented := apps.NewKey("app_aaaaaaaaaa", p.b.clock.Now())
			p.header.Set("Authorization", "Bearer "+invented)
			return p.get("/v1/verifications/x")
		}},
		limits.StatusIP: {
			func(b *bundle) string { return b.person().send(number).want(202, "0").str("sms_code_id") },
			func(p *person, _ int, id string) *reply { return p.get("/v1/sms-codes/" + id) },
		},
		limits.ActivateIP: {
			func(b *bundle) string {
				b.person().signUpByEmail("li_lei", address).want(201, "0")
				return b.lastToken(address)
			},
			func(p *person, _ int, token string) *reply { return p.post("/v1/activations", body{"token": token}) },
		},
		limits.RegisterIP: {nothing, func(p *person, i int, _ string) *reply {
			return p.signUpByEmail(fmt.Sprintf("somebody_%d", i), fmt.Sprintf("somebody_%d@example.com", i))
		}},
		limits.ResetIP: {
			func(b *bundle) string { b.person().signUp("li_lei", number); return number },
			func(p *person, i int, mobile string) *reply {
				code := "123456" // made up, which costs the network as much
				if i < 20 {
					p.b.clock.Advance(time.Minute)
					code = p.code(mobile, "reset_password")
				}
				return p.post("/v1/password-resets", body{
					"mobile": mobile, "sms_code": code, "password": password, "password_repeat": password,
				})
			},
		},
		limits.EmailCodeIP: {nothing, func(p *person, i int, _ string) *reply {
			return p.post("/v1/email-codes", body{
				"email": fmt.Sprintf("somebody_%d@example.com", i), "purpose": "login", "captcha_id": p.captcha(), "captcha": captchaText,
			})
		}},
		limits.ResendIP: {nothing, func(p *person, i int, _ string) *reply {
			return p.post("/v1/activations/resend", body{"email": fmt.Sprintf("somebody_%d@example.com", i)})
		}},
	}
}

// signUpByEmail registers an account with an address alone.
func (p *person) signUpByEmail(username, email string) *reply {
	p.b.t.Helper()
	return p.post("/v1/registrations", body{
		"username": username, "password": password, "password_repeat": password, "agree": true, "email": email,
		"captcha_id": p.captcha(), "captcha": captchaText,
	})
}

// counting is a face with no other limits than one by address with its companions.
func counting(t *testing.T, name limits.Name, setting string, total int) *bundle {
	return onRedis(t, func(s *api.Server, store *redisstore.Store) {
		set := must(limits.Defaults().Parse(setting))(t)
		s.Limits = limits.Set{name: set[name], name.Net(): set[name.Net()]}
		if all := set[name.All()]; !all.Off() && total > 0 {
			all.Count = total
			s.Limits[all.Name] = all
		}
		store.Rules.Set = s.Limits
	})
}

// passed counts requests from so many addresses that no limit refused.
func (b *bundle) passed(n int, address func(int) string, request attempt) (passed int) {
	given := request.prepare(b)
	for i := range n {
		got := request.send(b.at(address(i)), i, given)
		if got.status != http.StatusTooManyRequests && got.Errno != "4202" {
			passed++
		}
	}
	return passed
}

func TestLimits_by_address_bound_a_network(t *testing.T) {
	t.Parallel()
	requests := countedBy()
	for _, name := range limits.AddressNames() {
		for kind, address := range map[string]func(int) string{"200 /64s of a /48": sameSite, "200 hosts of a /24": sameNetwork} {
			t.Run(string(name)+", "+kind, func(t *testing.T) {
				t.Parallel()
				b := counting(t, name, string(name)+"=2/1h", 0)
				if passed, want := b.passed(200, address, requests[name]), 5*2; passed != want {
					t.Errorf("%d passed, want five times an address's: %d", passed, want)
				}
			})
		}
	}
}

func TestLimits_by_address_bound_everybody(t *testing.T) {
	t.Parallel()
	requests := countedBy()
	withTotal := 0
	for _, name := range limits.AddressNames() {
		if limits.Defaults()[name.All()].Off() {
			continue
		}
		withTotal++
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			const total = 4
			b := counting(t, name, "", total)
			if passed := b.passed(3*total, anySite, requests[name]); passed != total {
				t.Errorf("%d of %d networks passed, want %d", passed, 3*total, total)
			}
		})
	}
	if withTotal < 7 {
		t.Errorf("%d limits have a total: registrations, resets, look-ups, resends, sign-ins, captchas and checks must", withTotal)
	}
}

// Twelve thousand look-ups from one /48 passed once.
func TestNetwork_of_200_customers_asks_no_more_than_five(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	passed := 0
	for i := range 2000 {
		if b.at(sameSite(i%200)).get("/v1/mobiles/"+number).status == http.StatusOK {
			passed++
		}
	}
	if want := limits.Defaults()[limits.LookupIP.Net()].Count; passed != want {
		t.Errorf("%d look-ups passed, want %d", passed, want)
	}
}

// Three single guesses from each /64 of a /48, each at another name: no name and no address stands out.
func TestNetwork_guessing_at_300_names_is_asked_for_captchas(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	compared := 0
	for i := range 300 {
		got := b.at(sameSite(i/3)).try(fmt.Sprintf("somebody_%d", i), "wrong password", false)
		switch got.Errno {
		case "4102":
			compared++
		case "4202":
		default:
			t.Fatalf("guess %d: %s", i, got.text)
		}
	}
	if compared != 15 {
		t.Errorf("%d of 300 guesses were compared without a captcha, want 15", compared)
	}
}

// What belongs to everybody is not used up by requests that come to nothing, nor for people where they have been.
func TestTotals_shut_nobody_out_who_is_known(t *testing.T) {
	t.Parallel()
	b := onRedis(t, func(s *api.Server, _ *redisstore.Store) {
		for _, name := range []limits.Name{limits.RegisterIP.All(), limits.ResetIP.All(), limits.LoginIP.All()} {
			s.Limits[name] = limits.Limit{Name: name, Count: 3, Period: time.Hour}
		}
	})
	owner := b.at("192.0.2.1")
	owner.signUp("li_lei", number)
	b.clock.Advance(time.Minute)
	for i := range 10 {
		p := b.at(anySite(i))
		p.post("/v1/registrations", body{
			"username": "han_mei", "password": password, "password_repeat": password, "agree": true,
			"mobile": anyNumber(i), "sms_code": "123456",
		}).want(422, "4203")
		p.post("/v1/password-resets", body{
			"mobile": anyNumber(i), "sms_code": "123456", "password": password, "password_repeat": password,
		}).want(422, "4203")
	}
	stranger := b.at(anySite(11))
	stranger.signUp("han_meimei", nextNumber)
	for i := range 3 {
		b.at(anySite(i)).try(fmt.Sprintf("somebody_%d", i), "wrong password", false).want(401, "4102")
	}
	b.at(anySite(12)).try("li_lei", password, false).want(422, "4202") // a captcha of the high price
	owner.try("li_lei", password, false).want(201, "0")
	owner.post("/v1/sessions", body{"mobile": number, "sms_code": owner.code(number, "login")}).want(201, "0")
	owner.put("/v1/account/password", newPasswords(password, nextPassword)).want(200, "0")
	b.at(anySite(12)).post("/v1/sessions", body{"mobile": anyNumber(12), "sms_code": "123456"}).want(429, "4206")
}

// Sub-addresses and dots that a provider ignores make no other mailbox.
func TestMails_to_one_mailbox_are_counted_together(t *testing.T) {
	t.Parallel()
	b := onRedis(t, nil)
	passed := 0
	for i := range 40 {
		b.clock.Advance(61 * time.Second)
		spelling := fmt.Sprintf("v.%d+%d@corp.example", 7, i)
		if i%2 == 0 {
			spelling = fmt.Sprintf("v.7+a%d@corp.example", i)
		}
		if b.at(anySite(i)).post("/v1/activations/resend", body{"email": spelling}).status == http.StatusAccepted {
			passed++
		}
	}
	if want := limits.Defaults()[limits.ResendEmail].Count; passed != want {
		t.Errorf("%d mails were asked for, want %d", passed, want)
	}
}
