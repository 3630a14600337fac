package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"usher/accounts"
	"usher/apps"
	"usher/audit"
	"usher/contact"
	"usher/internal/testkit"
	"usher/limits"
	"usher/store/sqlstore"
)

const adminAccounts = "/v1/admin/accounts"

// filed stores an account as the change says, and returns it.
func (b *bundle) filed(t *testing.T, change func(*accounts.Account)) accounts.Account {
	t.Helper()
	account := accounts.Account{
		ID: uuid.Must(uuid.NewV7()).String(), Active: true, SessionGeneration: 1, CreatedAt: b.clock.Now(), UpdatedAt: b.clock.Now(),
	}
	change(&account)
	if err := b.store.Create(t.Context(), account, nil); err != nil {
		t.Fatal(err)
	}
	return account
}

// records are those of the audit about an account, the newest first.
func (b *bundle) records(t *testing.T, account string) []audit.Record {
	t.Helper()
	return must(sqlstore.NewAudit(b.db, b.clock.Now).List(t.Context(), audit.Filter{AccountID: account, Limit: 100}))(t)
}

func TestAdministration_by_an_app_looks_up_and_changes_accounts(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	owner := b.person()
	owner.signUp("li_lei", number).want(201, "0")
	_, key := b.newApp(t, apps.Limits{}, apps.AccountsRead, apps.AccountsWrite)
	p := b.appClient(key)

	found := p.post(adminAccounts+"/look-up", body{"login": number}).want(200, "0")
	items := found.Data["items"].([]any)
	if len(items) != 1 || strings.Contains(found.text, number) {
		t.Fatalf("found %s", found.text)
	}
	id := items[0].(map[string]any)["id"].(string)
	path := adminAccounts + "/" + id
	for _, login := range []string{id, " " + number + " "} {
		if got := p.post(adminAccounts+"/look-up", body{"login": login}).want(200, "0"); len(got.Data["items"].([]any)) != 1 {
			t.Errorf("look-up of %q: %s", login, got.text)
		}
	}
	for _, login := range []string{"13800138999", "unknown@example.com", "han_meimei", number[:10], uuid.NewString(), "%", "' or 1=1"} {
		if got := p.post(adminAccounts+"/look-up", body{"login": login}).want(200, "0"); len(got.Data["items"].([]any)) != 0 {
			t.Errorf("look-up of %q: %s", login, got.text)
		}
	}
	if got := p.get(path).want(200, "0"); got.str("mobile") != "138****8000" || got.Data["blocked_at"] != nil {
		t.Errorf("account %v", got.Data)
	}
	if got := p.get(path+"/sessions").want(200, "0"); len(got.Data["items"].([]any)) != 1 {
		t.Errorf("sessions %v", got.Data)
	}
	p.get(path+"/messages").want(200, "0")

	reason := body{"reason": "Spam, ticket 4711"}
	if got := p.post(path+"/block", reason).want(200, "0"); got.str("blocked_at") == "" {
		t.Errorf("blocked: %v", got.Data)
	}
	owner.get("/v1/sessions/current").want(401, "4101")
	p.post(path+"/resend", reason).want(403, "4209")
	if got := p.post(path+"/unblock", reason).want(200, "0"); got.Data["blocked_at"] != nil {
		t.Errorf("unblocked: %v", got.Data)
	}
	p.post(path+"/end-sessions", reason).want(200, "0")
	p.post(path+"/resend", reason).want(404, "4002") // no address waits

	p.post(path+"/erase", body{}).want(422, "4103")
	p.post(path+"/erase", reason).want(200, "0")
	p.get(path).want(404, "4104")

	keyID := strings.Split(key, "_")[1]
	var actions []audit.Action
	for _, r := range b.records(t, id) {
		if r.Cause.Kind == audit.App {
			actions = append(actions, r.Action)
			if r.Cause.Actor != keyID || r.Cause.RequestID == "" || r.Cause.Network == "" {
				t.Errorf("cause %+v", r.Cause)
			}
		}
		if r.Action == audit.AccountBlocked && r.Cause.Reason != reason["reason"] {
			t.Errorf("reason %q", r.Cause.Reason)
		}
	}
	if len(actions) < 9 || !slices.Equal(actions[:4], []audit.Action{
		audit.AccountDeleted, audit.SessionsEnded, audit.AccountUnblocked, audit.AccountBlocked,
	}) {
		t.Errorf("the app's records: %v", actions)
	}
	if wrong := p.get(adminAccounts+"/13900139000/audit").want(200, "0"); strings.Contains(wrong.text, `"action"`) {
		t.Errorf("audit of a number: %s", wrong.text)
	}
	if kept := b.records(t, "13900139000"); len(kept) != 0 {
		t.Errorf("the audit keeps a number that was given as an id: %v", kept)
	}
	read := p.get(path+"/audit").want(200, "0")
	if !strings.Contains(read.text, "Spam, ticket 4711") || !strings.Contains(read.text, string(audit.SignedIn)) && !strings.Contains(read.text, string(audit.AccountCreated)) {
		t.Errorf("audit %s", read.text)
	}
	if found := testkit.FindSecrets([]byte(b.logs.String()+read.text), key, number); found != nil {
		t.Errorf("logs or audit show %v", found)
	}
}

func TestAdministration_lists_pages_by_a_cursor(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	want := map[string]bool{}
	for range 5 {
		want[b.filed(t, func(*accounts.Account) {}).ID] = true
	}
	_, key := b.newApp(t, apps.Limits{}, apps.AccountsRead)
	p := b.appClient(key)
	after, pages := "", 0
	for {
		got := p.get(adminAccounts+"?limit=2&after="+after).want(200, "0")
		for _, item := range got.Data["items"].([]any) {
			delete(want, item.(map[string]any)["id"].(string))
		}
		pages++
		if got.Data["after"] == nil {
			break
		}
		after = got.str("after")
	}
	if len(want) != 0 || pages != 3 {
		t.Errorf("%d pages, without %v", pages, want)
	}
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "after=%00"} {
		p.get(adminAccounts+"?"+query).want(422, "4103")
	}
}

// What a key must not do.
func TestAdministration_refuses_apps_without_the_right(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	account := b.filed(t, func(*accounts.Account) {})
	path := adminAccounts + "/" + account.ID
	_, reading := b.newApp(t, apps.Limits{}, apps.AccountsRead)
	_, writing := b.newApp(t, apps.Limits{}, apps.AccountsWrite)
	_, verifying := b.newApp(t, apps.Limits{}, apps.VerifyStart, apps.VerifyCheck)
	reason := body{"reason": "ticket 4711"}

	b.appClient(reading).post(path+"/block", reason).want(403, "4403")
	b.appClient(writing).get(path).want(403, "4403")
	b.appClient(writing).post(adminAccounts+"/look-up", body{"login": account.ID}).want(403, "4403")
	b.appClient(verifying).get(path).want(403, "4403")
	b.appClient(verifying).post(path+"/unblock", reason).want(403, "4403")
	b.person().get(path).want(401, "4401")
	browser := b.appClient(reading)
	browser.header.Set("Origin", "https://app.example.com")
	browser.get(path).want(403, "4402")

	p := b.appClient(writing)
	for _, bad := range []body{{}, {"reason": " "}, {"reason": "owner of 13800138000"}, {"reason": strings.Repeat("x", 201)}} {
		p.post(path+"/block", bad).want(422, "4103")
	}
	p.post(adminAccounts+"/"+uuid.NewString()+"/block", reason).want(404, "4104")
	superuser := b.filed(t, func(a *accounts.Account) { a.Superuser = true })
	b.filed(t, func(a *accounts.Account) { a.Superuser = true })
	p.post(adminAccounts+"/"+superuser.ID+"/block", reason).want(403, "4105")
	if found := must(b.store.Find(t.Context(), accounts.Key{By: accounts.ByID, Value: account.ID}))(t); found.Blocked() {
		t.Error("the account is blocked")
	}

	_, slow := b.newApp(t, apps.Limits{Rate: 1}, apps.AccountsRead)
	limited := b.appClient(slow)
	limited.get(path).want(200, "0")
	limited.get(path).want(http.StatusTooManyRequests, "4404")
}

// A program that helps people may not fill the mailbox of a stranger whose address was registered.
func TestAdministration_sends_a_mailbox_no_more_mails_than_its_limit(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	account := b.filed(t, func(a *accounts.Account) { a.PendingEmail = must(contact.ParseEmail(address))(t) })
	_, key := b.newApp(t, apps.Limits{}, apps.AccountsWrite)
	p, path := b.appClient(key), adminAccounts+"/"+account.ID+"/resend"
	for range b.face.Limits[limits.ResendEmail].Count {
		p.post(path, body{"reason": "ticket 4711"}).want(200, "0")
	}
	p.post(path, body{"reason": "ticket 4711"}).want(429, "4206")
}
