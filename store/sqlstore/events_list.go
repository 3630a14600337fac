package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"usher/events"
	"usher/store"
)

// This file is what operators see of events.

type eventRow struct {
	ID        string      `db:"id"`
	Type      events.Type `db:"type"`
	AccountID string      `db:"account_id"`
	Seq       int64       `db:"seq"`
	Body      string      `db:"body"`
	CreatedAt Stamp       `db:"created_at"`
}

func (r eventRow) event() events.Event {
	return events.Event{
		ID: r.ID, Type: r.Type, AccountID: r.AccountID, Seq: r.Seq, Body: []byte(r.Body), CreatedAt: r.CreatedAt.Time,
	}
}

const eventColumns = "events.id, events.type, events.account_id, events.seq, events.body, events.created_at"

type deliveryRow struct {
	EventID    string        `db:"event_id"`
	EndpointID string        `db:"endpoint_id"`
	State      string        `db:"state"`
	Attempt    int           `db:"attempt"`
	NextAt     Stamp         `db:"next_at"`
	Result     events.Result `db:"result"`
	Status     int           `db:"status"`
	UpdatedAt  Stamp         `db:"updated_at"`
}

// Listed is an event with its deliveries.
type Listed struct {
	events.Event

	Deliveries []events.Delivery
}

// List returns up to limit events since a time, the newest first. With failed it returns only those that some endpoint has not
// got after all attempts.
func (e *Events) List(ctx context.Context, since time.Time, failed bool, limit int) ([]Listed, error) {
	condition := ""
	if failed {
		condition = " and exists (select 1 from deliveries where event_id = events.id and state = 'failed')"
	}
	var rows []eventRow
	err := e.db.list(ctx, &rows, "select "+eventColumns+" from events where created_at >= ?"+condition+
		" order by created_at desc, id desc limit ?", at(since), limit)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return e.withDeliveries(ctx, rows)
}

// Show returns one event, or events.ErrNotFound.
func (e *Events) Show(ctx context.Context, id string) (Listed, error) {
	var row eventRow
	err := e.db.get(ctx, &row, "select "+eventColumns+" from events where id = ?", id)
	if errors.Is(err, sql.ErrNoRows) {
		return Listed{}, events.ErrNotFound
	}
	if err != nil {
		return Listed{}, fmt.Errorf("find event: %w", err)
	}
	listed, err := e.withDeliveries(ctx, []eventRow{row})
	if err != nil {
		return Listed{}, err
	}
	return listed[0], nil
}

func (e *Events) withDeliveries(ctx context.Context, rows []eventRow) ([]Listed, error) {
	listed := make([]Listed, len(rows))
	if len(rows) == 0 {
		return listed, nil
	}
	ids, position := make([]string, len(rows)), make(map[string]int, len(rows))
	for i, row := range rows {
		listed[i].Event, ids[i], position[row.ID] = row.event(), row.ID, i
	}
	query, args, err := sqlx.In(`
		select event_id, endpoint_id, state, attempt, next_at, result, status, updated_at from deliveries
		where event_id in (?) order by endpoint_id`, ids)
	if err != nil {
		return nil, err
	}
	var deliveries []deliveryRow
	if err := e.db.listOnce(ctx, &deliveries, query, args...); err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	for _, d := range deliveries {
		at := &listed[position[d.EventID]]
		at.Deliveries = append(at.Deliveries, events.Delivery{
			EventID: d.EventID, EndpointID: d.EndpointID, State: d.State, Attempts: d.Attempt, NextAt: d.NextAt.Time, Result: d.Result,
			Status: d.Status, UpdatedAt: d.UpdatedAt.Time,
		})
	}
	return listed, nil
}

// Replay says which events are sent again.
type Replay struct {
	Since    time.Time
	Endpoint string // empty: all that are not disabled
	Event    string // empty: all
	Failed   bool   // only what was given up
}

// replayed are the deliveries of a [Replay]: each event with each endpoint that wants it, unless it waits or is on its way.
// An endpoint that was added later has no delivery of an event yet.
func (r Replay) replayed() (query string, args []any) {
	query = `
		from events join endpoints on endpoints.disabled_at is null
			and (endpoints.types = ',' or endpoints.types like '%,' || events.type || ',%')
			left join deliveries on deliveries.event_id = events.id and deliveries.endpoint_id = endpoints.id
		where events.created_at >= ? and (deliveries.state is null or deliveries.state = 'done' or deliveries.state = 'failed')`
	args = []any{at(r.Since)}
	for column, value := range map[string]string{"endpoints.id": r.Endpoint, "events.id": r.Event} {
		if value != "" {
			query, args = query+" and "+column+" = ?", append(args, value)
		}
	}
	if r.Failed {
		query += " and deliveries.state = 'failed'"
	}
	return query, args
}

// CountReplay returns how many deliveries [Events.Replay] would make.
func (e *Events) CountReplay(ctx context.Context, r Replay) (n int, err error) {
	query, args := r.replayed()
	err = e.db.call(ctx, func(ctx context.Context) error {
		return e.db.sqlx.GetContext(ctx, &n, e.db.sqlx.Rebind("select count(*)"+query), args...)
	})
	return n, store.Wrap("count events to replay", err)
}

// Replay sends events again, with their ids, and returns the number of deliveries. They begin with their first attempt.
func (e *Events) Replay(ctx context.Context, r Replay) (n int, err error) {
	now := at(e.now())
	query, args := r.replayed()
	statement := `
		insert into deliveries (id, event_id, endpoint_id, state, next_at, created_at, updated_at)
		select events.id || '.' || endpoints.id, events.id, endpoints.id, 'waiting', cast(? as timestamptz), cast(? as timestamptz),
			cast(? as timestamptz)` + query + `
		on conflict (id) do update set state = 'waiting', failed = 0, next_at = excluded.next_at, created_at = excluded.created_at,
			updated_at = excluded.updated_at
		where deliveries.state = 'done' or deliveries.state = 'failed'`
	args = append([]any{now, now, now}, args...)
	err = e.db.call(ctx, func(ctx context.Context) error {
		n, err = changedBy(e.db.sqlx.ExecContext(ctx, e.db.sqlx.Rebind(statement), args...))
		return err
	})
	return n, store.Wrap("replay events", err)
}
