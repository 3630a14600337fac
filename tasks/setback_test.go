package tasks_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"usher/internal/testkit"
	"usher/messages"
	"usher/store/redisstore"
	"usher/store/sqlstore"
	"usher/tasks"
)

// TestEmailHandler_sends_nothing_twice_when_an_older_database_comes_back restores the table of messages as it was before
// its mails were sent, while Redis is as it is.
func TestEmailHandler_sends_nothing_twice_when_an_older_database_comes_back(t *testing.T) {
	t.Parallel()
	testkit.EachDatabase(t, func(t *testing.T, databaseURL string) {
		keys, url := testKeys(t), testkit.Redis(t)
		logger, _ := testkit.Logger(t)
		db, err := sqlstore.Open(t.Context(), databaseURL, sqlstore.Settings{Timeout: testkit.DatabasePatience})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if err := sqlstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		outbox, history := sqlstore.NewMails(db, keys, time.Now), sqlstore.NewMessages(db, time.Now)
		claimed := activation(t)
		account := claimed.Account
		account.PasswordHash, account.CreatedAt, account.UpdatedAt = "hash", time.Now(), time.Now()
		const mails = 13
		ids := make([]string, mails)
		for i := range ids {
			mail := claimed.Mail
			mail.ID, mail.CreatedAt = fmt.Sprint("mail-", i), time.Now().Add(-time.Minute)
			mail.NotAfter = mail.CreatedAt.Add(24 * time.Hour)
			ids[i] = mail.ID
			if i == 0 {
				if err := sqlstore.NewAccounts(db, keys).Create(t.Context(), account, &mail); err != nil {
					t.Fatal(err)
				}
				continue
			}
			run(t, db, `insert into messages (id, channel, purpose, language, account_id, to_masked, to_sealed, state, not_after,
				enqueued_at, generation, key_id, created_at, updated_at)
				select '`+mail.ID+`', channel, purpose, language, account_id, to_masked, to_sealed, state, not_after, enqueued_at,
				generation, key_id, created_at, updated_at from messages where id = '`+ids[0]+`'`)
		}
		run(t, db, "create table dump as select * from messages")

		client, to := open(t, url), &sender{}
		notes, metrics := redisstore.New(client, keys, time.Now).Mails(), tasks.NewMetrics(prometheus.NewRegistry())
		serve(t, url, logger, newMux(logger, metrics, nil, &tasks.EmailHandler{
			Claims: outbox, Notes: notes, Sender: to, Keys: keys, Mails: mustMails(t), Timeout: sendTimeout, Metrics: metrics,
		}))
		relay(t, &tasks.Relay{Outbox: outbox, Enqueuer: newEnqueuer(client, keys), Logger: logger})
		all := func(state messages.State, code string) func() bool {
			return func() bool {
				list, err := history.List(t.Context(), sqlstore.Filter{Limit: 2 * mails, States: []messages.State{state}, Code: code})
				return err == nil && len(list) == mails
			}
		}
		testkit.Eventually(t, testkit.Patience, all(messages.Sent, ""), "all mails are sent")

		run(t, db, "delete from messages")
		run(t, db, "insert into messages select * from dump")
		testkit.Eventually(t, testkit.Patience, all(messages.Failed, "set_back"), "no mail is sent again without an operator")
		if sent := len(to.sentMails()); sent != mails {
			t.Errorf("%d mails were sent, want %d", sent, mails)
		}

		// An operator's word.
		if err := notes.Forget(t.Context(), ids[3]); err != nil {
			t.Fatal(err)
		}
		if reason, err := history.Retry(t.Context(), ids[3], sqlstore.Retry{}); err != nil || reason != "" {
			t.Fatalf("retry: %q, %v", reason, err)
		}
		testkit.Eventually(t, testkit.Patience, func() bool { return len(to.sentMails()) == mails+1 }, "the mail is sent again")
	})
}

func run(t *testing.T, db *sqlstore.DB, statement string) {
	t.Helper()
	if _, err := db.Unwrap().ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
