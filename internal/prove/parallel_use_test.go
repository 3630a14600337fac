package prove_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"usher/internal/testkit"
)

func TestRow03_1000_sends_to_one_number_are_one_SMS(t *testing.T) {
	t.Parallel()
	const sends = 1000
	r := newRow(t, 3, "parallel sends to one number through two API processes")
	f := newFleet(t, nil)
	rounds, arrived := size(3, 100), 0
	for round := range rounds {
		mobile := number(int64(round))
		got := f.crowd(t, sends, "/v1/sms-codes", func(i int) map[string]any {
			purpose := []string{"register", "login", "reset_password"}[i%3]
			return map[string]any{"mobile": mobile, "purpose": purpose}
		})
		if got["202 0"] != 1 || got["429 4206"] != sends-1 {
			t.Errorf("answers %v, want one 202 and else 429", got)
		}
		// When a later code has arrived, so has everything that was queued before it.
		last := fmt.Sprintf("139%08d", round)
		f.people[0].AskCode(last, "register")
		f.people[0].ReadCode(last, 1)
		f.people[0].ReadCode(mobile, 1)
		arrived += len(f.people[0].Inbox(mobile))
	}
	r.tried("%d rounds of %d", rounds, sends)
	r.exactly("SMS", arrived, rounds)
}

func TestRow04_1000_guesses_are_five_comparisons(t *testing.T) {
	t.Parallel()
	const guesses, allowed = 1000, 5
	r := newRow(t, 4, "parallel guesses at one code, the right one among them")
	f := newFleet(t, nil)
	random, rounds := chance(4), size(3, 100)
	most, successes := 0, 0
	for round := range rounds {
		mobile := number(int64(round))
		id := f.people[0].AskCode(mobile, "register")
		code := f.people[0].ReadCode(mobile, 1)
		place := random.IntN(guesses / (1 + round%3*20)) // anywhere, or early enough to be compared sometimes
		got := f.crowd(t, guesses, "/v1/sms-codes/check", func(i int) map[string]any {
			guess := fmt.Sprintf("%06d", i)
			switch {
			case i == place:
				guess = code
			case guess == code:
				guess = fmt.Sprintf("%06d", guesses)
			}
			return map[string]any{"mobile": mobile, "purpose": "register", "sms_code_id": id, "code": guess}
		})
		right := got["200 0 right"]
		compared := got["200 0"] + right
		if compared != allowed || got["422 4205"] != guesses-allowed {
			t.Errorf("answers %v, want %d compared and else refused", got, allowed)
		}
		most, successes = max(most, compared), max(successes, right)
	}
	r.tried("%d rounds of %d", rounds, guesses)
	r.atMost("comparisons", most, allowed)
	r.atMost("successes", successes, 1)
}

// uses is how many requests use the same single-use thing at the same time.
const uses = 200

func TestRow05_200_uses_of_one_thing_have_one_effect(t *testing.T) {
	t.Parallel()
	r := newRow(t, 5, "parallel uses of one captcha, code, activation link, user name in Unicode variants")
	f := newFleet(t, map[string]string{"USHER_CAPTCHA_KIND": "digits"})
	rounds := size(3, 100)
	sent := 0
	for round := range rounds {
		sent += f.useCaptcha(t, round)
	}
	f = newFleet(t, map[string]string{"USHER_SMS_RESEND_INTERVAL": "1s", "USHER_SMS_CODE_ATTEMPTS": "10"})
	sessions, active, accounts := 0, 0, 0
	for round := range rounds {
		sessions += f.useCode(t, round)
		active += f.useLink(t, round)
		accounts += f.useName(t, round)
	}
	r.tried("%d rounds of %d", rounds, uses)
	r.exactly("SMS by captchas", sent, rounds)
	r.exactly("sessions by codes", sessions, rounds)
	r.exactly("accounts activated by links", active, rounds)
	r.exactly("accounts by names", accounts, rounds)
}

// useCaptcha asks for a code for many numbers with one captcha, and returns how often that was taken.
func (f *fleet) useCaptcha(t *testing.T, round int) int {
	t.Helper()
	id := f.people[0].Must(http.StatusCreated, http.MethodPost, "/v1/captchas", map[string]any{}).Text("captcha_id")
	answer := f.readCaptcha(t)
	got := f.crowd(t, uses, "/v1/sms-codes", func(i int) map[string]any {
		mobile := number(int64(round*uses + i))
		return map[string]any{"mobile": mobile, "purpose": "login", "captcha_id": id, "captcha": answer}
	})
	if got["202 0"]+got["422 4201"] != uses {
		t.Errorf("answers %v, want one 202 and else 422", got)
	}
	return got["202 0"]
}

// useCode signs in with one code many times, and returns how often that was taken.
func (f *fleet) useCode(t *testing.T, round int) int {
	t.Helper()
	p, mobile := f.people[0], number(int64(round))
	p.AskCode(mobile, "register")
	p.Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": fmt.Sprintf("by_code_%d", round), "password": longPassword, "password_repeat": longPassword,
		"agree": true, "mobile": mobile, "sms_code": p.ReadCode(mobile, 1),
	})
	id := ""
	testkit.Eventually(t, patience, func() bool {
		answer := p.Do(http.MethodPost, "/v1/sms-codes", map[string]any{"mobile": mobile, "purpose": "login"})
		id = answer.Text("sms_code_id")
		return answer.Status == http.StatusAccepted
	}, "a second code")
	code := p.ReadCode(mobile, 2)
	got := f.crowd(t, uses, "/v1/sessions", func(int) map[string]any {
		return map[string]any{"mobile": mobile, "sms_code_id": id, "sms_code": code}
	})
	if got["201 0"]+got["422 4203"]+got["422 4205"] != uses {
		t.Errorf("answers %v, want one 201 and else 422", got)
	}
	return got["201 0"]
}

// useLink follows one activation link many times, all with the same answer, and returns how many accounts that
// has activated. Links that are nearly right do nothing.
func (f *fleet) useLink(t *testing.T, round int) int {
	t.Helper()
	address := fmt.Sprintf("link_%d@example.com", round)
	f.register(fmt.Sprintf("by_link_%d", round), address)
	token := f.people[0].ReadToken(address, 1)
	forged := f.crowd(t, connections, "/v1/activations", func(i int) map[string]any {
		return map[string]any{"token": token[:len(token)-6] + fmt.Sprintf("%06d", i)}
	})
	if forged["422 4208"] != connections {
		t.Errorf("forged links: %v", forged)
	}
	got := f.crowd(t, uses, "/v1/activations", func(int) map[string]any {
		return map[string]any{"token": token, "password": longPassword, "password_repeat": longPassword}
	})
	// Once done, it stays done. Passwords beside one link are counted, and a hash may take too long.
	if got["200 0"] == 0 || got["200 0"]+got["429 4206"]+got["503 4301"] != uses {
		t.Errorf("answers %v, want %d times the same", got, uses)
	}
	session := f.people[1].Must(http.StatusCreated, http.MethodPost, "/v1/sessions",
		map[string]any{"login": address, "password": longPassword})
	if session.Data["active"] != true || session.Data["email_active"] != true {
		t.Errorf("the account is %s", session.Body)
		return 0
	}
	return 1
}

// useName registers one name in many spellings, and returns how many accounts that has made. A request
// that would wait too long for a password hash gets 503 and is tried again.
func (f *fleet) useName(t *testing.T, round int) int {
	t.Helper()
	name := fmt.Sprintf("lilei_%c%c", 'a'+round/26, 'a'+round%26)
	got := f.crowd(t, uses, "/v1/registrations", func(i int) map[string]any {
		return map[string]any{
			"username": spelling(name, i), "password": longPassword, "password_repeat": longPassword, "agree": true,
			"email": fmt.Sprintf("name_%d_%d@example.com", round, i),
		}
	})
	if got["201 0"]+got["409 4003"]+got["503 4301"] != uses {
		t.Errorf("answers %v, want one 201, and else 409 or 503", got)
	}
	return got["201 0"]
}

// spelling is one of the ways to write the letters of a name: small, capital or full-width.
func spelling(name string, i int) string {
	return strings.Map(func(letter rune) rune {
		if letter == '_' {
			return letter
		}
		form := i % 3
		i /= 3
		switch form {
		case 1:
			return letter - 'a' + 'A'
		case 2:
			return letter - 'a' + 'ａ'
		default:
			return letter
		}
	}, name)
}
