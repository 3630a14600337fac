package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"
	"golang.org/x/sync/errgroup"

	"usher/events"
	"usher/secrets"
	"usher/store"
)

// This file moves deliveries from one state to the next.

// queuedFor is how long the task of a delivery may be on the queue. After that it counts as lost, and there is another one.
const queuedFor = time.Minute

// takeTogether is the number of endpoints whose deliveries are taken at the same time, since each take waits for the disk, which
// syncs several commits at once.
const takeTogether = 4

// isOpen is the condition that a task or a worker has a delivery. It is the condition of the index deliveries_open.
const isOpen = "(state = 'queued' or state = 'sending')"

// TakeBack makes deliveries wait again whose task or worker was lost.
func (e *Events) TakeBack(ctx context.Context) error {
	now := at(e.now())
	_, err := e.db.exec(ctx, `
		update deliveries set state = 'waiting', next_at = ?, lease_until = null, updated_at = ?
		where `+isOpen+` and lease_until <= ?`, now, now, now)
	return store.Wrap("take back deliveries", err)
}

// Feed takes deliveries that are due, marks them as queued and returns them: their tasks must be enqueued, also when there is an
// error. window returns how many more an endpoint may get, which has open deliveries, tasks and claims together. Calls may run in
// parallel; each gets other deliveries.
func (e *Events) Feed(ctx context.Context, window func(endpoint string, open int, failing bool) int) ([]events.Due, error) {
	now := at(e.now())
	var ready []struct {
		ID      string `db:"id"`
		Failing bool   `db:"failing"`
		Open    int    `db:"open"`
	}
	err := e.db.list(ctx, &ready, `
		select id, failing_since is not null as failing,
			(select count(*) from deliveries where endpoint_id = endpoints.id and `+isOpen+`) as open
		from endpoints
		where disabled_at is null and (paused_until is null or paused_until <= ?) and exists (
			select 1 from deliveries where endpoint_id = endpoints.id and state = 'waiting' and next_at <= ?)`, now, now)
	if err != nil {
		return nil, fmt.Errorf("find endpoints with due deliveries: %w", err)
	}
	var (
		mu    sync.Mutex
		due   []events.Due
		group errgroup.Group
	)
	group.SetLimit(takeTogether)
	for _, endpoint := range ready {
		n := window(endpoint.ID, endpoint.Open, endpoint.Failing)
		if n <= 0 {
			continue
		}
		group.Go(func() error {
			some, err := e.take(ctx, endpoint.ID, n, now)
			mu.Lock()
			defer mu.Unlock()
			due = append(due, some...)
			return err
		})
	}
	err = group.Wait() // what was taken before an error must be enqueued too
	return due, store.Wrap("take due deliveries", err)
}

// take marks up to n due deliveries of an endpoint as queued.
func (e *Events) take(ctx context.Context, endpoint string, n int, now Stamp) ([]events.Due, error) {
	var rows []struct {
		ID       string `db:"id"`
		Enqueues int    `db:"enqueues"`
	}
	err := e.db.list(ctx, &rows, `
		with due as materialized (
			select id from deliveries where endpoint_id = ? and state = 'waiting' and next_at <= ?
			order by next_at limit ? `+e.db.dialect.skipLocked()+`)
		update deliveries set state = 'queued', enqueues = enqueues + 1, lease_until = ?, updated_at = ?
		where id in (select id from due)
		returning id, enqueues`, endpoint, now, n, at(now.Add(queuedFor)), now)
	due := make([]events.Due, 0, len(rows))
	for _, row := range rows {
		due = append(due, events.Due{ID: row.ID, Enqueues: row.Enqueues})
	}
	return due, err
}

// Claim gives the caller the exclusive right to send a delivery once, until the lease is over. It returns events.ErrTaken when
// the task is not the delivery's present one, or when its endpoint gets nothing now.
func (e *Events) Claim(ctx context.Context, due events.Due, lease time.Duration) (events.Claimed, error) {
	now := e.now()
	claimed := events.Claimed{ID: due.ID, LeaseUntil: now.Add(lease)}
	var row struct {
		Attempt    int    `db:"attempt"`
		Failed     int    `db:"failed"`
		EventID    string `db:"event_id"`
		EndpointID string `db:"endpoint_id"`
		CreatedAt  Stamp  `db:"created_at"`
		NextAt     Stamp  `db:"next_at"`
	}
	err := e.db.get(ctx, &row, `
		update deliveries set state = 'sending', attempt = attempt + 1, lease_until = ?, updated_at = ?
		where id = ? and enqueues = ? and state = 'queued'
		returning attempt, failed, event_id, endpoint_id, created_at, next_at`, at(claimed.LeaseUntil), at(now), due.ID, due.Enqueues)
	if errors.Is(err, sql.ErrNoRows) {
		return claimed, events.ErrTaken
	}
	if err != nil {
		return claimed, fmt.Errorf("claim delivery: %w", err)
	}
	claimed.Attempt, claimed.Failed, claimed.EventID, claimed.EndpointID = row.Attempt, row.Failed, row.EventID, row.EndpointID
	claimed.CreatedAt, claimed.NextAt = row.CreatedAt.Time, row.NextAt.Time
	if err := e.load(ctx, &claimed, now); err != nil {
		if isSealed(err) { // another worker may have the key
			_, unrecorded := e.Record(ctx, claimed, events.Answer{Result: events.Unsealable})
			return claimed, errors.Join(err, unrecorded)
		}
		return claimed, errors.Join(err, e.unclaim(ctx, claimed))
	}
	return claimed, nil
}

// load reads the event and the endpoint of a claim.
func (e *Events) load(ctx context.Context, claimed *events.Claimed, now time.Time) error {
	var row struct {
		endpointRow

		Type events.Type `db:"type"`
		Body string      `db:"body"`
	}
	err := e.db.get(ctx, &row, `
		select type, body, url, secret_sealed, rotated_at, failures, failing_since, paused_until, disabled_at
		from events, endpoints where events.id = ? and endpoints.id = ?`, claimed.EventID, claimed.EndpointID)
	if err != nil {
		return store.Wrap("read event and endpoint", err)
	}
	if !row.DisabledAt.IsZero() || row.PausedUntil.After(now) {
		return events.ErrTaken
	}
	claimed.Type, claimed.Body, claimed.URL = row.Type, []byte(row.Body), row.URL
	claimed.Failures, claimed.Failing = row.Failures, !row.FailingSince.IsZero()
	claimed.Keys, err = e.signers(claimed.EndpointID, row.SecretSealed, row.RotatedAt)
	return err
}

// isSealed reports whether a secret is sealed with a key that this process lacks.
func isSealed(err error) bool {
	return errors.Is(err, secrets.ErrUnknownKey) || errors.Is(err, secrets.ErrForged)
}

// unclaim takes back a claim that is not used. Its attempt does not count.
func (e *Events) unclaim(ctx context.Context, claimed events.Claimed) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unclaimTimeout)
	defer cancel()
	_, err := e.db.exec(ctx, `
		update deliveries set state = 'waiting', attempt = attempt - 1, lease_until = null, updated_at = ?
		where id = ? and attempt = ? and state = 'sending'`, at(e.now()), claimed.ID, claimed.Attempt)
	return store.Wrap("take claim back", err)
}

// Record stores how the attempt of a claim has ended, and what that means for the endpoint. It returns the reason when the endpoint
// is disabled from now on, or events.ErrStale when the claim has ended.
func (e *Events) Record(ctx context.Context, claimed events.Claimed, answer events.Answer) (disabled string, err error) {
	now := e.now()
	after := claimed.After(answer, now)
	err = e.db.inTx(ctx, func(tx *sqlx.Tx) error {
		disabled = ""
		n, err := changedBy(tx.ExecContext(ctx, tx.Rebind(`
			update deliveries set state = ?, failed = ?, next_at = ?, result = ?, status = ?, lease_until = null, updated_at = ?
			where id = ? and attempt = ? and state = 'sending'`),
			after.State, after.Failed, at(after.NextAt), answer.Result, answer.Status, at(now), claimed.ID, claimed.Attempt))
		switch {
		case err != nil:
			return err
		case n == 0:
			return events.ErrStale
		case answer.Result == events.Delivered && claimed.Failing:
			return execTx(ctx, tx, `
				update endpoints set failures = 0, failing_since = null, paused_until = null, updated_at = ? where id = ?`,
				at(now), claimed.EndpointID)
		case answer.Result == events.Delivered, !answer.Result.Counts():
			return nil
		}
		disabled, err = fail(ctx, tx, claimed, answer, now)
		return err
	})
	if errors.Is(err, events.ErrStale) {
		return "", events.ErrStale
	}
	return disabled, store.Wrap("record delivery", err)
}

// fail notes a failure of an endpoint, and disables the endpoint when that is due. It returns the reason if it did.
func fail(ctx context.Context, tx *sqlx.Tx, claimed events.Claimed, answer events.Answer, now time.Time) (string, error) {
	var since Stamp
	paused := at(now.Add(answer.Pause(claimed.Failures + 1)))
	err := tx.GetContext(ctx, &since, tx.Rebind(`
		update endpoints set failures = failures + 1, failing_since = coalesce(failing_since, ?),
			paused_until = case when paused_until > ? then paused_until else ? end, updated_at = ?
		where id = ?
		returning failing_since`), at(now), paused, paused, at(now), claimed.EndpointID)
	if err != nil {
		return "", err
	}
	var reason string
	switch {
	case answer.Result == events.Gone:
		reason = events.DisabledByAnswer
	case now.Sub(since.Time) >= events.Patience:
		reason = events.DisabledByFailures
	default:
		return "", nil
	}
	n, err := changedBy(tx.ExecContext(ctx, tx.Rebind(`
		update endpoints set disabled_at = ?, disabled_reason = ?, updated_at = ? where id = ? and disabled_at is null`),
		at(now), reason, at(now), claimed.EndpointID))
	if err != nil || n == 0 {
		return "", err
	}
	return reason, nil
}

// Expire gives up deliveries that wait for longer than [events.Life], as those of disabled endpoints do, and returns their number.
func (e *Events) Expire(ctx context.Context) (int, error) {
	now := e.now()
	n, err := e.db.exec(ctx, `
		update deliveries set state = 'failed', result = case result when '' then 'expired' else result end, updated_at = ?
		where state = 'waiting' and created_at <= ?`, at(now), at(now.Add(-events.Life)))
	return n, store.Wrap("expire deliveries", err)
}

// Prune deletes events that are older than [events.Kept], with their deliveries, and returns the number of events.
func (e *Events) Prune(ctx context.Context) (int, error) {
	before := e.now().Add(-events.Kept)
	if _, err := e.db.prune(ctx, pruning{"deliveries", "created_at", "(state = 'done' or state = 'failed')"}, before); err != nil {
		return 0, fmt.Errorf("prune deliveries: %w", err)
	}
	n, err := e.db.prune(ctx, pruning{
		"events", "created_at", "not exists (select 1 from deliveries where deliveries.event_id = events.id)",
	}, before)
	return n, store.Wrap("prune events", err)
}

// EventsBacklog is what waits, for metrics.
type EventsBacklog struct {
	Waiting   int            // deliveries that are not done, of endpoints that get events
	Behind    time.Duration  // of the oldest due delivery to an endpoint that works
	Endpoints map[string]int // by state: working, failing, disabled
}

// Backlog counts what waits.
func (e *Events) Backlog(ctx context.Context) (EventsBacklog, error) {
	now := e.now()
	backlog := EventsBacklog{Endpoints: map[string]int{"working": 0, "failing": 0, "disabled": 0}}
	var rows []struct {
		State  string `db:"state"`
		Number int    `db:"number"`
	}
	err := e.db.list(ctx, &rows, `
		select case when disabled_at is not null then 'disabled' when failing_since is not null then 'failing' else 'working' end as state,
			count(*) as number
		from endpoints group by 1`)
	if err != nil {
		return backlog, fmt.Errorf("count endpoints: %w", err)
	}
	for _, row := range rows {
		backlog.Endpoints[row.State] = row.Number
	}
	if len(rows) == 0 {
		return backlog, nil
	}
	var open struct {
		Number int   `db:"number"`
		Oldest Stamp `db:"oldest"`
	}
	err = e.db.get(ctx, &open, `
		select count(*) as number, min(case when failing_since is null then next_at end) as oldest
		from deliveries join endpoints on endpoints.id = deliveries.endpoint_id and disabled_at is null
		where state = 'waiting' or `+isOpen)
	if err != nil {
		return backlog, fmt.Errorf("count deliveries: %w", err)
	}
	backlog.Waiting = open.Number
	if !open.Oldest.IsZero() {
		backlog.Behind = max(now.Sub(open.Oldest.Time), 0)
	}
	return backlog, nil
}
