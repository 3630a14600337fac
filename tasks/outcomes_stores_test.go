package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"usher/internal/testkit"
	"usher/messages"
	"usher/reports"
	"usher/secrets"
	"usher/store/redisstore"
	"usher/store/sqlstore"
	"usher/tasks"
	"usher/verify"
)

// history is the way of an outcome from Redis to SQL, on real stores.
type history struct {
	client   redis.UniversalClient
	store    *redisstore.Store
	codes    *redisstore.Codes
	db       *sqlstore.DB
	table    *sqlstore.Outcomes
	messages *sqlstore.Messages
	keys     *secrets.Keys
	clock    *testkit.Clock
}

// eachHistory runs the test on both databases.
func eachHistory(t *testing.T, test func(t *testing.T, h *history)) {
	t.Helper()
	testkit.EachDatabase(t, func(t *testing.T, databaseURL string) {
		db, err := sqlstore.Open(t.Context(), databaseURL, sqlstore.Settings{Timeout: testkit.DatabasePatience})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if err := sqlstore.Migrate(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		h := &history{client: open(t, testkit.Redis(t)), db: db, keys: testKeys(t), clock: testkit.NewClock(time.Now())}
		h.store = redisstore.New(h.client, h.keys, h.clock.Now)
		h.codes, h.table = h.store.Codes(), sqlstore.NewOutcomes(db, h.clock.Now)
		h.messages = sqlstore.NewMessages(db, h.clock.Now)
		test(t, h)
	})
}

func (h *history) writer(t *testing.T) *tasks.OutcomeWriter {
	t.Helper()
	logger, _ := testkit.Logger(t)
	return &tasks.OutcomeWriter{
		Log: h.store.Outcomes(), Table: h.table, Locks: h.store.Reports(), Metrics: tasks.NewMetrics(prometheus.NewRegistry()), Logger: logger,
	}
}

// service issues codes whose tasks go nowhere.
func (h *history) service(t *testing.T, queueErr error) *verify.Service {
	t.Helper()
	logger, _ := testkit.Logger(t)
	return &verify.Service{
		Codes: h.codes, Queue: nowhere{queueErr}, Keys: h.keys, Now: h.clock.Now, Logger: logger,
		Policy: verify.Policy{CodeLength: 6, CodeTTL: 5 * time.Minute, ResendInterval: time.Minute, MaxAttempts: 5},
	}
}

type nowhere struct{ err error }

func (n nowhere) EnqueueCode(context.Context, verify.Queued) error { return n.err }

// issue returns a new code of the nth number.
func (h *history) issue(t *testing.T, n int) string {
	t.Helper()
	request := verify.Request{To: mustMobile(t, numberOf(n)), Purpose: verify.Login, RequestID: "req-1"}
	issued, err := h.service(t, nil).Issue(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return issued.ID
}

func numberOf(n int) string { return fmt.Sprintf("138%08d", n) }

func (h *history) send(t *testing.T, id string) {
	t.Helper()
	claim, err := h.codes.Claim(t.Context(), id, time.Minute)
	if err != nil {
		t.Fatalf("Claim: %v, %s", err, claim.Reason)
	}
	outcome := messages.Outcome{State: messages.Sent, Provider: "aliyun", ProviderID: "biz", At: h.clock.Now()}
	if err := h.codes.Record(t.Context(), claim, outcome); err != nil {
		t.Fatal(err)
	}
}

func (h *history) deliver(t *testing.T, ids ...string) {
	t.Helper()
	var all []reports.Report
	for _, id := range ids {
		all = append(all, reports.Report{Provider: "aliyun", MessageID: id, ProviderID: "biz", State: messages.Delivered})
	}
	if _, err := h.store.Reports().Apply(t.Context(), all); err != nil {
		t.Fatal(err)
	}
}

// awaitEmpty waits until nothing waits to be written down.
func (h *history) awaitEmpty(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, testkit.Patience, func() bool {
		n, _, err := h.store.Outcomes().Backlog(t.Context())
		return err == nil && n == 0
	}, "all outcomes are written down")
}

func (h *history) wantState(t *testing.T, id string, state messages.State, reason string) sqlstore.Message {
	t.Helper()
	message, err := h.messages.Find(t.Context(), id)
	if err != nil || message.State != state || message.Reason != reason {
		t.Errorf("row = %s %s, %v, want %s %s", message.State, message.Reason, err, state, reason)
	}
	return message
}

// wantRows counts the rows of the table.
func (h *history) wantRows(t *testing.T, want int) {
	t.Helper()
	var n int
	if err := h.db.Unwrap().GetContext(t.Context(), &n, "select count(*) from messages"); err != nil || n != want {
		t.Errorf("%d rows, %v, want %d", n, err, want)
	}
}

func TestOutcomeWriter_shows_the_lives_of_codes_in_SQL(t *testing.T) {
	t.Parallel()
	eachHistory(t, func(t *testing.T, h *history) {
		used, over := h.issue(t, 1), h.issue(t, 2)
		_, err := h.service(t, errors.New("queue is unavailable")).Issue(t.Context(), verify.Request{
			To: mustMobile(t, numberOf(3)), Purpose: verify.Register,
		})
		if !errors.Is(err, verify.ErrQueue) {
			t.Fatalf("Issue: %v", err)
		}
		h.send(t, used)
		h.deliver(t, used)
		code := codeOf(t, h.keys, verify.Queued{ID: used, KeyID: "k1", Purpose: verify.Login, To: mustMobile(t, numberOf(1)), Length: 6})
		if err := h.service(t, nil).Spend(t.Context(), mustMobile(t, numberOf(1)), verify.Login, used, code); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(10 * time.Minute)
		if _, err := h.codes.Claim(t.Context(), over, time.Minute); !errors.Is(err, messages.ErrDropped) {
			t.Fatalf("Claim: %v", err)
		}
		stop := runs(t, h.writer(t))
		h.awaitEmpty(t)
		stop()

		h.wantRows(t, 3)
		row := h.wantState(t, used, messages.Delivered, "")
		if row.To != "138****0001" || row.RequestID != "req-1" || row.Purpose != "login" || row.Attempt != 1 ||
			row.Provider != "aliyun" || row.AcceptedAt.IsZero() || row.DeliveredAt.IsZero() || row.UsedAt.IsZero() {
			t.Errorf("row = %+v", row)
		}
		h.wantState(t, over, messages.Dropped, "expired")
		voided, err := h.messages.List(t.Context(), sqlstore.Filter{Purpose: string(verify.Register), Limit: 10})
		if err != nil || len(voided) != 1 || voided[0].State != messages.Dropped || voided[0].Reason != "unqueued" {
			t.Errorf("voided: %+v, %v", voided, err)
		}
		dump := h.dump(t)
		if !strings.Contains(dump, "138****0001") {
			t.Errorf("no row in:\n%s", dump)
		}
		if found := testkit.FindSecrets([]byte(dump), numberOf(1), numberOf(2), numberOf(3), code); len(found) > 0 {
			t.Errorf("found %v in:\n%s", found, dump)
		}
	})
}

// dump returns all rows as text.
func (h *history) dump(t *testing.T) string {
	t.Helper()
	rows, err := h.db.Unwrap().QueryxContext(t.Context(), "select * from messages")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var text strings.Builder
	for rows.Next() {
		row := map[string]any{}
		if err := rows.MapScan(row); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "%s\n", row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func TestOutcomeWriter_closes_what_went_with_Redis(t *testing.T) {
	t.Parallel()
	eachHistory(t, func(t *testing.T, h *history) {
		lost, kept := h.issue(t, 1), h.issue(t, 2)
		writer := h.writer(t)
		stop := runs(t, writer)
		h.awaitEmpty(t)
		h.send(t, kept)
		h.awaitEmpty(t)
		if err := h.client.FlushDB(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(10 * time.Minute)
		for _, job := range writer.Jobs() {
			if err := job.Run(t.Context()); err != nil {
				t.Errorf("%s: %v", job.Name, err)
			}
		}
		h.wantState(t, lost, messages.Dropped, "expired")
		h.wantState(t, kept, messages.Sent, "")
		h.issue(t, 3) // it goes on with an empty Redis
		h.awaitEmpty(t)
		h.wantRows(t, 3)
		stop()
	})
}

// dying is a log and a table whose worker dies at one step.
type dying struct {
	tasks.OutcomeLog
	tasks.OutcomeTable
	beforeSave, beforeRemove func()
}

var errDead = errors.New("killed")

func (d dying) Save(ctx context.Context, records []messages.Record) error {
	if d.beforeSave != nil {
		d.beforeSave()
		return errDead
	}
	return d.OutcomeTable.Save(ctx, records)
}

func (d dying) Remove(ctx context.Context, entries []messages.Entry) error {
	if d.beforeRemove != nil {
		d.beforeRemove()
		return errDead
	}
	return d.OutcomeLog.Remove(ctx, entries)
}

// A worker dies after it has read a batch, or after it has saved it. Another one has meanwhile written down
// what came later.
func TestOutcomeWriter_writes_each_outcome_down_once_whoever_dies(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"before save", "before remove"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			eachHistory(t, func(t *testing.T, h *history) {
				var ids []string
				for n := range 20 {
					ids = append(ids, h.issue(t, n))
				}
				died := make(chan struct{}, 100)
				first := dying{OutcomeLog: h.store.Outcomes(), OutcomeTable: h.table}
				if step == "before save" {
					first.beforeSave = func() { died <- struct{}{} }
				} else {
					first.beforeRemove = func() { died <- struct{}{} }
				}
				writer := h.writer(t)
				writer.Log, writer.Table = first, first
				stop := runs(t, writer)
				<-died
				stop()
				for _, id := range ids {
					h.send(t, id)
				}
				stop = runs(t, h.writer(t))
				h.awaitEmpty(t)
				stop()
				h.wantRows(t, len(ids))
				for _, id := range ids {
					h.wantState(t, id, messages.Sent, "")
				}
			})
		})
	}
}

// A worker that was frozen after its read comes back when others have long gone on.
func TestOutcomeWriter_old_news_do_no_harm(t *testing.T) {
	t.Parallel()
	eachHistory(t, func(t *testing.T, h *history) {
		id := h.issue(t, 1)
		old, _, err := h.store.Outcomes().Read(t.Context(), 1000)
		if err != nil || len(old) != 1 {
			t.Fatalf("Read = %+v, %v", old, err)
		}
		h.send(t, id)
		stop := runs(t, h.writer(t))
		h.awaitEmpty(t)
		stop()
		if err := h.table.Save(t.Context(), []messages.Record{old[0].Record}); err != nil {
			t.Fatal(err)
		}
		if err := h.store.Outcomes().Remove(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		h.wantState(t, id, messages.Sent, "")
		h.wantRows(t, 1)
	})
}

func TestOutcomeWriter_many_may_write_at_the_same_time(t *testing.T) {
	t.Parallel()
	eachHistory(t, func(t *testing.T, h *history) {
		for range 3 {
			writer := h.writer(t)
			writer.Locks = locks{mine: true} // all at once, as when locks get lost
			runs(t, writer)
		}
		var ids []string
		for n := range 200 {
			ids = append(ids, h.issue(t, n))
		}
		for some := range slices.Chunk(ids, 50) {
			for _, id := range some {
				h.send(t, id)
			}
			h.deliver(t, some...)
		}
		h.awaitEmpty(t)
		h.wantRows(t, len(ids))
		for _, id := range ids {
			h.wantState(t, id, messages.Delivered, "")
		}
	})
}
