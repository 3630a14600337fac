package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"usher/accounts"
	"usher/store/sqlstore"
)

// sessionsSeeded are few, since each costs a password hash.
const sessionsSeeded = 500

// populated serves many numbers, each from an address of its own as people have, and files as many messages and accounts. It
// compares the speed before and after.
func (b *bench) populated(ctx context.Context) error {
	first, err := b.seed(ctx, 100, "")
	if err != nil {
		return err
	}
	few, err := b.speeds(ctx, first, 100)
	if err != nil {
		return err
	}
	if err := b.sessionMemory(ctx); err != nil {
		return err
	}
	n := b.size.depths[1]
	if err := b.serve(ctx, n); err != nil {
		return err
	}
	if first, err = b.seed(ctx, n, ""); err != nil {
		return err
	}
	for _, table := range []string{"messages", "accounts"} {
		each, err := b.tableBytes(ctx, table)
		if err != nil {
			return err
		}
		b.reportBytes("PostgreSQL with indexes, a row of "+table, each, target{})
	}
	many, err := b.speeds(ctx, first, n)
	if err != nil {
		return err
	}
	b.reportGrowth(fmt.Sprintf(", with %d served numbers, messages and accounts", n), "the same with few", many, few)
	return nil
}

// reportBytes reports what is kept of one of something.
func (b *bench) reportBytes(what string, each float64, t target) {
	b.report.value(row{measure: "growth", what: what, unit: octets, target: t}, each)
	b.sayf("  %s: %.0f B", what, each)
}

// limited are the settings of an API that counts every limit and believes the addresses that its requests name.
func limited() map[string]string {
	settings := counted()
	settings["USHER_TRUSTED_PROXIES"] = "127.0.0.1/32"
	return settings
}

// fromElsewhere asks for a code from an address that no other number has.
func fromElsewhere(n int) request {
	r := codeRequest(n)
	r.from = fmt.Sprintf("10.%d.%d.%d", n>>16&0xff, n>>8&0xff, n&0xff)
	return r
}

// serve reports the Redis of a code that is queued, and of the same when it has been sent, its message is filed and its number
// may ask again. No API runs at the readings: its connections have buffers.
func (b *bench) serve(ctx context.Context, count int) error {
	if err := b.testbed.clear(ctx); err != nil {
		return err
	}
	empty, err := b.usedMemory(ctx)
	if err != nil {
		return err
	}
	api, err := b.testbed.api(ctx, limited())
	if err != nil {
		return err
	}
	_, err = b.request(ctx, caller{addr: api.addr, make: fromElsewhere, want: http.StatusAccepted}, count)
	api.stop()
	if err != nil {
		return err
	}
	queued, err := b.usedMemory(ctx)
	if err != nil {
		return err
	}
	worker, err := b.testbed.worker(ctx, "sms", nil)
	if err != nil {
		return err
	}
	defer worker.stop()
	// The rows are counted when the vendor has all: among a million each count would take from the worker's share of PostgreSQL.
	if _, err := b.testbed.vendor.await(ctx, "aliyun", count); err != nil {
		return err
	}
	err = until(ctx, timeFor(0), func() (bool, error) {
		var filed int
		err := b.testbed.db.Unwrap().GetContext(ctx, &filed, "select count(*) from messages where accepted_at is not null")
		return filed >= count, err
	})
	if err != nil {
		return fmt.Errorf("wait until the messages are filed: %w", err)
	}
	if err := pause(ctx, b.size.forget); err != nil {
		return err
	}
	worker.stop()
	served, err := b.usedMemory(ctx)
	if err != nil {
		return err
	}
	what := "Redis, limits counted, one address a number: "
	b.reportBytes(what+"one queued code", (queued-empty)/float64(count), target{})
	b.reportBytes(what+"one number served once", (served-empty)/float64(count), most(700))
	return nil
}

// sessionMemory reports the Redis of one session, with its owner's list.
func (b *bench) sessionMemory(ctx context.Context) error {
	first, err := b.seedPeople(ctx, sessionsSeeded)
	if err != nil {
		return err
	}
	if err := b.testbed.clear(ctx); err != nil {
		return err
	}
	empty, err := b.usedMemory(ctx)
	if err != nil {
		return err
	}
	api, err := b.testbed.api(ctx, nil)
	if err != nil {
		return err
	}
	var n numbers
	l := load{
		addr: api.addr, conns: 4, duration: time.Minute, count: sessionsSeeded, next: n.next, want: http.StatusCreated, busy: http.StatusServiceUnavailable,
		make: func(n int) request { return signInOf(first + n - 1) },
	}
	o, err := l.run(ctx)
	api.stop()
	if err != nil {
		return err
	}
	used, err := b.usedMemory(ctx)
	b.reportBytes("Redis, one session", (used-empty)/float64(o.done), target{})
	return err
}

// tableBytes is the size of a table with its indexes, for each row.
func (b *bench) tableBytes(ctx context.Context, table string) (each float64, err error) {
	db := b.testbed.db.Unwrap()
	if _, err := db.ExecContext(ctx, "vacuum analyze "+table); err != nil {
		return 0, err
	}
	err = db.GetContext(ctx, &each, "select pg_total_relation_size('"+table+"')::float / greatest(count(*), 1) from "+table)
	return each, err
}

// speeds measures one size. The rows have no measure and no floor yet.
func (b *bench) speeds(ctx context.Context, first, accounts int) ([]row, error) {
	rows := []row{
		{what: "send-code, limits counted, 64 connections", unit: perSec},
		{what: "look up a user name, 64 connections", unit: perSec},
		{what: "/ops?range=24h, not cached", unit: millis, target: most(300)},
		{what: "/ops?range=1h, not cached", unit: millis, target: most(300)},
	}
	for range b.rounds {
		if err := b.speedsOnce(ctx, first, accounts, rows); err != nil {
			return nil, err
		}
	}
	lists, err := b.lists(ctx)
	return append(rows, lists...), err
}

// speedsOnce adds a round to the rows of an API that has just started, so that its page is not cached.
func (b *bench) speedsOnce(ctx context.Context, first, accounts int, rows []row) error {
	api, err := b.testbed.api(ctx, limited())
	if err != nil {
		return err
	}
	defer api.stop()
	for i, path := range []string{"/ops?range=24h", "/ops?range=1h"} {
		took, err := timed(func() error {
			_, err := fetch(api.ops, path, patience)
			return err
		})
		if err != nil {
			return err
		}
		rows[2+i].add(ours, took)
	}
	send := b.codes(api.addr)
	send.make = fromElsewhere
	lookUp := b.codes(api.addr)
	lookUp.want, lookUp.make = http.StatusOK, func(n int) request { return get("/v1/usernames/" + usernameOf(first+seeded(n, accounts))) }
	for i, l := range []load{send, lookUp} {
		l.busy = http.StatusServiceUnavailable
		o, err := l.run(ctx)
		if err != nil {
			return err
		}
		rows[i].add(ours, o.rate())
		rows[i].times[ours].add(o)
	}
	return nil
}

// lists measures the lists of operators and administrators, nine times each.
func (b *bench) lists(ctx context.Context) ([]row, error) {
	messages := sqlstore.NewMessages(b.testbed.db, time.Now)
	directory := sqlstore.NewDirectory(b.testbed.db, b.testbed.keys)
	list := func(f sqlstore.Filter) func() error {
		f.Limit = 50
		return func() error { _, err := messages.List(ctx, f); return err }
	}
	all := []struct {
		what string
		do   func() error
	}{
		{"list of messages", list(sqlstore.Filter{})},
		{"list of messages by number", list(sqlstore.Filter{To: "131****0000"})},
		{"list of messages by a provider without any", list(sqlstore.Filter{Provider: "none"})},
		{"list of accounts", func() error { _, err := directory.Accounts(ctx, "", 50); return err }},
		{"search of an account by number", func() error {
			_, err := directory.Search(ctx, accounts.Key{By: accounts.ByMobile, Value: "+86" + mobileOf(1)}, 20)
			return err
		}},
	}
	rows := make([]row, len(all))
	for i, one := range all {
		rows[i] = row{what: one.what, unit: millis, target: most(300)}
		for range 9 {
			took, err := timed(one.do)
			if err != nil {
				return nil, err
			}
			rows[i].add(ours, took)
		}
	}
	return rows, nil
}

// timed returns how many milliseconds something took.
func timed(do func() error) (float64, error) {
	began := time.Now()
	err := do()
	return inMillis(time.Since(began)), err
}
