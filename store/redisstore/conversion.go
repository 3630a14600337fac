package redisstore

import (
	"context"
	"fmt"

	"usher/contact"
	"usher/limits"
)

// Entered counts a code that was entered for the guard of its number's prefix. It is to be called once for
// a code.
func (l *Limiter) Entered(ctx context.Context, mobile contact.Mobile) error {
	guard := l.store.Rules.Set[limits.SMSConversion]
	if guard.Off() {
		return nil
	}
	subject := l.store.keys.Index("limit", mobile.Prefix())
	keys := []string{l.store.space.enteredKey(subject, subject, guard), l.store.space.historyEnteredKey(subject, subject, guard)}
	err := conversionEnterScript.Run(ctx, l.store.client, keys,
		l.store.now().UnixMilli(), guard.Period.Milliseconds(), guard.Judged().Milliseconds()).Err()
	if err != nil {
		return fmt.Errorf("count entered code: %w", err)
	}
	return nil
}
