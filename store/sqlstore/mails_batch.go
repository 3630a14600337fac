package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"usher/messages"
)

// The claims and records of one process share statements on PostgreSQL, see [batcher], and a claim returns its account as
// well. SQLite runs inside the process: a shared statement would save nothing.

// claiming is the claim of one mail.
type claiming struct {
	id, name   string
	now, until Stamp
}

// recording is the outcome of one claim.
type recording struct {
	claim              messages.Claim
	outcome            messages.Outcome
	accepted, enqueued Stamp
}

// claimMany is the statement of claimAlone for many claims, given as arrays; it also returns the account as [Accounts.Find]
// reads it. The condition [free] is inside coalesce, so that the planner does not use it: it would scan all queued mails
// instead of finding a few ids.
var claimMany = `
	update messages
	set state = 'sending', attempt = attempt + 1, claim = asked.name, lease_until = asked.until, updated_at = asked.now,
		doubts = doubts + case state when 'sending' then 1 else 0 end
	from accounts, (
		select n, mail_id, name, ` + moment("now") + ` as now, ` + moment("until") + ` as until
		from ` + arraysOf("text", "text", "bigint", "bigint") + ` as arrays (mail_id, name, now, until, n)
	) as asked
	where messages.id = asked.mail_id and accounts.id = messages.account_id
		and channel = 'email' and not_after > asked.now and ` + needed + `
		and coalesce(` + strings.Replace(free, "?", "asked.now", 1) + `, false)
	returning asked.n, ` + columnsOf("messages", mailColumns, "") + `, ` + columnsOf("accounts", accountColumns, "account.")

// arraysOf converts arrays to rows that are numbered from 1. Each array is in a subquery, so that the planner does not see its
// length: otherwise it would plan the statement again for each length.
func arraysOf(types ...string) string {
	for i, name := range types {
		types[i] = "(select ?::" + name + "[])"
	}
	return "unnest(" + strings.Join(types, ", ") + ") with ordinality"
}

// columnsOf qualifies columns with their table, and names those of the result with a prefix.
func columnsOf(table, columns, prefix string) string {
	var named []string
	for column := range strings.SplitSeq(columns, ",") {
		column = strings.TrimSpace(column)
		named = append(named, table+"."+column+` as "`+prefix+column+`"`)
	}
	return strings.Join(named, ", ")
}

// claimMany claims those mails that can be claimed.
func (m *Mails) claimMany(ctx context.Context, claims []claiming, reply func(int, mailRow)) error {
	order := inOrder(claims, func(c claiming) string { return c.id })
	var rows []struct {
		mailRow

		N       int        `db:"n"`
		Account accountRow `db:"account"`
	}
	err := m.db.list(ctx, &rows, claimMany,
		column(order, func(i int) string { return claims[i].id }),
		column(order, func(i int) string { return claims[i].name }),
		column(order, func(i int) int64 { return claims[i].now.micros() }),
		column(order, func(i int) int64 { return claims[i].until.micros() }))
	for _, row := range rows {
		row.account = &row.Account
		reply(order[row.N-1], row.mailRow)
	}
	return err
}

// recordMany is the statement of recordAlone for many records, given as arrays.
var recordMany = `
	update messages
	set state = ended.state, lease_until = case ended.state when 'sending' then lease_until end, accepted_at = ended.accepted,
		enqueued_at = coalesce(ended.enqueued, enqueued_at),
		provider = case when ended.own and ` + vendorCause + ` then messages.provider
			else coalesce(nullif(ended.provider, ''), messages.provider) end,
		provider_id = ended.provider_id,
		provider_code = case when ended.own and ` + vendorCause + ` then messages.provider_code else ended.provider_code end,
		reason = case when ended.own and ` + vendorCause + ` then messages.reason else ended.reason end, updated_at = ended.now
	from (
		select n, mail_id, attempt, state, provider, provider_id, provider_code, reason, own,
			` + moment("accepted") + ` as accepted, ` + moment("enqueued") + ` as enqueued, ` + moment("now") + ` as now
		from ` + arraysOf("text", "int", "text", "text", "text", "text", "text", "boolean", "bigint", "bigint", "bigint") + `
			as arrays (mail_id, attempt, state, provider, provider_id, provider_code, reason, own, accepted, enqueued, now, n)
	) as ended
	where messages.id = ended.mail_id and channel = 'email' and messages.attempt = ended.attempt
		and (messages.state = 'sending' or messages.state = ended.state and messages.updated_at = ended.now)
	returning n`

// recordMany records those outcomes that can be recorded.
func (m *Mails) recordMany(ctx context.Context, records []recording, reply func(int, struct{})) error {
	order := inOrder(records, func(r recording) string { return r.claim.ID })
	var rows []int
	err := m.db.list(ctx, &rows, recordMany,
		column(order, func(i int) string { return records[i].claim.ID }),
		column(order, func(i int) int64 { return int64(records[i].claim.Attempt) }),
		column(order, func(i int) string { return string(records[i].outcome.State) }),
		column(order, func(i int) string { return records[i].outcome.Provider }),
		column(order, func(i int) string { return records[i].outcome.ProviderID }),
		column(order, func(i int) string { return records[i].outcome.Code }),
		column(order, func(i int) string { return records[i].outcome.Reason }),
		column(order, func(i int) bool { return records[i].outcome.Own() }),
		column(order, func(i int) int64 { return records[i].accepted.micros() }),
		column(order, func(i int) int64 { return records[i].enqueued.micros() }),
		column(order, func(i int) int64 { return at(records[i].outcome.At).micros() }))
	for _, n := range rows {
		reply(order[n-1], struct{}{})
	}
	return err
}

// inOrder returns the numbers of the questions in the order of their ids: all workers lock rows in this order, so that none
// deadlocks with another.
func inOrder[Q any](questions []Q, id func(Q) string) []int {
	order := make([]int, len(questions))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(id(questions[a]), id(questions[b])) })
	return order
}
