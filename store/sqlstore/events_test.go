package sqlstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/accounts"
	"usher/audit"
	"usher/events"
	"usher/messages"
	"usher/store/sqlstore"
	"usher/verify"
)

// eventsTests check which events are written, and how deliveries move on.
var eventsTests = behaviours{
	"Changes_of_accounts_are_told":                       eventsTold,
	"Proofs_of_active_accounts_are_no_activations":       eventsActiveBefore,
	"Nothing_is_written_without_endpoints":               eventsNone,
	"Nothing_is_written_that_no_endpoint_wants":          eventsUnwanted,
	"Events_of_an_account_are_numbered":                  eventsSeq,
	"A_change_that_fails_tells_nothing":                  eventsRolledBack,
	"Bodies_show_masked_contacts_only":                   eventsMasked,
	"Messages_that_did_not_arrive_are_told_once":         eventsUndelivered,
	"Mails_that_failed_are_told":                         eventsFailedMail,
	"Verifications_of_apps_are_told_once":                eventsApproved,
	"Deliveries_are_fed_within_the_window":               deliveriesWindow,
	"Deliveries_are_claimed_once":                        deliveriesOnce,
	"Deliveries_of_dead_workers_come_back":               deliveriesDead,
	"Deliveries_fail_by_the_schedule":                    deliveriesSchedule,
	"A_success_ends_the_failures_of_an_endpoint":         deliveriesSuccess,
	"An_endpoint_that_is_gone_is_disabled":               deliveriesGone,
	"An_endpoint_that_fails_for_five_days_is_disabled":   deliveriesFiveDays,
	"An_endpoint_that_asks_for_a_pause_gets_nothing":     deliveriesPause,
	"Endpoints_keep_two_secrets_for_a_day":               endpointsRotate,
	"Endpoints_keep_two_private_keys":                    endpointsRotatePrivate,
	"Endpoints_show_no_secret":                           endpointsDump,
	"Replay_sends_what_was_sent_and_what_never_was":      eventsReplay,
	"Prune_and_Expire_leave_what_may_still_be_delivered": eventsPrune,
}

const leased = 20 * time.Second

// endpoint adds one that wants the types, or all, and returns its id.
func (f *fixture) endpoint(t *testing.T, types ...events.Type) string {
	t.Helper()
	id, err := f.events.AddEndpoint(t.Context(), "https://example.com/usher", types, events.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// stored events, in the order in which they were written.
func (f *fixture) listed(t *testing.T) []sqlstore.Listed {
	t.Helper()
	list, err := f.events.List(t.Context(), time.Unix(0, 0), false, 1000)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

// types are those of the events about an account.
func (f *fixture) types(t *testing.T, account string) (types []events.Type) {
	t.Helper()
	list := f.listed(t)
	slices.SortStableFunc(list, func(a, b sqlstore.Listed) int { return int(a.Seq - b.Seq) })
	for _, e := range list {
		if e.AccountID == account {
			types = append(types, e.Type)
		}
	}
	return types
}

// walk is what one method of the store tells, and what it records in the audit. do returns the account that it changes; nil
// with the reason why it changes nothing worth an event or a record.
type walk struct {
	do    func(t *testing.T, f *fixture) string
	want  []events.Type
	audit []audit.Action
	why   string
}

// walks has a line for each method of sqlstore.Accounts. do begins with the account's first event.
var walks = map[string]walk{
	"Create": {do: func(t *testing.T, f *fixture) string { account, _ := f.created(t); return account.ID }, want: []events.Type{events.AccountCreated}, audit: []audit.Action{audit.AccountCreated}},
	"CreateClaiming": {do: func(t *testing.T, f *fixture) string {
		holder, claimer, _ := f.claimed(t)
		if got := f.actions(t, holder.ID); !slices.Equal(got, []audit.Action{audit.AccountCreated, audit.ContactChanged, audit.NumberClaimed}) {
			t.Errorf("the audit of the holder is %v", got)
		}
		return claimer.ID
	}, want: []events.Type{events.AccountCreated}, audit: []audit.Action{audit.AccountCreated}},
	"Activate": {do: func(t *testing.T, f *fixture) string {
		account := f.waiting(t)
		if _, err := f.accounts.Activate(t.Context(), account, "a hash", f.clock.Now(), nil); err != nil {
			t.Fatal(err)
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated, events.AccountActivated}, audit: []audit.Action{audit.AccountCreated, audit.AccountActivated}},
	"ChangeEmail": {do: func(t *testing.T, f *fixture) string {
		account, _ := f.proved(t)
		_, _ = f.movedEmail(t, account)
		return account.ID
	}, want: []events.Type{events.AccountCreated, events.AccountContactChanged, events.AccountContactChanged}, // told when it is proved
		audit: []audit.Action{audit.AccountCreated, audit.ContactChanged, audit.ContactRequested, audit.ContactChanged}},
	"ReplaceEmail": {
		do: func(t *testing.T, f *fixture) string {
			account, _ := f.proved(t)
			next, _ := f.contacts(t)
			if _, err := f.accounts.ReplaceEmail(t.Context(), account, next, f.change(account, accounts.ChangedEmail)); err != nil {
				t.Fatal(err)
			}
			return account.ID
		}, want: []events.Type{events.AccountCreated, events.AccountContactChanged, events.AccountContactChanged},
		audit: []audit.Action{audit.AccountCreated, audit.ContactChanged, audit.ContactChanged},
	},
	"ChangeMobile": {do: func(t *testing.T, f *fixture) string {
		account, _ := f.created(t)
		_, _ = f.movedMobile(t, account)
		return account.ID
	}, want: []events.Type{events.AccountCreated, events.AccountContactChanged}, audit: []audit.Action{audit.AccountCreated, audit.ContactChanged}},
	"ChangePassword": {do: func(t *testing.T, f *fixture) string {
		account, _ := f.created(t)
		if _, err := f.accounts.ChangePassword(t.Context(), account, "another hash", f.change(account, accounts.ChangedPassword)); err != nil {
			t.Fatal(err)
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated, events.AccountPasswordChanged}, audit: []audit.Action{audit.AccountCreated, audit.PasswordChanged}},
	"Undo": {
		do: func(t *testing.T, f *fixture) string {
			account, _ := f.created(t)
			_, change := f.movedMobile(t, account)
			if _, err := f.accounts.Undo(t.Context(), change, "a hash", f.clock.Now(), nil); err != nil {
				t.Fatal(err)
			}
			return account.ID
		}, want: []events.Type{events.AccountCreated, events.AccountContactChanged, events.AccountContactChanged, events.AccountPasswordChanged},
		audit: []audit.Action{audit.AccountCreated, audit.ContactChanged, audit.ChangeUndone},
	},
	"HandOver": {do: func(t *testing.T, f *fixture) string {
		_, claimer, _ := f.claimed(t)
		f.clock.Advance(accounts.ClaimWindow)
		if n := f.handOver(t); n == 0 {
			t.Fatal("no claim ended")
		}
		return claimer.ID
	}, want: []events.Type{events.AccountCreated, events.AccountContactChanged}, audit: []audit.Action{audit.AccountCreated, audit.ContactChanged}},
	"RemoveUnproved": {do: func(t *testing.T, f *fixture) string {
		account := f.waiting(t)
		if err := f.accounts.RemoveUnproved(t.Context(), account.ID, f.clock.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated, events.AccountDeleted}, audit: []audit.Action{audit.AccountCreated, audit.AccountDeleted}},

	"Block": {do: func(t *testing.T, f *fixture) string {
		account, _ := f.created(t)
		for range 2 { // the second changes nothing
			if _, err := f.accounts.Block(t.Context(), account.ID, f.clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated, events.AccountBlocked}, audit: []audit.Action{audit.AccountCreated, audit.AccountBlocked}},
	"Unblock": {
		do: func(t *testing.T, f *fixture) string {
			account, _ := f.created(t)
			for _, change := range []func(context.Context, string, time.Time) (accounts.Account, error){f.accounts.Block, f.accounts.Unblock} {
				if _, err := change(t.Context(), account.ID, f.clock.Now()); err != nil {
					t.Fatal(err)
				}
			}
			return account.ID
		}, want: []events.Type{events.AccountCreated, events.AccountBlocked, events.AccountUnblocked},
		audit: []audit.Action{audit.AccountCreated, audit.AccountBlocked, audit.AccountUnblocked},
	},

	// These tell nothing: an address is not proved yet, no event is about names, which no body shows, and a team imports accounts
	// that it has already.
	"Erase": {do: func(t *testing.T, f *fixture) string {
		account, _ := f.created(t)
		for range 2 { // the second finds it gone
			if _, err := f.accounts.Erase(t.Context(), account.ID, f.clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated, events.AccountDeleted}, audit: []audit.Action{audit.AccountCreated, audit.AccountDeleted}},

	"Agree":            {why: "no event is about consents"},
	"Withdraw":         {why: "no event is about consents"},
	"Export":           {why: "reads"},
	"EraseDue":         {why: "it deletes as Erase does"},
	"ScheduleDeletion": {why: "the account is there until it is erased"},
	"KeepAccount":      {why: "the account stays"},
	"DueDeletions":     {why: "reads"}, "ErasedRemains": {why: "reads"}, "Consents": {why: "reads"},
	"ForgetErased": {why: "the account is gone"}, "MarkForgotten": {why: "the account is gone"}, "FreeNames": {why: "the account is gone"},
	"Release": {do: func(t *testing.T, f *fixture) string {
		account, _ := f.created(t) // it has a number too, so that it stays
		if err := f.accounts.Release(t.Context(), keys(t).Index("email", account.PendingEmail.Reveal()), f.clock.Now()); err != nil {
			t.Fatal(err)
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated}, audit: []audit.Action{audit.AccountCreated, audit.ContactRemoved}},
	"SetUsername": {do: func(t *testing.T, f *fixture) string {
		account, mail := f.person(t)
		name := account.Username
		account.Username = ""
		if err := f.accounts.Create(t.Context(), account, mail); err != nil {
			t.Fatal(err)
		}
		if _, err := f.accounts.SetUsername(t.Context(), account.ID, name, f.clock.Now()); err != nil {
			t.Fatal(err)
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated}, audit: []audit.Action{audit.AccountCreated, audit.UsernameSet}},
	"CorrectEmail": {do: func(t *testing.T, f *fixture) string {
		account := f.waiting(t)
		next, _ := f.contacts(t)
		if _, err := f.accounts.CorrectEmail(t.Context(), account, next, *f.mail()); err != nil {
			t.Fatal(err)
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated}, audit: []audit.Action{audit.AccountCreated, audit.ContactRequested}},
	"RenewActivation": {do: func(t *testing.T, f *fixture) string {
		account := f.waiting(t)
		if err := f.accounts.RenewActivation(t.Context(), account.ID, *f.mail()); err != nil {
			t.Fatal(err)
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated}, audit: []audit.Action{audit.AccountCreated, audit.ActivationSent}},
	"EndSessions": {do: func(t *testing.T, f *fixture) string {
		account, _ := f.created(t)
		if err := f.accounts.EndSessions(t.Context(), f.clock.Now().Add(time.Hour), account.ID+"/1/s1", account.ID+"/1/s2"); err != nil {
			t.Fatal(err)
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated}, audit: []audit.Action{audit.AccountCreated, audit.SessionsEnded}},
	"CreateAll": {do: func(t *testing.T, f *fixture) string {
		account, _ := f.person(t)
		for _, keep := range []bool{false, true} { // the first is a trial
			if _, err := f.accounts.CreateAll(t.Context(), []accounts.Account{account}, keep); err != nil {
				t.Fatal(err)
			}
		}
		records := f.records(t, audit.Filter{Limit: 1})
		if len(records) != 1 || records[0].Action != audit.AccountsImported {
			t.Errorf("the audit of an import is %+v", records)
		}
		return account.ID // of whom no record tells: one tells of the whole batch
	}},
	"Audit": {do: func(t *testing.T, f *fixture) string {
		account, _ := f.created(t)
		if err := f.accounts.Audit(t.Context(), audit.New(t.Context(), f.clock.Now(), audit.SignedIn, account.ID)); err != nil {
			t.Fatal(err)
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated}, audit: []audit.Action{audit.AccountCreated, audit.SignedIn}},

	"EndAllSessions": {do: func(t *testing.T, f *fixture) string {
		account, _ := f.created(t)
		ended, err := f.accounts.EndAllSessions(t.Context(), account.ID, f.clock.Now())
		if err != nil || ended.SessionGeneration != account.SessionGeneration+1 {
			t.Fatalf("generation %d, %v", ended.SessionGeneration, err)
		}
		return account.ID
	}, want: []events.Type{events.AccountCreated}, audit: []audit.Action{audit.AccountCreated, audit.SessionsEnded}},

	"Rehash":           {why: "the password stays"},
	"Seen":             {why: "only a time, and a claim on a number that the claimer has not got yet"},
	"Decline":          {why: "about an address, not an account"},
	"DropEndedChanges": {why: "the accounts stay as they are"},
	"FindSignedIn":     {why: "reads"}, "Find": {why: "reads"}, "Exists": {why: "reads"}, "NameTaken": {why: "reads"}, "FindWaiting": {why: "reads"},
	"FindChange": {why: "reads"}, "ChangesFrom": {why: "reads"}, "DeclinedUntil": {why: "reads"}, "BouncedAt": {why: "reads"},
	"ImportedHashes": {why: "reads"},
	"DropUnproved":   {why: "it deletes as RemoveUnproved does"},
}

// waiting is an account that waits for the proof of its address and has nothing else.
func (f *fixture) waiting(t *testing.T) accounts.Account {
	t.Helper()
	account, mail := f.person(t)
	account.Mobile, account.Active = accounts.Account{}.Mobile, false
	if err := f.accounts.Create(t.Context(), account, mail); err != nil {
		t.Fatal(err)
	}
	return account
}

func TestMethods_that_change_accounts_are_walked(t *testing.T) {
	t.Parallel()
	store := reflect.TypeFor[*sqlstore.Accounts]()
	for method := range store.Methods() {
		name := method.Name
		if line, known := walks[name]; !known || (line.do == nil) == (line.why == "") {
			t.Errorf("sqlstore.Accounts.%s: give it a line in walks, with the events that it tells and the records that it writes, or the reason why it does neither", name)
		}
	}
	for name := range walks {
		if _, found := store.MethodByName(name); !found {
			t.Errorf("there is no sqlstore.Accounts.%s", name)
		}
	}
}

func eventsTold(t *testing.T, f *fixture) {
	f.endpoint(t)
	for name, line := range walks {
		if line.do == nil {
			continue
		}
		id := line.do(t, f)
		if got := f.types(t, id); !slices.Equal(got, line.want) {
			t.Errorf("%s told %v, want %v", name, got, line.want)
		}
	}
}

// An account that was active before gets another address, also when it has nothing else that is proved.
func eventsActiveBefore(t *testing.T, f *fixture) {
	f.endpoint(t)
	holder, _ := f.created(t)
	claimer, mail := f.claimer(t, holder.Mobile)
	if err := f.accounts.CreateClaiming(t.Context(), claimer, mail, holder, f.change(holder, accounts.NumberClaimed)); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(accounts.ClaimWindow)
	if n := f.handOver(t); n != 1 {
		t.Fatalf("%d claims ended", n)
	}
	lost := f.found(t, holder.ID)
	if !lost.Active || !lost.Mobile.IsZero() || !lost.Email.IsZero() {
		t.Fatalf("the account that lost its number is %+v", lost)
	}
	if _, err := f.accounts.Activate(t.Context(), lost, "another hash", f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	want := []events.Type{
		events.AccountCreated, events.AccountContactChanged, events.AccountContactChanged, events.AccountPasswordChanged,
	}
	if got := f.types(t, holder.ID); !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
}

func (f *fixture) count(t *testing.T, table string) (n int) {
	t.Helper()
	if err := f.db.Unwrap().GetContext(t.Context(), &n, "select count(*) from "+table); err != nil {
		t.Fatal(err)
	}
	return n
}

func eventsNone(t *testing.T, f *fixture) {
	disabled := f.endpoint(t)
	if err := f.events.DisableEndpoint(t.Context(), disabled); err != nil {
		t.Fatal(err)
	}
	for _, line := range walks {
		if line.do != nil {
			line.do(t, f)
		}
	}
	f.save(t, later(f.outcome(), 1, messages.Undelivered))
	if e, d := f.count(t, "events"), f.count(t, "deliveries"); e != 0 || d != 0 {
		t.Errorf("%d events and %d deliveries", e, d)
	}
}

func eventsUnwanted(t *testing.T, f *fixture) {
	wants := f.endpoint(t, events.AccountDeleted, events.AccountCreated)
	f.endpoint(t, events.AccountPasswordChanged)
	account, _ := f.created(t)
	f.movedMobile(t, account)
	list := f.listed(t)
	if len(list) != 1 || list[0].Type != events.AccountCreated || list[0].Seq != 1 || len(list[0].Deliveries) != 1 ||
		list[0].Deliveries[0].EndpointID != wants || list[0].Deliveries[0].State != events.Waiting {
		t.Errorf("events %+v, want one of the creation for %s", list, wants)
	}
}

func eventsSeq(t *testing.T, f *fixture) {
	f.endpoint(t)
	account, _ := f.created(t)
	_, change := f.movedMobile(t, account)
	if _, err := f.accounts.Undo(t.Context(), change, "a hash", f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	for i, e := range f.listed(t) {
		var body struct {
			Type string
			Data events.AccountData
		}
		if err := json.Unmarshal(e.Body, &body); err != nil {
			t.Fatal(err)
		}
		if e.AccountID != account.ID || body.Data.Seq != e.Seq || body.Type != string(e.Type) || body.Data.AccountID != account.ID {
			t.Errorf("event %d: %s", i, e.Body)
		}
	}
	var seqs []int64
	for _, e := range f.listed(t) {
		seqs = append(seqs, e.Seq)
	}
	slices.Sort(seqs)
	if !slices.Equal(seqs, []int64{1, 2, 3, 4}) {
		t.Errorf("numbers %v", seqs)
	}
}

func eventsRolledBack(t *testing.T, f *fixture) {
	f.endpoint(t)
	account, mail := f.person(t)
	mail.Purpose = accounts.MailEmailChanged // the table refuses it without an address of its own
	if err := f.accounts.Create(t.Context(), account, mail); err == nil {
		t.Fatal("created")
	}
	if n := f.count(t, "events"); n != 0 {
		t.Errorf("%d events of an account that does not exist", n)
	}
}

func eventsMasked(t *testing.T, f *fixture) {
	f.endpoint(t)
	account, _ := f.proved(t)
	list := f.listed(t)
	last := string(list[len(list)-1].Body)
	for _, want := range []string{account.Mobile.String(), account.Email.String(), `"changed":["email"]`, `"active":true`} {
		if !strings.Contains(last, want) {
			t.Errorf("%s lacks %s", last, want)
		}
	}
	for _, e := range list {
		for _, full := range []string{account.Mobile.Reveal(), account.Email.Reveal(), account.Username} {
			if strings.Contains(string(e.Body), full) {
				t.Errorf("%s shows %s", e.Body, full)
			}
		}
	}
}

func eventsUndelivered(t *testing.T, f *fixture) {
	f.endpoint(t, events.MessageUndelivered)
	lost, arrived, overtaken := f.outcome(), f.outcome(), f.outcome()
	lost.Reason = "unserved"
	f.save(t, lost, arrived, overtaken)
	f.save(t, later(overtaken, 5, messages.Delivered))
	for range 2 {
		f.save(t, later(lost, 2, messages.Undelivered), later(arrived, 2, messages.Delivered), later(overtaken, 2, messages.Undelivered))
	}
	list := f.listed(t)
	if len(list) != 1 {
		t.Fatalf("%d events, want one", len(list))
	}
	var body struct{ Data events.MessageData }
	if err := json.Unmarshal(list[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	want := events.MessageData{
		MessageID: lost.ID, Channel: "sms", Purpose: "login", To: lost.To, State: "undelivered", Reason: "unserved",
	}
	if diff := cmp.Diff(want, body.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}

func eventsFailedMail(t *testing.T, f *fixture) {
	f.endpoint(t, events.MessageUndelivered)
	account, mail := f.created(t)
	claim := f.claim(t, mail.ID)
	outcome := messages.Outcome{State: messages.Failed, Provider: "smtp", Code: "550", Reason: "recipient_unknown", At: f.clock.Now()}
	for range 2 { // its answer may have been lost
		if err := f.mails.Record(t.Context(), claim, outcome); err != nil {
			t.Fatal(err)
		}
	}
	list := f.listed(t)
	if len(list) != 1 || list[0].AccountID != account.ID || !strings.Contains(string(list[0].Body), `"state":"failed"`) ||
		!strings.Contains(string(list[0].Body), account.PendingEmail.String()) {
		t.Errorf("events %+v", list)
	}
	stale := claim
	stale.Attempt++
	if err := f.mails.Record(t.Context(), stale, outcome); !errors.Is(err, messages.ErrStale) {
		t.Errorf("stale: %v", err)
	}
}

func eventsApproved(t *testing.T, f *fixture) {
	f.endpoint(t, events.VerificationApproved)
	ofApp, own := f.outcome(), f.outcome()
	ofApp.Purpose = string(verify.ForApp("app_1", "checkout"))
	f.save(t, ofApp, own)
	used := func(r messages.Record) messages.Record {
		r = later(r, 2, messages.Delivered)
		r.UsedAt = r.UpdatedAt
		return r
	}
	for range 2 {
		f.save(t, used(ofApp), used(own))
	}
	list := f.listed(t)
	if len(list) != 1 {
		t.Fatalf("%d events, want one", len(list))
	}
	var body struct{ Data events.VerificationData }
	if err := json.Unmarshal(list[0].Body, &body); err != nil {
		t.Fatal(err)
	}
	want := events.VerificationData{VerificationID: ofApp.ID, AppID: "app_1", Channel: "sms", Purpose: "checkout", To: ofApp.To}
	if diff := cmp.Diff(want, body.Data); diff != "" {
		t.Errorf("data (-want +got):\n%s", diff)
	}
}
