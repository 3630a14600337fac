package redisstore

import (
	"context"
	"time"

	"usher/limits"
	"usher/verify"
)

// numberLimits are those of a number's codes: pairs of an hour and a day, first what counts for everybody, then what
// counts for networks that its account is not known to, then what counts for those of them that paid no high price.
var numberLimits = []limits.Name{
	limits.SMSMobileHour, limits.SMSMobileDay,
	limits.SMSUnknownHour, limits.SMSUnknownDay,
	limits.SMSStrangerHour, limits.SMSStrangerDay,
}

// limitsOf returns the limits of a number that count for a standing: the fewer, the better it is.
func limitsOf(standing verify.Standing) []limits.Name {
	switch standing {
	case verify.Known:
		return numberLimits[:2]
	case verify.Payer:
		return numberLimits[:4]
	default:
		return numberLimits
	}
}

// windows returns the named limits that are on.
func (c *Codes) windows(names ...limits.Name) []limits.Limit {
	on := make([]limits.Limit, 0, len(names))
	for _, name := range names {
		if limit := c.store.Rules.Set[name]; !limit.Off() {
			on = append(on, limit)
		}
	}
	return on
}

// reportWindow tells of the window at a position counted from 1; 0 is none.
func (c *Codes) reportWindow(ctx context.Context, windows []limits.Limit, position, wait int64) {
	if position > 0 {
		c.store.report(ctx, windows[position-1].Name, span(wait))
	}
}

// limitKeys are the keys of a subject's windows in its own place.
func (k keyspace) limitKeys(subject string, windows []limits.Limit) []string {
	keys := make([]string, len(windows))
	for i, limit := range windows {
		keys[i] = k.limitKey(subject, subject, limit)
	}
	return keys
}

// limitArgs is what window.lua's spend reads for each window.
func limitArgs(windows []limits.Limit) []any {
	args := make([]any, 0, 2*len(windows))
	for _, limit := range windows {
		args = append(args, limit.Count, limit.Period.Milliseconds())
	}
	return args
}

// limitPeriods is what scripts that refund read for each window.
func limitPeriods(windows []limits.Limit) []any {
	args := make([]any, len(windows))
	for i, limit := range windows {
		args[i] = limit.Period.Milliseconds()
	}
	return args
}

// span reads the milliseconds that a script returned.
func span(milliseconds int64) time.Duration { return time.Duration(milliseconds) * time.Millisecond }
