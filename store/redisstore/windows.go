package redisstore

import (
	"context"

	"usher/contact"
	"usher/limits"
	"usher/store"
	"usher/verify"
)

// numberLimits are the limits of a number's codes: pairs of an hour and a day. The first pair counts all requests, the second
// those from networks that the number's account was not signed in from, the third those of the second without a captcha of
// the high price.
var numberLimits = []limits.Name{
	limits.SMSMobileHour, limits.SMSMobileDay,
	limits.SMSUnknownHour, limits.SMSUnknownDay,
	limits.SMSStrangerHour, limits.SMSStrangerDay,
}

// limitsOf returns the limits of a number that count for a standing: the better it is, the fewer.
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

// limitKeys returns the keys of a subject's windows in its own place.
func (k keyspace) limitKeys(subject string, windows []limits.Limit) []string {
	keys := make([]string, len(windows))
	for i, limit := range windows {
		keys[i] = k.limitKey(subject, subject, limit)
	}
	return keys
}

// limitArgs returns the arguments that spend of window.lua reads for each window.
func limitArgs(windows []limits.Limit) []any {
	args := make([]any, 0, 2*len(windows))
	for _, limit := range windows {
		args = append(args, limit.Count, limit.Period.Milliseconds())
	}
	return args
}

// limitPeriods returns the arguments that scripts read for each window that they refund.
func limitPeriods(windows []limits.Limit) []any {
	args := make([]any, len(windows))
	for i, limit := range windows {
		args[i] = limit.Period.Milliseconds()
	}
	return args
}

// Entered counts a code that was entered, for the guard of its number's prefix. It must be called once for a code.
func (g *Gate) Entered(ctx context.Context, mobile contact.Mobile) error {
	guard := g.store.Rules.Set[limits.SMSConversion]
	if guard.Off() {
		return nil
	}
	subject := g.store.keys.Index("limit", mobile.Prefix())
	keys := []string{g.store.space.enteredKey(subject, subject, guard), g.store.space.historyEnteredKey(subject, subject, guard)}
	return store.Wrap("count entered code", conversionEnterScript.Run(ctx, g.store.client, keys,
		g.store.now().UnixMilli(), guard.Period.Milliseconds(), guard.Judged().Milliseconds()).Err())
}
