package prove_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"usher/internal/testclient"
	"usher/limits"
)

// What is in Redis after resends to made-up addresses.
const (
	keysOfResend = 3  // a pause and a day of the mailbox, and an hour of the address that asked
	otherKeys    = 20 // limits of the network and of all clients, and what the processes note about themselves
)

// Row 22: one customer with a /48 changes the address with each request. All its addresses together get what the limits
// of one network say, what is refused leaves nothing in Redis, and registrations with made-up codes from as many
// networks as there are requests do not delay a person with the right password.
func TestRow22_one_network_gets_the_share_of_one(t *testing.T) {
	t.Parallel()
	r := newRow(t, 22, "one network with 200 addresses; registrations with made-up codes from many")
	s := newLockout(t)
	defaults := limits.Defaults()

	lookUps := size(1200, 12_000)
	looked := s.count(t, lookUps, func(ctx context.Context, i int) (testclient.Answer, error) {
		return s.from(ctx, ofNetwork(1, i), http.MethodGet, "/v1/mobiles/"+number(int64(i)), nil)
	})
	r.atMost("look-ups that passed", s.passed(t, looked, "200 0", "429 4206"), defaults[limits.LookupIP.Net()].Count)

	names := size(60, 300)
	guessed := map[string]int{}
	for i := range names { // one after the other: a crowd would wait for hashes
		answer := s.at(ofNetwork(2, i/3), http.MethodPost, "/v1/sessions", "", map[string]any{
			"login": fmt.Sprintf("guessed_%d", i), "password": "not the password",
		})
		guessed[fmt.Sprintf("%d %s", answer.Status, answer.Errno)]++
	}
	r.atMost("passwords compared without a captcha", s.passed(t, guessed, "401 4102", "422 4202"), defaults[limits.LoginAddr.Net()].Count)

	resends, before := size(600, 6000), s.keys(t)
	resent := s.count(t, resends, func(ctx context.Context, i int) (testclient.Answer, error) {
		return s.from(ctx, ofNetwork(3, i), http.MethodPost, "/v1/activations/resend", map[string]any{
			"email": fmt.Sprintf("made_up_%d@example.com", i),
		})
	})
	allowed := defaults[limits.ResendIP.Net()].Count
	r.atMost("mails asked for", s.passed(t, resent, "202 0", "429 4206"), allowed)
	r.atMost("keys that they left in Redis", s.keys(t)-before, keysOfResend*allowed+otherKeys)

	crowd := size(100, 490)
	signedIn, registrations := s.signInBeside(t, crowd)
	r.exactly("registrations that came to a hash", s.passed(t, registrations, "503 4301", "422 4203"), 0)
	r.exactly("sign-ins of a person meanwhile", signedIn, signIns)
	r.tried("%d look-ups, %d names, %d resends from a /48 each; %d registrations with made-up codes",
		lookUps, names, resends, registrations["422 4203"])
}

// ofNetwork is an address of a /48, one of 200 /64s.
func ofNetwork(network, i int) string { return fmt.Sprintf("2001:db8:%x:%x::7", network, i%200) }

// keys returns how many keys Redis holds.
func (f *fleet) keys(t testing.TB) int {
	t.Helper()
	n, err := f.redis.DBSize(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	return int(n)
}

// signIns is how many times a person signs in while strangers register.
const signIns = 9

// signInBeside has a person sign in with the right password, from one new network after the other,
// each time beside a crowd of registrations with made-up codes, each from a network of its own. It returns how many
// sign-ins succeeded, and the answers to the registrations.
func (s *lockout) signInBeside(t *testing.T, crowd int) (signedIn int, registrations map[string]int) {
	t.Helper()
	registrations = map[string]int{}
	for i := range signIns {
		var answer testclient.Answer
		var err error
		var group sync.WaitGroup
		group.Go(func() {
			answer, err = s.from(t.Context(), address(1+i), http.MethodPost, "/v1/sessions", map[string]any{
				"login": s.username, "password": longPassword,
			})
		})
		answers := s.count(t, crowd, func(ctx context.Context, k int) (testclient.Answer, error) { return s.madeUp(ctx, i*crowd+k) })
		group.Wait()
		for answer, n := range answers {
			registrations[answer] += n
		}
		if err != nil || answer.Status != http.StatusCreated {
			t.Errorf("sign-in %d: %d %s, %v", i, answer.Status, answer.Body, err)
			continue
		}
		signedIn++
	}
	return signedIn, registrations
}

// madeUp registers from a network of its own, with a code that was never sent.
func (s *lockout) madeUp(ctx context.Context, i int) (testclient.Answer, error) {
	return s.from(ctx, fmt.Sprintf("2001:%x:%x::7", 0xdb9+i>>16, i&0xffff), http.MethodPost, "/v1/registrations", map[string]any{
		"username": fmt.Sprintf("made_up_%d", i), "password": longPassword, "password_repeat": longPassword, "agree": true,
		"mobile": number(int64(i)), "sms_code_id": strings.Repeat("A", 44), "sms_code": "123456",
	})
}
