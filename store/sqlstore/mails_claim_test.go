package sqlstore_test

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"usher/accounts"
	"usher/internal/faultproxy"
	"usher/internal/testkit"
	"usher/store/sqlstore"
)

// claiming passes on the wire with a claim: the number of its arguments, and the length of the first, an array of one
// id of one digit.
const claiming = "\x00\x04\x00\x00\x00\x05{"

// A worker that did not receive its claim has not sent the mail: the claim is not unresolved, and no worker waits for its end.
func TestMails_Claim_whose_reply_is_lost_is_not_unresolved(t *testing.T) {
	t.Parallel()
	address := testkit.Postgres(t)
	if address == "" {
		t.Skip("no postgres on this machine")
	}
	store := sqlstore.NewAccounts(migrated(t, address), keys(t))
	account := withEmail(t, store)
	for n, lose := range []func(*faultproxy.Trap){(*faultproxy.Trap).Cut, (*faultproxy.Trap).HangUp} {
		id := fmt.Sprint(n)
		mail := accounts.Mail{ID: id, NotAfter: time.Now().Add(time.Hour), CreatedAt: time.Now()}
		if err := store.RenewActivation(t.Context(), account.ID, mail); err != nil {
			t.Fatal(err)
		}
		proxy, far := through(t, address)
		mails := sqlstore.NewMails(openAt(t, far), keys(t), time.Now)
		trap := proxy.OnReply(claiming, 1)
		lose(trap)
		claim, err := mails.Claim(t.Context(), id, time.Minute)
		if err != nil { // the driver did not ask again by itself
			claim, err = mails.Claim(t.Context(), id, time.Minute)
		}
		select {
		case <-trap.Held():
		default:
			t.Errorf("the answer to claim %d was not lost", n)
		}
		if err != nil || claim.UnresolvedClaims != 0 {
			t.Errorf("claim %d after a lost one = %v with %d unresolved claims, want none", n, err, claim.UnresolvedClaims)
		}
	}
}

// through returns a proxy before the database, and the URL that leads through it.
func through(t *testing.T, address string) (*faultproxy.Proxy, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := faultproxy.Open(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	u.Host = proxy.Addr()
	return proxy, u.String()
}
