package sqlstore

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"usher/events"
	"usher/messages"
	"usher/store"
	"usher/verify"
)

const (
	// savedAtOnce bounds one statement: a record has 20 arguments, and SQLite allows 32,766.
	savedAtOnce = 1000

	// overdue is how long after a code's end its outcome may still be in Redis.
	overdue = time.Minute
)

// Outcomes is the history of codes, which are kept in Redis while they are sent: nothing is sent because of the history. It is
// safe for concurrent use; make it with [NewOutcomes].
type Outcomes struct {
	db  *DB
	now func() time.Time
}

// NewOutcomes returns the history in db.
func NewOutcomes(db *DB, now func() time.Time) *Outcomes { return &Outcomes{db.slowly(), now} }

// saveOutcome writes the rows that replace %s.
const saveOutcome = `
	insert into messages (
		id, channel, purpose, to_masked, request_id, state, reason, attempt, lease_until, doubts, not_after, enqueued_at,
		provider, provider_id, provider_code, accepted_at, delivered_at, used_at, revision, created_at, updated_at)
	%s
	on conflict (id) do update set
		state = excluded.state, reason = excluded.reason, attempt = excluded.attempt, lease_until = excluded.lease_until,
		doubts = excluded.doubts, provider = excluded.provider, provider_id = excluded.provider_id,
		provider_code = excluded.provider_code, accepted_at = excluded.accepted_at, delivered_at = excluded.delivered_at,
		used_at = excluded.used_at, revision = excluded.revision, updated_at = excluded.updated_at
	where messages.revision < excluded.revision`

// saveValues has an argument for each field of each row.
var saveValues = fmt.Sprintf(saveOutcome, `values (
	:id, :channel, :purpose, :to_masked, :request_id, :state, :reason, :attempt, :lease_until, :doubts, :not_after, :created_at,
	:provider, :provider_id, :provider_code, :accepted_at, :delivered_at, :used_at, :revision, :created_at, :updated_at)`)

// saveArrays has one argument for each column, which PostgreSQL reads faster than one for each field of each row. Times are
// microseconds since 1970, and 0 for none, which is faster than texts.
var saveArrays = fmt.Sprintf(saveOutcome, `select
	id, channel, purpose, to_masked, request_id, state, reason, attempt, `+moment("lease_until")+`, doubts,
	`+moment("not_after")+`, `+moment("created_at")+`, provider, provider_id, provider_code,
	`+moment("accepted_at")+`, `+moment("delivered_at")+`, `+moment("used_at")+`,
	revision, `+moment("created_at")+`, `+moment("updated_at")+`
	from unnest(`+recordArrays()+`)`)

// moment converts a column of microseconds, as in [saveArrays], to a time.
func moment(column string) string {
	return "timestamptz 'epoch' + nullif(" + column + ", 0) * interval '1 microsecond'"
}

// Save stores records. A record replaces earlier revisions of its message only, so that each message's last revision stays,
// also when calls are repeated in whole or in part, in any order or in parallel. When Save fails, some of the records may
// have been stored.
func (o *Outcomes) Save(ctx context.Context, records []messages.Record) error {
	for some := range slices.Chunk(newest(records), savedAtOnce) {
		if err := o.save(ctx, some); err != nil {
			return fmt.Errorf("save outcomes: %w", err)
		}
	}
	return nil
}

// save writes the records with one statement. Where messages did not reach the person, or a verification of an app was approved, the
// events are written in the same transaction.
func (o *Outcomes) save(ctx context.Context, records []*messages.Record) error {
	var lost []undelivered
	var approved []approval
	for _, r := range records {
		if app, purpose := verify.Purpose(r.Purpose).App(); app != "" && !r.UsedAt.IsZero() {
			approved = append(approved, approval{at: r.UsedAt, VerificationData: events.VerificationData{
				VerificationID: r.ID, AppID: app, Channel: string(cmp.Or(r.Channel, messages.SMS)), Purpose: purpose, To: r.To,
			}})
		}
		if isUndelivered(r.State) {
			lost = append(lost, undelivered{at: r.UpdatedAt, MessageData: events.MessageData{
				MessageID: r.ID, Channel: string(cmp.Or(r.Channel, messages.SMS)), Purpose: r.Purpose, To: r.To,
				State: string(r.State), Reason: r.Reason,
			}})
		}
	}
	query, args, err := o.saving(records)
	if err != nil {
		return err
	}
	if len(lost)+len(approved) > 0 {
		return o.db.inTx(ctx, func(tx *sqlx.Tx) error {
			if err := execTx(ctx, tx, query, args...); err != nil {
				return err
			}
			if err := tellUndelivered(ctx, tx, lost); err != nil {
				return err
			}
			return tellApproved(ctx, tx, approved)
		})
	}
	if o.db.dialect == onPostgres {
		_, err = o.db.exec(ctx, query, args...)
		return err
	}
	_, err = o.db.sqlx.ExecContext(ctx, query, args...) // not prepared: its text differs for each number of rows
	return o.db.note(ctx, err)
}

// saving returns the statement that writes the records.
func (o *Outcomes) saving(records []*messages.Record) (query string, args []any, err error) {
	if o.db.dialect == onPostgres {
		for _, c := range recordColumns {
			args = append(args, c.array(records))
		}
		return saveArrays, args, nil
	}
	rows := make([]map[string]any, len(records))
	for i, record := range records {
		rows[i] = map[string]any{}
		for _, c := range recordColumns {
			rows[i][c.name] = c.value(record)
		}
	}
	return sqlx.Named(saveValues, rows)
}

// column returns one column of the rows as an array.
func column[R, T any](rows []R, of func(R) T) any {
	values := make([]T, len(rows))
	for i, row := range rows {
		values[i] = of(row)
	}
	return pq.Array(values)
}

// newest returns the last revision of each message, because a statement cannot write a row twice. The records are in the order
// of their ids, so that parallel callers lock rows in the same order and do not deadlock.
func newest(records []messages.Record) []*messages.Record {
	last := make(map[string]*messages.Record, len(records))
	for i := range records {
		r := &records[i]
		if known := last[r.ID]; known == nil || known.Revision < r.Revision {
			last[r.ID] = r
		}
	}
	return slices.SortedFunc(maps.Values(last), func(a, b *messages.Record) int { return strings.Compare(a.ID, b.ID) })
}

// recordColumn is a column of a [messages.Record]. value returns it for one record, and array for all records as an argument
// of [saveArrays], whose type in SQL is kind.
type recordColumn struct {
	name, kind string
	value      func(r *messages.Record) any
	array      func(records []*messages.Record) any
}

// arrayColumn returns a column whose arrays are of a plain type: PostgreSQL's driver writes these with a tenth of the
// allocations.
func arrayColumn[T any](name, kind string, plain func(*messages.Record) T, value func(*messages.Record) any) recordColumn {
	return recordColumn{name, kind, value, func(records []*messages.Record) any { return column(records, plain) }}
}

func texts(name string, of func(*messages.Record) string) recordColumn {
	return arrayColumn(name, "text[]", of, func(r *messages.Record) any { return of(r) })
}

func numbers(name string, of func(*messages.Record) int) recordColumn {
	return arrayColumn(name, "int[]", func(r *messages.Record) int64 { return int64(of(r)) }, func(r *messages.Record) any { return of(r) })
}

func times(name string, of func(*messages.Record) time.Time) recordColumn {
	return arrayColumn(name, "bigint[]", func(r *messages.Record) int64 { return at(of(r)).micros() },
		func(r *messages.Record) any { return at(of(r)) })
}

var recordColumns = []recordColumn{
	texts("id", func(r *messages.Record) string { return r.ID }),
	texts("channel", func(r *messages.Record) string { return string(cmp.Or(r.Channel, messages.SMS)) }),
	texts("purpose", func(r *messages.Record) string { return r.Purpose }),
	texts("to_masked", func(r *messages.Record) string { return r.To }),
	texts("request_id", func(r *messages.Record) string { return r.RequestID }),
	texts("state", func(r *messages.Record) string { return string(r.State) }),
	texts("reason", func(r *messages.Record) string { return r.Reason }),
	numbers("attempt", func(r *messages.Record) int { return r.Attempt }),
	times("lease_until", func(r *messages.Record) time.Time { return r.LeaseUntil }),
	numbers("doubts", func(r *messages.Record) int { return r.UnresolvedClaims }),
	times("not_after", func(r *messages.Record) time.Time { return r.NotAfter }),
	texts("provider", func(r *messages.Record) string { return r.Provider }),
	texts("provider_id", func(r *messages.Record) string { return r.ProviderID }),
	texts("provider_code", func(r *messages.Record) string { return r.ProviderCode }),
	times("accepted_at", func(r *messages.Record) time.Time { return r.AcceptedAt }),
	times("delivered_at", func(r *messages.Record) time.Time { return r.DeliveredAt }),
	times("used_at", func(r *messages.Record) time.Time { return r.UsedAt }),
	numbers("revision", func(r *messages.Record) int { return r.Revision }),
	times("created_at", func(r *messages.Record) time.Time { return r.CreatedAt }),
	times("updated_at", func(r *messages.Record) time.Time { return r.UpdatedAt }),
}

// recordArrays returns an argument for each column, and the names of the rows that unnest makes of them.
func recordArrays() string {
	var arrays, names []string
	for _, c := range recordColumns {
		arrays, names = append(arrays, "?::"+c.kind), append(names, c.name)
	}
	return strings.Join(arrays, ", ") + ") as records (" + strings.Join(names, ", ")
}

// Expire closes up to limit messages whose code ended a minute ago without an outcome, and returns their number: Redis was emptied, or
// they were never claimed. The revision stays, so that an outcome that arrives later replaces this one.
func (o *Outcomes) Expire(ctx context.Context, limit int) (int, error) {
	ended, err := o.db.expire(ctx, at(o.now()), limit,
		ofCode+" and not_after <= ? and (state = 'queued' or state = 'sending')", at(o.now().Add(-overdue)))
	return ended, store.Wrap("expire sms", err)
}

// ofCode and ofMail are the conditions under which a message carries a code and is sent from Redis, and under which it is a mail of an
// account, which is sent from here.
const (
	ofCode = "(channel = 'sms' or account_id is null)"
	ofMail = "channel = 'email' and account_id is not null"
)

// expire closes up to limit messages that meet the condition, and returns their number. Parallel callers close different ones.
func (db *DB) expire(ctx context.Context, now Stamp, limit int, condition string, args ...any) (int, error) {
	return db.slowly().exec(ctx, `
		with ended as materialized (select id from messages where `+condition+` limit ? `+db.dialect.skipLocked()+`)
		update messages set state = 'dropped', reason = 'expired', lease_until = null, updated_at = ?
		where id in (select id from ended)`, append(args, limit, now)...)
}

// Prune deletes the messages of every channel that are closed and have not changed for longer than the given time, and returns
// their number.
func (o *Outcomes) Prune(ctx context.Context, olderThan time.Duration) (int, error) {
	deleted, err := o.db.prune(ctx, pruning{"messages", "updated_at", closed}, o.now().Add(-olderThan))
	return deleted, store.Wrap("prune messages", err)
}

// closed is the condition under which a message has its final state. It is the condition of the index messages_closed.
const closed = "state <> 'queued' and state <> 'sending'"
