package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"usher/messages"
	"usher/store"
	"usher/verify"
)

// Outcomes keeps the outcomes of codes until they are copied to the database. Each script that changes a code appends an
// entry in the same step, see outcome.lua. It is safe for concurrent use.
//
// An entry stays until it is removed, so a reader that dies loses nothing, and two readers may get the same entry: a record
// may be saved twice.
type Outcomes struct{ store *Store }

// Read returns the oldest entries, at most about as many as the limit, in one round trip (on Redis Cluster one to each node).
// More says that there are further entries. An entry that cannot be decoded has its Err set and must be removed like any
// other: it would block the entries behind it for ever.
func (o *Outcomes) Read(ctx context.Context, limit int) (entries []messages.Entry, more bool, err error) {
	each := max(limit/len(partitions), 1)
	asked := make(map[string]*redis.XMessageSliceCmd, len(partitions))
	_, err = o.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, letter := range partitions {
			key := o.store.space.outcomesKey(string(letter))
			asked[key] = pipe.XRangeN(ctx, key, "-", "+", int64(each))
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("read outcomes: %w", err)
	}
	for log, stream := range asked {
		more = more || len(stream.Val()) >= each
		for _, message := range stream.Val() {
			entry := messages.Entry{Log: log, ID: message.ID}
			entry.Record, entry.Err = decode(message.Values)
			entries = append(entries, entry)
		}
	}
	return entries, more, nil
}

// Remove removes entries that have been read. Entries that are already gone are ignored.
func (o *Outcomes) Remove(ctx context.Context, entries []messages.Entry) error {
	ids := map[string][]string{}
	for _, entry := range entries {
		ids[entry.Log] = append(ids[entry.Log], entry.ID)
	}
	_, err := o.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for key, some := range ids {
			pipe.XDel(ctx, key, some...)
		}
		return nil
	})
	return store.Wrap("remove outcomes", err)
}

// Backlog returns the number of entries and the time of the oldest one, the zero time when there is none.
func (o *Outcomes) Backlog(ctx context.Context) (n int, since time.Time, err error) {
	var lengths []*redis.IntCmd
	var oldest []*redis.XMessageSliceCmd
	_, err = o.store.client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, letter := range partitions {
			key := o.store.space.outcomesKey(string(letter))
			lengths = append(lengths, pipe.XLen(ctx, key))
			oldest = append(oldest, pipe.XRangeN(ctx, key, "-", "+", 1))
		}
		return nil
	})
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("count outcomes: %w", err)
	}
	for i := range lengths {
		n += int(lengths[i].Val())
		for _, message := range oldest[i].Val() {
			record, err := decode(message.Values)
			if err == nil && (since.IsZero() || record.UpdatedAt.Before(since)) {
				since = record.UpdatedAt
			}
		}
	}
	return n, since, nil
}

// decode reads an entry as outcome.lua writes it. It refuses values that a database would refuse, because one such record
// would prevent all others of its batch from being saved. The field doubts counts unresolved claims: stored words stay.
func decode(values map[string]any) (messages.Record, error) {
	r := entryReader{values: values}
	record := messages.Record{
		ID: r.text("id"), Revision: r.number("revision"), Channel: messages.Channel(cmp.Or(r.text("channel"), string(messages.SMS))), Purpose: r.text("purpose"),
		To: r.text("to"), RequestID: r.text("request_id"),
		State: messages.State(r.text("state")), Reason: r.text("reason"),
		Attempt: r.number("attempt"), UnresolvedClaims: r.number("doubts"),
		Provider: r.text("provider"), ProviderID: r.text("provider_id"), ProviderCode: r.text("provider_code"),
		CreatedAt: r.time("issued_at"), NotAfter: r.time("expires_at"), UpdatedAt: r.time("noted_at"),
		AcceptedAt: r.time("accepted_at"), DeliveredAt: r.time("delivered_at"), UsedAt: r.time("used_at"),
	}
	lease := r.time("lease_until")
	if r.err != nil {
		return messages.Record{}, r.err
	}
	if _, ok := verify.SubjectOf(record.ID); !ok {
		return messages.Record{}, errors.New("outcome without the id of a code")
	}
	if record.Channel != messages.SMS && record.Channel != messages.Email {
		return messages.Record{}, errors.New("outcome of an unknown channel")
	}
	switch record.State {
	case messages.Sending:
		record.LeaseUntil = lease
	case messages.Queued, messages.Sent, messages.Delivered, messages.Undelivered, messages.Failed, messages.Dropped:
	default:
		return messages.Record{}, errors.New("outcome with an unknown state")
	}
	incomplete := record.CreatedAt.IsZero() || record.NotAfter.IsZero() || record.UpdatedAt.IsZero() ||
		record.State == messages.Sending && record.LeaseUntil.IsZero()
	if incomplete || record.Revision < 1 {
		return messages.Record{}, errors.New("outcome lacks a field")
	}
	return record, nil
}

// entryReader reads the fields of an entry and keeps the first error.
type entryReader struct {
	values map[string]any
	err    error
}

// latest is the end of the times that are read, in milliseconds: the year 8307, which databases still store.
const latest = 200_000_000_000_000

// text reads a text. Longer texts, invalid UTF-8 and NUL are refused, because PostgreSQL refuses them too.
func (r *entryReader) text(field string) string {
	text, _ := r.values[field].(string)
	if len(text) > 200 || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		r.fail(field)
		return ""
	}
	return text
}

// number reads a number; a missing one is 0.
func (r *entryReader) number(field string) int {
	text := r.text(field)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt32 {
		r.fail(field)
	}
	return int(n)
}

// time reads milliseconds; a missing time and one before 1970 is the zero time.
func (r *entryReader) time(field string) time.Time {
	text := r.text(field)
	if text == "" {
		return time.Time{}
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms > latest {
		r.fail(field)
	}
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// fail keeps the first error. It does not quote the text, which may be private.
func (r *entryReader) fail(field string) {
	if r.err == nil {
		r.err = fmt.Errorf("outcome with a malformed %s", field)
	}
}
