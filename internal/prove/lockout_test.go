package prove_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"usher/internal/testclient"
	"usher/limits"
)

// Row 21: strangers who know a person's name and number use up all that is counted by them: attempts, the pause between
// codes, codes, passwords, with captchas of either price. The owner enters the current code, gets another one from a network
// of an earlier sign-in, and signs in with the password from a new network.
func TestRow21_strangers_cannot_lock_an_owner_out(t *testing.T) {
	t.Parallel()
	r := newRow(t, 21, "strangers use up codes, attempts and passwords of one person")
	s := newLockout(t)
	home, away := address(0), address(1)

	id := s.granted(home, "normal")
	code := s.people[0].ReadCode(s.mobile, 2)
	blind := 0
	for i := range size(60, 600) {
		answer := s.at(address(100+i), http.MethodPost, "/v1/sms-codes/check", "", map[string]any{
			"mobile": s.mobile, "purpose": "login", "code": code, "sms_code_id": id[:22] + strings.Repeat("A", 22),
		})
		if answer.Errno != "4203" {
			blind++
		}
	}
	r.exactly("blind guesses that reached a code", blind, 0)
	strangers := 0
	for i, price := range []string{"normal", "normal", "normal", "normal", "high", "high", "high"} {
		if s.code(address(20+i), price).Status == http.StatusAccepted {
			strangers++
		}
	}
	r.atMost("codes to strangers within the hour", strangers, limits.Defaults()[limits.SMSUnknownHour].Count)
	r.exactly("answer to the owner's code after all of them", s.enter(home, id, code).Status, http.StatusCreated)
	another := s.granted(home, "normal")
	r.exactly("answer to the owner's code after the strangers' last",
		s.enter(home, another, s.people[0].ReadCode(s.mobile, 3+strangers)).Status, http.StatusCreated)

	wrong, guesses := 0, limits.Defaults()[limits.LoginNameAll].Count+size(4, 100)
	for i := range guesses {
		if s.password(address(200+i), "not the password", []string{"normal", "high"}[i%2]).Errno == "4102" {
			wrong++
		}
	}
	requests := 0
	for _, step := range []struct {
		do   func() testclient.Answer
		want int
	}{
		{func() testclient.Answer { return s.code(away, "high") }, http.StatusTooManyRequests},
		{func() testclient.Answer { return s.password(away, longPassword, "") }, http.StatusUnprocessableEntity},
		{func() testclient.Answer { return s.password(away, longPassword, "high") }, http.StatusCreated},
	} {
		requests++
		if answer := step.do(); answer.Status != step.want {
			t.Errorf("request %d of the owner away: %d %s, want %d", requests, answer.Status, answer.Body, step.want)
		} else if step.want == http.StatusUnprocessableEntity && answer.Text("captcha_price") != "high" {
			t.Errorf("the owner away is not told what helps: %s", answer.Body)
		}
	}
	r.note("%d wrong passwords compared before", wrong)
	r.atMost("requests of the owner away until the session", requests, 3)
	r.tried("%d codes, %d passwords, %d blind guesses", 9, guesses, size(60, 600))
}

// address is the nth of as many networks.
func address(n int) string { return fmt.Sprintf("100.%d.%d.7", 64+n/256, n%256) }

// lockout is a fleet with captchas, and a person with an account whom strangers know by name and number.
type lockout struct {
	*fleet
	t                testing.TB
	mobile, username string
}

func newLockout(t testing.TB) *lockout {
	t.Helper()
	s := &lockout{t: t, mobile: "13800138000", username: "known_to_all", fleet: newFleet(t, map[string]string{
		"USHER_LIMITS": "", "USHER_CAPTCHA_KIND": "digits", "USHER_TRUSTED_PROXIES": "127.0.0.0/8", "USHER_SMS_RESEND_INTERVAL": "1s",
	})}
	sent := s.at(address(0), http.MethodPost, "/v1/sms-codes", "normal", map[string]any{"mobile": s.mobile, "purpose": "register"})
	answer := s.at(address(0), http.MethodPost, "/v1/registrations", "", map[string]any{
		"username": s.username, "password": longPassword, "password_repeat": longPassword, "agree": true,
		"mobile": s.mobile, "sms_code_id": sent.Text("sms_code_id"), "sms_code": s.people[0].ReadCode(s.mobile, 1),
	})
	if answer.Status != http.StatusCreated {
		t.Fatalf("registration: %d %s", answer.Status, answer.Body)
	}
	return s
}

// at sends a request from an address, with the answer to a new captcha of the price, if any.
func (s *lockout) at(from, method, path, price string, body map[string]any) testclient.Answer {
	s.t.Helper()
	if price != "" {
		body = maps.Clone(body)
		body["captcha_id"] = s.at(from, http.MethodPost, "/v1/captchas", "", map[string]any{"price": price}).Text("captcha_id")
		body["captcha"] = s.readCaptcha(s.t)
	}
	answer, err := s.from(s.t.Context(), from, method, path, body)
	if err != nil {
		s.t.Fatalf("%s %s: %s, %v", method, path, answer.Body, err)
	}
	return answer
}

// code asks for a code to sign in with, again as long as only the pause since the last one refuses.
func (s *lockout) code(from, price string) testclient.Answer {
	s.t.Helper()
	for again := time.NewTicker(300 * time.Millisecond); ; <-again.C {
		answer := s.at(from, http.MethodPost, "/v1/sms-codes", price, map[string]any{"mobile": s.mobile, "purpose": "login"})
		if answer.Status != http.StatusTooManyRequests || answer.Header.Get("Retry-After") != "1" {
			return answer
		}
	}
}

// granted asks for a code that must be sent, and returns its id.
func (s *lockout) granted(from, price string) string {
	s.t.Helper()
	answer := s.code(from, price)
	if answer.Status != http.StatusAccepted {
		s.t.Fatalf("the owner asks for a code: %d %s", answer.Status, answer.Body)
	}
	return answer.Text("sms_code_id")
}

func (s *lockout) enter(from, id, code string) testclient.Answer {
	s.t.Helper()
	return s.at(from, http.MethodPost, "/v1/sessions", "", map[string]any{"mobile": s.mobile, "sms_code_id": id, "sms_code": code})
}

func (s *lockout) password(from, secret, price string) testclient.Answer {
	s.t.Helper()
	return s.at(from, http.MethodPost, "/v1/sessions", price, map[string]any{"login": s.username, "password": secret})
}
