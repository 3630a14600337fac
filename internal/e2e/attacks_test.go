package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"usher/internal/person"
	"usher/internal/testkit"
)

// Many requests at once, from as many connections, against two API processes.
const (
	connections  = 64
	rounds       = 3
	patience     = time.Minute // far more than it takes
	longPassword = "a long enough secret"
)

// noLimits are the limits that would refuse a crowd from one address before the control under test does.
const noLimits = "sms_ip_hour=off,sms_ip_day=off,sms_net_hour=off,sms_prefix=off,check_ip=off,check_mobile_hour=off," +
	"check_mobile_day=off,register_ip=off,login_ip=off,activate_ip=off,sms_mobile_hour=off,sms_mobile_day=off," +
	"sms_total=off,sms_conversion=off"

// fleet is two API processes and a worker on common stores.
type fleet struct {
	people  [2]*person.Person // in front of one process each
	environ map[string]string
}

func startFleet(t *testing.T, changes map[string]string) *fleet {
	t.Helper()
	environ, sandboxAddr := settings(t)
	environ["USHER_LIMITS"] = noLimits
	environ["USHER_LOG_LEVEL"] = "warn"
	environ["USHER_SMS_RESEND_INTERVAL"] = "1m"
	maps.Copy(environ, changes)
	if code, said := run(t, environ, "admin", "migrate", "up"); code != 0 {
		t.Fatalf("admin migrate up: exit %d, %s", code, said)
	}
	f := &fleet{environ: environ}
	loud := maps.Clone(environ) // the addresses are told at this level
	loud["USHER_LOG_LEVEL"] = "info"
	for i := range f.people {
		f.people[i] = person.New(t, start(t, loud, "api").await(t, `"http_addr":"([^"]+)"`), sandboxAddr)
	}
	start(t, environ, "worker", "-channels", "sms,email")
	return f
}

// crowd sends n requests through both processes, 64 at a time, and counts the answers.
func (f *fleet) crowd(t *testing.T, n int, path string, body func(i int) map[string]any) map[string]int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var mu sync.Mutex
	counts := map[string]int{}
	next := make(chan int)
	var wg sync.WaitGroup
	for range connections {
		wg.Go(func() {
			for i := range next {
				answer, err := f.people[i%2].Try(ctx, http.MethodPost, path, body(i))
				key := fmt.Sprintf("%d %s", answer.Status, answer.Errno)
				if answer.Data["valid"] == true {
					key += " right"
				}
				if err != nil {
					key = err.Error()
				}
				mu.Lock()
				counts[key]++
				mu.Unlock()
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return counts
}

// settled waits until the worker has sent what was queued before now.
func (f *fleet) settled(number string) {
	f.people[0].AskCode(number, "register")
	f.people[0].ReadCode(number, 1)
}

func TestAttacks_1000_sends_to_one_number_are_one_SMS(t *testing.T) {
	t.Parallel()
	f := startFleet(t, nil)
	for round := range rounds {
		number := fmt.Sprintf("1380013800%d", round)
		got := f.crowd(t, 1000, "/v1/sms-codes", func(i int) map[string]any {
			purpose := []string{"register", "login", "reset_password"}[i%3]
			return map[string]any{"mobile": number, "purpose": purpose}
		})
		if got["202 0"] != 1 || got["429 4206"] != 999 {
			t.Errorf("answers %v, want one 202 and 999 times 429", got)
		}
		f.settled(fmt.Sprintf("1390013900%d", round))
		if inbox := f.people[0].Inbox(number); len(inbox) != 1 {
			t.Errorf("%d SMS arrived, want 1", len(inbox))
		}
	}
}

func TestAttacks_1000_guesses_are_five_comparisons(t *testing.T) {
	t.Parallel()
	f := startFleet(t, nil)
	for round := range rounds {
		number := fmt.Sprintf("1380013800%d", round)
		f.people[0].AskCode(number, "register")
		code := f.people[0].ReadCode(number, 1)
		got := f.crowd(t, 1000, "/v1/sms-codes/check", func(i int) map[string]any {
			guess := fmt.Sprintf("%06d", i)
			if i == 300*round { // early, in the middle, late
				guess = code
			}
			return map[string]any{"mobile": number, "purpose": "register", "code": guess}
		})
		right := got["200 0 right"]
		if compared := got["200 0"] + right; compared != 5 || right > 2 || got["422 4205"] != 995 {
			t.Errorf("answers %v, want 5 compared and 995 refused", got)
		}
	}
}

func TestAttacks_200_uses_of_one_code_are_one_session(t *testing.T) {
	t.Parallel()
	f := startFleet(t, map[string]string{"USHER_SMS_RESEND_INTERVAL": "1s", "USHER_SMS_CODE_ATTEMPTS": "10"})
	const number = "13800138000"
	f.people[0].AskCode(number, "register")
	f.people[0].Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": "li_lei", "password": longPassword, "password_repeat": longPassword, "agree": true,
		"mobile": number, "sms_code": f.people[0].ReadCode(number, 1),
	})
	testkit.Eventually(t, patience, func() bool {
		answer := f.people[0].Do(http.MethodPost, "/v1/sms-codes", map[string]any{"mobile": number, "purpose": "login"})
		return answer.Status == http.StatusAccepted
	}, "no second code")
	code := f.people[0].ReadCode(number, 2)
	got := f.crowd(t, 200, "/v1/sessions", func(int) map[string]any {
		return map[string]any{"mobile": number, "sms_code": code}
	})
	if got["201 0"] != 1 || got["422 4203"]+got["422 4205"] != 199 {
		t.Errorf("answers %v, want one 201", got)
	}
}

func TestAttacks_200_uses_of_one_captcha_are_one_SMS(t *testing.T) {
	t.Parallel()
	f := startFleet(t, map[string]string{"USHER_CAPTCHA_KIND": "digits"})
	id := f.people[0].Must(http.StatusCreated, http.MethodPost, "/v1/captchas", map[string]any{}).Text("captcha_id")
	answer := f.readCaptcha(t)
	got := f.crowd(t, 200, "/v1/sms-codes", func(i int) map[string]any {
		return map[string]any{"mobile": fmt.Sprintf("138001%05d", i), "purpose": "login", "captcha_id": id, "captcha": answer}
	})
	if got["202 0"] != 1 || got["422 4201"] != 199 {
		t.Errorf("answers %v, want one 202 and 199 times 422", got)
	}
}

// readCaptcha reads the answer of the only captcha out of Redis, as no client can.
func (f *fleet) readCaptcha(t *testing.T) string {
	t.Helper()
	options, err := redis.ParseURL(f.environ["USHER_REDIS_URL"])
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer func() { _ = client.Close() }()
	keys, err := client.Keys(t.Context(), "usher:*:captcha").Result()
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d captchas, %v", len(keys), err)
	}
	_, answer, found := strings.Cut(client.Get(t.Context(), keys[0]).Val(), " ")
	if !found {
		t.Fatal("the captcha has no answer")
	}
	return answer
}

func TestAttacks_200_registrations_of_one_name_and_200_uses_of_its_link(t *testing.T) {
	t.Parallel()
	f := startFleet(t, nil)
	got := f.crowd(t, 200, "/v1/registrations", func(i int) map[string]any {
		return map[string]any{
			"username": spelling("li_lei", i), "password": longPassword, "password_repeat": longPassword, "agree": true,
			"email": fmt.Sprintf("lilei%d@example.com", i),
		}
	})
	// Whoever would wait too long for a password to be hashed is told to come back.
	if got["201 0"] != 1 || got["201 0"]+got["409 4003"]+got["503 4301"] != 200 {
		t.Errorf("answers %v, want one 201, and else 409 or 503", got)
	}

	email := "hmm@example.com"
	f.people[0].Must(http.StatusCreated, http.MethodPost, "/v1/registrations", map[string]any{
		"username": "han_meimei", "password": longPassword, "password_repeat": longPassword, "agree": true, "email": email,
	})
	token := f.people[0].ReadToken(email, 1)
	got = f.crowd(t, 200, "/v1/activations", func(int) map[string]any { return map[string]any{"token": token} })
	if got["200 0"] != 200 { // once done, it stays done
		t.Errorf("answers %v, want 200 times the same", got)
	}
	session := f.people[1].Must(http.StatusCreated, http.MethodPost, "/v1/sessions",
		map[string]any{"login": email, "password": longPassword})
	if session.Data["active"] != true || session.Data["email_active"] != true {
		t.Errorf("the account is %s", session.Body)
	}
	forged := f.crowd(t, 50, "/v1/activations", func(i int) map[string]any {
		return map[string]any{"token": token[:len(token)-6] + fmt.Sprintf("%06d", i)}
	})
	if forged["422 4208"] != 50 {
		t.Errorf("forged links: %v", forged)
	}
}

// spelling is one of the 243 ways to write the letters of a name: small, capital or full-width.
func spelling(name string, i int) string {
	return strings.Map(func(r rune) rune {
		if r == '_' {
			return r
		}
		form := i % 3
		i /= 3
		switch form {
		case 1:
			return r - 'a' + 'A'
		case 2:
			return r - 'a' + 'ａ'
		default:
			return r
		}
	}, name)
}
