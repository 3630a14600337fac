package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"usher/messages"
	"usher/store"
	"usher/vitals"
)

const (
	deadGroups   = 30 // most frequent reasons that are shown
	quarterKinds = 90 // most frequent reasons that are kept for each quarter of an hour
)

// Traffic counts the messages of a window by the times at which they were requested. Quarters of an hour that
// [Messages.RollUp] has counted are read from its table, if the slots of the window consist of whole quarters; they may be a
// minute or two behind. For the rest each statement reads the rows once along an index. The statements run one after the
// other, on one connection at a time, and end with ctx.
func (m *Messages) Traffic(ctx context.Context, w vitals.Window) (*vitals.Traffic, error) {
	t := vitals.NewTraffic(w)
	counted, err := m.counted(ctx, t)
	if err == nil {
		err = m.count(ctx, t, counted, deadGroups)
	}
	if err != nil {
		return nil, fmt.Errorf("count messages: %w", err)
	}
	t.CutDead(deadGroups)
	return t, nil
}

// count adds the rows of the window since a time.
func (m *Messages) count(ctx context.Context, t *vitals.Traffic, since time.Time, groups int) error {
	if err := m.counts(ctx, t, since); err != nil {
		return err
	}
	if err := m.times(ctx, t, since); err != nil {
		return err
	}
	return m.deadGroups(ctx, t, since, groups)
}

// inWindow selects the rows that a statement about a window reads; its arguments are the first and the last time.
const inWindow = " from messages where created_at >= ? and created_at < ?"

// read lists the rows of a window. Its statements are not prepared: they contain the times of the window.
func (m *Messages) read(ctx context.Context, rows any, since, until time.Time, query string, args ...any) error {
	args = append([]any{at(since), at(until)}, args...)
	return m.db.listOnce(ctx, rows, query, args...)
}

// parts returns the columns that say which part a row counts for.
func (m *Messages) parts(w vitals.Window) string {
	created := m.db.dialect.micros("created_at")
	return fmt.Sprintf("channel, provider, (%s - %d) / %d as slot, case when %s >= %d then 1 else 0 end as recent",
		created, w.Since.UnixMicro(), w.Slot.Microseconds(), created, w.Recent.UnixMicro())
}

type partRow struct {
	Channel  messages.Channel `db:"channel"`
	Provider string           `db:"provider"`
	Slot     int              `db:"slot"`
	Recent   int              `db:"recent"`
	Prefix   string           `db:"prefix"`
}

// part converts the columns of [Messages.parts].
func (r partRow) part() vitals.Part {
	return vitals.Part{Channel: r.Channel, Slot: r.Slot, Provider: r.Provider, Prefix: r.Prefix, Recent: r.Recent == 1}
}

// counts reads a row for each slot, provider and prefix: thousands at most, however many messages there are.
func (m *Messages) counts(ctx context.Context, t *vitals.Traffic, since time.Time) error {
	number := func(condition string) string { return "count(*) filter (where " + condition + ")" }
	query := "select " + m.parts(t.Window) + `,
		case when channel <> 'sms' then '' when to_masked like '+%' then substr(to_masked, 1, 4) else substr(to_masked, 1, 3) end as prefix,
		count(*) as asked,
		` + number("accepted_at is not null or state in ('sent', 'delivered', 'undelivered')") + ` as accepted,
		` + number("state = 'delivered'") + ` as delivered,
		` + number("state = 'undelivered'") + ` as undelivered,
		` + number("used_at is not null") + ` as used,
		` + number("state = 'failed' and accepted_at is null") + ` as failed,
		` + number("state = 'dropped' and accepted_at is null and reason in ('expired', 'unqueued')") + ` as expired,
		` + number("state = 'dropped' and accepted_at is null and reason not in ('expired', 'unqueued')") + ` as idle,
		` + number("state in ('queued', 'sending') and accepted_at is null") + ` as waiting,
		` + number("state in ('queued', 'sending') and accepted_at is null and reason not in ('', 'not_now', 'busy')") + ` as refused` +
		inWindow + " group by 1, 2, 3, 4, 5"
	var rows []struct {
		partRow
		vitals.Tally // its fields have the names of the columns
	}
	if err := m.read(ctx, &rows, since, t.Window.Until, query); err != nil {
		return err
	}
	for _, r := range rows {
		t.Add(r.part(), r.Tally)
	}
	return nil
}

// times reads how many messages took how long, in the steps of [vitals.Times]. Percentiles are computed from that, because
// SQLite has none.
func (m *Messages) times(ctx context.Context, t *vitals.Traffic, since time.Time) error {
	passed := func(column, kind string) string {
		return "select " + m.parts(t.Window) + ", '" + kind + "' as kind, (" + m.db.dialect.micros(column) + " - " +
			m.db.dialect.micros("created_at") + ") / 1000 as ms" + inWindow + " and " + column + " is not null"
	}
	query := `
		select channel, provider, slot, recent, '' as prefix, kind,
			case when ms < 0 then 0
				when ms < 1000 then (ms + 5) / 10 * 10
				when ms < 10000 then (ms + 50) / 100 * 100
				when ms < 100000 then (ms + 500) / 1000 * 1000
				else (ms + 5000) / 10000 * 10000 end as took,
			count(*) as messages
		from (` + passed("accepted_at", "acceptance") + ` union all ` + passed("delivered_at", "delivery") + `) as timed
		group by channel, provider, slot, recent, kind, took`
	var rows []struct {
		partRow

		Kind     string `db:"kind"`
		Took     int64  `db:"took"` // milliseconds
		Messages int    `db:"messages"`
	}
	if err := m.read(ctx, &rows, since, t.Window.Until, query, at(since), at(t.Window.Until)); err != nil {
		return err
	}
	for _, r := range rows {
		times := vitals.Times{time.Duration(r.Took) * time.Millisecond: r.Messages}
		if r.Kind == "acceptance" {
			t.Add(r.part(), vitals.Tally{Acceptance: times})
		} else {
			t.Add(r.part(), vitals.Tally{Delivery: times})
		}
	}
	return nil
}

const isDead = " and state in ('failed', 'undelivered', 'dropped')"

// deadGroups counts the messages that were not delivered, by their reasons, the most frequent first.
func (m *Messages) deadGroups(ctx context.Context, t *vitals.Traffic, since time.Time, most int) error {
	var rows []struct {
		vitals.DeadGroup // its fields have the names of the columns

		Last Stamp `db:"last"`
	}
	err := m.read(ctx, &rows, since, t.Window.Until, `
		select channel, state, reason, provider, provider_code as code, count(*) as count, max(created_at) as last`+
		inWindow+isDead+`
		group by channel, state, reason, provider, provider_code
		order by count desc, last desc
		limit ?`, most)
	for _, r := range rows {
		r.DeadGroup.Last = r.Last.Time
		t.AddDead(r.DeadGroup)
	}
	return err
}

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
