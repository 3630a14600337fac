package redisstore

import (
	"strconv"
	"time"

	"usher/limits"
	"usher/messages"
	"usher/verify"
)

// record is the windows of one recipient's codes, which are in one key; see record.lua.
type record struct {
	space   keyspace
	subject string
	windows []recordWindow
}

// recordWindow is one limit of a record that is on.
type recordWindow struct {
	limits.Limit

	name     string // in the record's text
	position int    // among [codeLimits], counted from 0
}

// record returns the record of a subject with the limits that are on, those that count for fewer standings last.
func (c *Codes) record(channel messages.Channel, subject string) record {
	r := record{space: c.store.space, subject: subject}
	for i, name := range codeLimits(channel) {
		if limit := c.store.Rules.Set[name]; !limit.Off() {
			// The period is part of the name because windows of another period have other slots.
			period := strconv.FormatInt(limit.Period.Milliseconds(), 36)
			r.windows = append(r.windows, recordWindow{Limit: limit, name: recordNames[i:i+1] + period, position: i})
		}
	}
	return r
}

// recordNames are the first letters of the names of [codeLimits] in records. They are stored.
const recordNames = "abcdef"

// codeLimits are the limits of a number's or a mailbox's codes: pairs of an hour and a day. The first pair counts all requests, the
// second those from networks that the recipient's account was not signed in from, the third those of the second without a
// captcha of the high price.
func codeLimits(channel messages.Channel) []limits.Name {
	if channel == messages.Email {
		return []limits.Name{
			limits.EmailCodeHour, limits.EmailCodeDay,
			limits.EmailCodeUnknownHour, limits.EmailCodeUnknownDay,
			limits.EmailCodeStrangerHour, limits.EmailCodeStrangerDay,
		}
	}
	return []limits.Name{
		limits.SMSMobileHour, limits.SMSMobileDay,
		limits.SMSUnknownHour, limits.SMSUnknownDay,
		limits.SMSStrangerHour, limits.SMSStrangerDay,
	}
}

// spends returns how many of the record's windows, from the first on, count a code that a requester of that standing asks for.
func (r record) spends(standing verify.Standing) (many int) {
	for _, window := range r.windows {
		if window.position < limitsOf(standing) {
			many++
		}
	}
	return many
}

// limitsOf returns how many of [codeLimits] count for a standing: the better it is, the fewer.
func limitsOf(standing verify.Standing) int {
	switch standing {
	case verify.Known:
		return 2
	case verify.Payer:
		return 4
	default:
		return len(recordNames)
	}
}

// keys returns the keys that scripts use after their own: the record, and the windows in which releases up to decision 43 kept what is in it.
func (r record) keys() []string {
	keys := []string{r.space.recordKey(r.subject)}
	for _, window := range r.windows {
		keys = append(keys, r.space.limitKey(r.subject, r.subject, window.Limit))
	}
	return keys
}

// spending returns the arguments of a script that spends the first few windows.
func (r record) spending(many int, now time.Time) []any {
	life := int64(0)
	for _, window := range r.windows {
		life = max(life, lifeOf(window.Period))
	}
	args := []any{many, life}
	for _, window := range r.windows {
		args = append(args, window.name, window.Count, window.Period.Milliseconds(), slotOf(window.Period, now))
	}
	return args
}

// refunding returns the arguments of a script that refunds windows.
func (r record) refunding() []any {
	args := make([]any, 0, 2*len(r.windows))
	for _, window := range r.windows {
		args = append(args, window.name, window.Period.Milliseconds())
	}
	return args
}
