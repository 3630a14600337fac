package front

import (
	"context"
	"slices"
	"time"

	"usher/tokens"
)

// warnOfTokenKeys logs what services will refuse because a step of a rotation came too early. It is no reason not to start:
// people sign in without tokens, and after a leak the steps come early on purpose.
func (a *API) warnOfTokenKeys(ctx context.Context) {
	if a.settings.Tokens == nil || a.settings.TrialTokens {
		return
	}
	history, err := a.stores.Redis.TokenKeys().History(ctx)
	if err != nil {
		return // Redis is not available, which others log
	}
	now, list := a.stores.Clock.Now(), a.settings.Tokens.List()
	if at := history.MaySign(list[0].KID, now); !at.IsZero() {
		a.logger.Warn("a key signs tokens that was published too late: services refuse them until they load the keys again",
			"key", list[0].ID, "kid", list[0].KID, "not_before", at.UTC().Format(time.DateTime), "see", "docs/keys.md")
	}
	for kid := range history.Keys {
		dropped := !slices.ContainsFunc(list, func(k tokens.Key) bool { return k.KID == kid })
		if at := history.MayDrop(kid, now); dropped && !at.IsZero() {
			a.logger.Warn("a key for tokens was dropped too early: services refuse those that it has signed",
				"kid", kid, "not_before", at.UTC().Format(time.DateTime), "see", "docs/keys.md")
		}
	}
}

// recordTokenKeys adds this process's keys to the history. A failure is Redis's, which others log; the next record follows soon.
func (a *API) recordTokenKeys(ctx context.Context) {
	if a.settings.Tokens == nil {
		return
	}
	var kids []string
	for _, key := range a.settings.Tokens.List() {
		kids = append(kids, key.KID)
	}
	_ = a.stores.Redis.TokenKeys().Record(ctx, kids...)
}
