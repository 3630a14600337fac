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

// The default budget, which docs/limits.md states.
const (
	budgetYuan   = 45
	priceOfOne   = 0.045
	codesADay    = 1000
	unknownCodes = 800
)

func withBudget(s *api.Server, store *redisstore.Store) {
	s.Limits = limits.Defaults().WithBudget(budgetYuan, priceOfOne)
	store.Rules.Set = s.Limits
}

// ofNetwork returns an address of another network for each number: every second one is a /24, the others are /48s.
func ofNetwork(i int) string {
	if i%2 == 0 {
		return fmt.Sprintf("100.%d.%d.7", 64+i/512, i/2%256)
	}
	return fmt.Sprintf("2001:db8:%x::7", i)
}

// TestBill_of_a_botnet_is_the_stated_one: 2,000 networks, each below every limit of its own, ask for codes of fresh numbers
// of all prefixes for a day and a half. Captchas are off, as for a botnet that solves each of them.
func TestBill_of_a_botnet_is_the_stated_one(t *testing.T) {
	t.Parallel()
	const networks, asksOfEach, hours = 2000, 2, 36
	b := onRedis(t, func(s *api.Server, store *redisstore.Store) {
		withBudget(s, store)
		s.Captcha = captchaOff(t)
	})
	owner := b.at("198.51.100.7")
	id := owner.ask(number).want(202, "0").str("sms_code_id")
	owner.post("/v1/registrations", body{
		"username": "owner", "password": password, "password_repeat": password, "agree": true,
		"mobile": number, "sms_code": b.lastCode(), "sms_code_id": id,
	}).want(201, "0")

	var sent []time.Time
	for i := range networks * asksOfEach {
		b.clock.Advance(hours * time.Hour / (networks * asksOfEach))
		fresh := fmt.Sprintf("1%d%04d%04d", 30+i%69, i/69, 7*i%10000)
		switch got := b.at(ofNetwork(i % networks)).ask(fresh); got.status {
		case http.StatusAccepted:
			sent = append(sent, b.clock.Now())
		case http.StatusTooManyRequests:
		default:
			t.Fatalf("ask %d: %s", i, got.text)
		}
	}
	if len(sent) < unknownCodes {
		t.Fatalf("only %d codes were sent: the attack is no test of the budget", len(sent))
	}
	worst := mostWithin(sent, 24*time.Hour)
	t.Logf("%d networks asked %d times in %d hours: at most %d codes in 24 hours, ¥%.2f",
		networks, networks*asksOfEach, hours, worst, float64(worst)*priceOfOne)
	if worst > unknownCodes {
		t.Errorf("strangers were sent %d codes in 24 hours, want %d at most", worst, unknownCodes)
	}
	// The strangers' part is spent. The owner's own network still gets a code, another one does not.
	b.at("203.0.113.9").ask(number).want(429, "4206")
	owner.ask(number).want(202, "0")
}

// TestBudget_is_the_last_word: the owners of numbers cannot spend more than the day's budget either.
func TestBudget_is_the_last_word(t *testing.T) {
	t.Parallel()
	b := onRedis(t, func(s *api.Server, store *redisstore.Store) {
		s.Limits = limits.Defaults().WithBudget(0.45, priceOfOne) // 10 codes, 8 of them for strangers
		store.Rules.Set = s.Limits
	})
	owners := make([]*person, 4)
	for i := range owners {
		owners[i] = b.at(anyAddress(i))
		owners[i].signUp(fmt.Sprintf("owner%d", i), anyNumber(i))
	}
	for i := range 4 {
		b.at(anyAddress(10+i)).send(anyNumber(10+i)).want(202, "0")
	}
	b.at(anyAddress(20)).send(anyNumber(20)).want(429, "4206")
	b.clock.Advance(time.Minute)
	for i, owner := range owners {
		want := http.StatusAccepted
		if i >= 2 {
			want = http.StatusTooManyRequests
		}
		if got := owner.send(anyNumber(i)); got.status != want {
			t.Errorf("owner %d: %s, want %d", i, got.text, want)
		}
	}
	if n := len(b.sms.all()); n != 10 {
		t.Errorf("%d codes were sent, want the budget of 10", n)
	}
}

// TestPrefix_that_strangers_stopped_serves_its_owners: strangers can use up a prefix and the guard's patience, but not for
// a network that the number's owner has signed in from.
func TestPrefix_that_strangers_stopped_serves_its_owners(t *testing.T) {
	t.Parallel()
	b := onRedis(t, withBudget)
	owner := b.at("198.51.100.7")
	owner.signUp("owner", samePrefix(0))
	for i := 1; b.at(ofNetwork(i)).askFor(samePrefix(i), "high").status == http.StatusAccepted; i++ {
		if i > 20 {
			t.Fatal("the guard does not stop at default limits")
		}
	}
	b.clock.Advance(time.Minute)
	b.at("203.0.113.9").send(samePrefix(0)).want(429, "4206")
	b.at("203.0.113.9").send(samePrefix(500)).want(429, "4206")
	owner.send(samePrefix(0)).want(202, "0")
	if n := b.metric("usher_sms_conversion_blocked_total"); n == 0 {
		t.Error("it was not the guard that stopped the prefix")
	}
}

// mostWithin returns how many of the times, which are in order, lie in the fullest span.
func mostWithin(times []time.Time, span time.Duration) (most int) {
	first := 0
	for i, at := range times {
		for at.Sub(times[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
