package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"usher/store"
	"usher/vitals"
)

const (
	// quarter is the time that one row counts. Windows whose slots are whole quarters are read from these rows.
	quarter = 15 * time.Minute

	// quartersKept is a little more than the longest range that is shown.
	quartersKept = 25 * time.Hour

	// settled is the age of a quarter when it is first counted: its codes have ended, and none of it is recent.
	settled = vitals.Recent + time.Minute

	// unseen is how much later than its updated_at a change may be committed, because of a wrong clock or a slow transaction.
	unseen = 2 * time.Minute
)

// RollUp counts the messages of those quarters of an hour that are over and were not counted yet, or whose messages have changed
// since, the oldest first. It may run in several processes at a time. It returns the number of quarters that it has counted.
func (m *Messages) RollUp(ctx context.Context) (int, error) {
	began := m.now().UTC()
	first := began.Add(-quartersKept).Truncate(quarter)
	end := began.Add(-settled).Truncate(quarter)
	stale, err := m.stale(ctx, first, end)
	if err != nil {
		return 0, fmt.Errorf("find messages to count: %w", err)
	}
	for i, since := range stale {
		if err := m.rollUp(ctx, since, began); err != nil {
			return i, fmt.Errorf("count a quarter of an hour: %w", err)
		}
	}
	// All rows are up to date now: later changes are found by the earliest of these times.
	if _, err := m.db.exec(ctx, "update traffic set counted_at = ? where counted_at < ?", at(began), at(began)); err != nil {
		return len(stale), fmt.Errorf("note that messages were counted: %w", err)
	}
	_, err = m.db.exec(ctx, "delete from traffic where quarter < ?", at(first))
	return len(stale), store.Wrap("forget old counts", err)
}

// stale returns the beginnings of the quarters to be counted, the oldest first.
func (m *Messages) stale(ctx context.Context, first, end time.Time) ([]time.Time, error) {
	var known []struct {
		Quarter   Stamp `db:"quarter"`
		CountedAt Stamp `db:"counted_at"`
	}
	if err := m.db.list(ctx, &known, "select quarter, counted_at from traffic where quarter >= ?", at(first)); err != nil {
		return nil, err
	}
	stale := map[int64]bool{}
	for since := first; since.Before(end); since = since.Add(quarter) {
		stale[since.UnixMicro()] = true
	}
	var earliest time.Time
	for _, k := range known {
		delete(stale, k.Quarter.UnixMicro())
		if earliest.IsZero() || k.CountedAt.Before(earliest) {
			earliest = k.CountedAt.Time
		}
	}
	if len(known) > 0 {
		changed, err := m.changed(ctx, first, end, earliest.Add(-unseen))
		if err != nil {
			return nil, err
		}
		for _, micros := range changed {
			stale[micros] = true
		}
	}
	var times []time.Time
	for _, micros := range slices.Sorted(maps.Keys(stale)) {
		times = append(times, time.UnixMicro(micros).UTC())
	}
	return times, nil
}

// changed returns the quarters with messages that have changed since a time, in microseconds since 1970. Closed and
// queued messages are found by an index each; one that is being sent is closed soon.
func (m *Messages) changed(ctx context.Context, first, end, since time.Time) ([]int64, error) {
	micros := fmt.Sprintf("%s / %[2]d * %[2]d", m.db.dialect.micros("created_at"), quarter.Microseconds())
	created := " and created_at >= ? and created_at < ?"
	var changed []int64
	err := m.db.list(ctx, &changed, "select "+micros+" from messages where updated_at >= ? and "+closed+created+
		" union select "+micros+" from messages where enqueued_at >= ? and state = 'queued'"+created,
		at(since), at(first), at(end), at(since), at(first), at(end))
	return changed, err
}

// rollUp counts one quarter and stores the result, unless a later count is stored already.
func (m *Messages) rollUp(ctx context.Context, since, now time.Time) error {
	until := since.Add(quarter)
	t := vitals.NewTraffic(vitals.Window{Since: since, Until: until, Slot: quarter, Recent: until})
	if err := m.count(ctx, t, since, quarterKinds); err != nil {
		return err
	}
	tally, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = m.db.exec(ctx, `
		insert into traffic (quarter, tally, counted_at) values (?, ?, ?)
		on conflict (quarter) do update set tally = excluded.tally, counted_at = excluded.counted_at
		where traffic.counted_at <= excluded.counted_at`, at(since), string(tally), at(now))
	return err
}

// counted adds the quarters of the window that were counted, from its beginning to the first that was not, and returns
// the time at which that one begins.
func (m *Messages) counted(ctx context.Context, t *vitals.Traffic) (time.Time, error) {
	next := t.Window.Since
	if t.Window.Slot%quarter != 0 || !next.Equal(next.Truncate(quarter)) {
		return next, nil
	}
	var rows []struct {
		Quarter Stamp  `db:"quarter"`
		Tally   string `db:"tally"`
	}
	err := m.db.list(ctx, &rows, "select quarter, tally from traffic where quarter >= ? and quarter < ? order by quarter",
		at(next), at(t.Window.Until))
	if err != nil {
		return next, err
	}
	for _, row := range rows {
		var one vitals.Traffic
		unreadable := json.Unmarshal([]byte(row.Tally), &one)
		if unreadable != nil || !row.Quarter.Equal(next) { // from here on the messages themselves are counted
			return next, nil //nolint:nilerr // the messages have the same figures
		}
		t.Merge(int(next.Sub(t.Window.Since)/t.Window.Slot), &one)
		next = next.Add(quarter)
	}
	return next, nil
}
