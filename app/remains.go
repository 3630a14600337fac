package app

import (
	"context"
	"errors"
	"log/slog"

	"usher/accounts"
	"usher/contact"
	"usher/limits"
	"usher/queue"
	"usher/secrets"
	"usher/store/redisstore"
	"usher/verify"
)

// Remains implements [accounts.Remains] on Redis and the queues.
func (s *Stores) Remains(keys *secrets.Keys) accounts.Remains { return remains{s, keys} }

// eraser is the service of accounts as far as it erases them.
func (s *Stores) eraser(keys *secrets.Keys, logger *slog.Logger) *accounts.Service {
	return &accounts.Service{Store: s.Accounts, Remains: s.Remains(keys), Keys: keys, Now: s.Clock.Now, Logger: logger}
}

type remains struct {
	stores *Stores
	keys   *secrets.Keys
}

// Forget implements [accounts.Remains].
func (r remains) Forget(ctx context.Context, erased []accounts.Erased) error {
	var f redisstore.Forgotten
	mails, codes := map[string]bool{}, map[string]bool{}
	for _, e := range erased {
		for generation := range e.Sessions + 1 {
			f.Owners = append(f.Owners, accounts.SessionOwner(e.ID, generation))
		}
		f.Limits = append(f.Limits, e.ID)
		if e.Username != "" {
			f.Logins = append(f.Logins, accounts.LoginSubject(contact.Regions{}, e.Username))
		}
		for _, to := range e.Recipients() {
			subject := verify.SubjectFor(r.keys, to)
			codes[subject] = true
			f.Codes = append(f.Codes, subject)
			f.Logins = append(f.Logins, accounts.ContactSubject(to))
			if email, ok := to.(contact.Email); ok {
				f.Limits = append(f.Limits, limits.OfMailbox(e.ID, email.Mailbox())...)
			}
		}
		for _, id := range e.Mails {
			mails[id] = true
		}
	}
	f.Limits = append(f.Limits, f.Logins...)
	return errors.Join(
		r.stores.Redis.Forget(ctx, f),
		queue.RemoveMessages(ctx, r.stores.Client, r.stores.Namespace, func(message string) bool {
			subject, _ := verify.SubjectOf(message)
			return mails[message] || codes[subject]
		}))
}
