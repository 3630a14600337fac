package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"usher/accounts"
	"usher/audit"
	"usher/internal/testkit"
)

// superuser creates a superuser and returns the account and a browser that is signed in to it.
func (b *bundle) superuser(t *testing.T, name string) (accounts.Account, *person) {
	t.Helper()
	account, err := b.face.Accounts.CreateSuperuser(t.Context(), name, password)
	if err != nil {
		t.Fatal(err)
	}
	p := b.person()
	p.header = http.Header{"Accept": {"text/html"}, "Accept-Language": {"en"}}
	p.post("/v1/sessions", body{"login": name, "password": password}).want(201, "0")
	return account, p
}

func TestAdmin_pages_look_accounts_up_and_change_them(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	owner := b.person()
	owner.signUp("li_lei", number)
	root, p := b.superuser(t, "root_user")
	p.get("/admin").wantPage(200, "li_lei")
	found := p.submit("/admin", url.Values{"login": {number}})
	page := found.header.Get("Location")
	if found.status != http.StatusSeeOther || !strings.HasPrefix(page, "/admin/accounts/") {
		t.Fatalf("search: %d to %q", found.status, page)
	}
	id := strings.TrimPrefix(page, "/admin/accounts/")
	p.submit("/admin", url.Values{"login": {"no_such_name"}}).wantPage(200, "Nothing here")
	p.submit("/admin", url.Values{"login": {" "}}).wantPage(422, "Please fill in this field.")
	shown := p.get(page).wantPage(200, "138****8000")
	if shown.header.Get("Cache-Control") != "no-store" || !strings.Contains(shown.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("headers %v", shown.header)
	}
	if found := testkit.FindSecrets([]byte(shown.text), number); found != nil {
		t.Errorf("the page shows %v", found)
	}

	act := func(action, reason string) *reply {
		return p.submit(page, url.Values{"action": {action}, "reason": {reason}})
	}
	act("block", "").wantPage(422, "Give a reason.")
	act("block", "owner of 13800138000").wantPage(422, "must show no phone number")
	act("delete", "ticket").wantPage(400, "malformed")
	act("block", "ticket 4711").wantPage(200, "The account is blocked")
	owner.get("/v1/sessions/current").want(401, "4101")
	act("unblock", "ticket 4711").wantPage(200, "can be used again")
	act("end_sessions", "lost phone").wantPage(200, "All sessions have ended")
	p.get(page).wantPage(200, "lost phone")
	p.get("/admin/accounts/"+uuid.NewString()).wantPage(404, "")

	if gone := act("erase", "ticket 4712"); gone.status != http.StatusSeeOther || gone.header.Get("Location") != "/admin?erased=1" {
		t.Errorf("erased: %d to %q", gone.status, gone.header.Get("Location"))
	}
	p.get("/admin?erased=1").wantPage(200, "The account has been erased.")
	p.get(page).wantPage(404, "")

	blocked := false
	for _, r := range b.records(t, id) {
		if r.Action == audit.AccountBlocked {
			blocked = true
			if r.Cause.Kind != audit.Superuser || r.Cause.Actor != root.ID || r.Cause.Reason != "ticket 4711" || r.Cause.RequestID == "" {
				t.Errorf("cause %+v", r.Cause)
			}
		}
	}
	if !blocked {
		t.Error("the block is not in the audit")
	}
	if found := testkit.FindSecrets([]byte(b.logs.String()), number, password); found != nil {
		t.Errorf("logs show %v", found)
	}
}

// For everyone but superusers the pages do not exist, and nothing is looked up or changed.
func TestAdmin_pages_do_not_exist_for_other_people(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	account := b.filed(t, func(*accounts.Account) {})
	member := b.person()
	member.signUp("li_lei", number)
	for name, p := range map[string]*person{"a stranger": b.person(), "a person": member} {
		p.header = http.Header{"Accept": {"text/html"}}
		none := p.get("/no-such-page")
		for _, path := range []string{"/admin", "/admin/accounts/" + account.ID, "/admin/accounts/" + uuid.NewString()} {
			if got := p.get(path); got.status != 404 || got.text != none.text {
				t.Errorf("%s at %s: %d, another answer than for a page that does not exist", name, path, got.status)
			}
		}
		p.submit("/admin", url.Values{"login": {account.ID}}).wantPage(404, "")
		p.submit("/admin/accounts/"+account.ID, url.Values{"action": {"block"}, "reason": {"spam"}}).wantPage(404, "")
	}
	if records := b.records(t, account.ID); len(records) != 1 || records[0].Action != audit.AccountCreated {
		t.Errorf("records %+v", records)
	}
}

func TestAdmin_pages_ask_for_a_recent_sign_in(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	account := b.filed(t, func(*accounts.Account) {})
	_, p := b.superuser(t, "root_user")
	page := "/admin/accounts/" + account.ID
	p.get(page).wantPage(200, account.ID)
	b.clock.Advance(10 * time.Minute)
	for _, got := range []*reply{p.get(page), p.submit(page, url.Values{"action": {"block"}, "reason": {"spam"}})} {
		to := must(url.Parse(got.header.Get("Location")))(t)
		if got.status != http.StatusSeeOther || to.Path != "/login" || to.Query().Get("next") != page {
			t.Errorf("stale: %d to %s", got.status, to)
		}
	}
	if must(b.store.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: account.ID}))(t).Blocked() {
		t.Error("a stale session has blocked the account")
	}
	login := "/login?next=" + url.QueryEscape(page)
	p.get(login).wantPage(200, "sign in again to continue")
	back := p.submit("/login", url.Values{"mode": {"password"}, "login": {"root_user"}, "password": {password}, "next": {page}})
	if back.status != http.StatusSeeOther || back.header.Get("Location") != page {
		t.Errorf("after the sign-in: %d to %q", back.status, back.header.Get("Location"))
	}
	p.get(page).wantPage(200, account.ID)
}

func TestAdmin_pages_protect_superusers_and_refuse_forged_requests(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	account := b.filed(t, func(*accounts.Account) {})
	root, p := b.superuser(t, "root_user")
	block := url.Values{"action": {"block"}, "reason": {"spam"}}
	p.submit("/admin/accounts/"+root.ID, block).wantPage(403, "protected")
	other, _ := b.superuser(t, "other_root")
	p.submit("/admin/accounts/"+root.ID, block).wantPage(403, "protected")
	p.submit("/admin/accounts/"+other.ID, block).wantPage(200, "The account is blocked")

	for site, origin := range map[string]string{
		"cross-site": "https://evil.example",
		"same-site":  "https://app.example.com", // may call the API for its own user
	} {
		forged := p.do(request{
			method: "POST", path: "/admin/accounts/" + account.ID, contentType: "application/x-www-form-urlencoded", text: block.Encode(),
			header: http.Header{"Accept": {"text/html"}, "Sec-Fetch-Site": {site}, "Origin": {origin}},
		})
		forged.wantPage(403, "")
	}
	if must(b.store.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: account.ID}))(t).Blocked() {
		t.Error("a forged request has blocked the account")
	}
}
