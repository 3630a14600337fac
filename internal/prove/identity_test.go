package prove_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Row 19: an address belongs to the person who proves it. Strangers register with the address of another person, who opens
// the links of the mails; none of it is of use to a stranger.
func TestRow19_an_address_belongs_to_the_account_that_proves_it(t *testing.T) {
	t.Parallel()
	r := newRow(t, 19, "strangers register with another person's address; links pressed at once, alone and declined")
	f := newFleet(t, map[string]string{"USHER_LIMITS": noLimits + noLoginLimits})
	rivals := size(20, 400)
	r.tried("%d accounts that wait with one address, through two API processes", rivals)
	const address, chosen = "owner@example.com", "a password that the owner chose"
	tokens := f.rivals(t, rivals, address)

	alone := f.crowd(t, rivals, "/v1/activations", func(i int) map[string]any { return map[string]any{"token": tokens[i]} })
	r.exactly("accounts opened by a link alone", rivals-alone["422 4103"]-alone["503 4301"], 0)
	signedIn := f.crowd(t, 10, "/v1/sessions", func(int) map[string]any {
		return map[string]any{"login": address, "password": longPassword}
	})
	r.exactly("sign-ins by an address that waits", 10-signedIn["401 4102"]-signedIn["503 4301"], 0)

	won := 0
	for range 3 { // a hash may take too long: a 503 is tried again
		got := f.crowd(t, rivals, "/v1/activations", func(i int) map[string]any {
			return map[string]any{"token": tokens[i], "password": chosen, "password_repeat": chosen}
		})
		if won = got["200 0"]; got["200 0"]+got["409 4003"]+got["422 4208"]+got["503 4301"] != rivals {
			t.Errorf("answers %v, want one 200 and else that the address is taken or the link void", got)
		}
		if got["503 4301"] == 0 {
			break
		}
	}
	r.exactly("accounts that have proved it", won, 1)
	f.people[0].Must(http.StatusCreated, http.MethodPost, "/v1/sessions", map[string]any{"login": address, "password": chosen})
	old := f.crowd(t, rivals, "/v1/sessions", func(i int) map[string]any {
		return map[string]any{"login": rivalName(i), "password": longPassword}
	})
	r.exactly("sign-ins with a stranger's password", rivals-old["401 4102"]-old["503 4301"], 0)
	f.people[0].Must(http.StatusConflict, http.MethodPost, "/v1/registrations", map[string]any{
		"username": "too_late", "password": longPassword, "password_repeat": longPassword, "agree": true, "email": address,
	})
	r.exactly("mails to an address that was declined", f.declines(t), 0)
}

func rivalName(i int) string { return fmt.Sprintf("stranger_%d", i) }

// rivals registers so many accounts that wait with one address, and returns what the links of their mails carry.
func (f *fleet) rivals(t *testing.T, n int, address string) []string {
	t.Helper()
	for done := 0; done < n; { // one after the other: a crowd would wait for hashes
		f.register(rivalName(done), address)
		done++
	}
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = f.people[0].ReadToken(address, i+1)
	}
	return tokens
}

// declines has the owner of an address decline it, and returns how many mails strangers can still have sent there.
func (f *fleet) declines(t *testing.T) int {
	t.Helper()
	const address = "annoyed@example.com"
	f.register("annoying", address)
	f.people[0].ReadToken(address, 1)
	mails := f.people[0].Inbox(address)
	token := ""
	for _, link := range mails[0].Links {
		if u, err := url.Parse(link); err == nil && strings.HasSuffix(u.Path, "/decline") {
			token = u.Query().Get("token")
		}
	}
	f.people[1].Must(http.StatusOK, http.MethodPost, "/v1/activations/decline", map[string]any{"token": token})
	f.people[1].Must(http.StatusUnauthorized, http.MethodPost, "/v1/sessions", map[string]any{"login": "annoying", "password": longPassword})
	for i, path := range []string{"/v1/registrations", "/v1/activations/resend"} {
		body := map[string]any{"email": address}
		if i == 0 {
			body = map[string]any{
				"username": "annoying", "password": longPassword, "password_repeat": longPassword, "agree": true, "email": address,
			}
		}
		answer := f.people[i].Must(http.StatusTooManyRequests, http.MethodPost, path, body)
		if answer.Errno != "4206" {
			t.Errorf("%s to a declined address: %s", path, answer.Body)
		}
	}
	return len(f.people[0].Inbox(address)) - len(mails)
}
