package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
	"usher/providers"
)

// marks keep the addresses that are marked.
type marks struct {
	err error

	mu   sync.Mutex
	list []string
}

func (m *marks) MarkBounced(ctx context.Context, to contact.Email) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := errors.Join(ctx.Err(), m.err); err != nil {
		return err
	}
	m.list = append(m.list, to.Reveal())
	return nil
}

// marked are claims of a mail whose address has bounced.
type marked struct{ mailClaims }

func (m marked) Claim(ctx context.Context, id string, lease time.Duration) (accounts.ClaimedMail, error) {
	mail, err := m.mailClaims.Claim(ctx, id, lease)
	mail.Bounced = true
	return mail, err
}

func TestEmailHandler_marks_an_address_without_a_mailbox_and_no_other(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			answer *providers.Error
			err    error
			marks  int
		}{
			"no mailbox":        {&providers.Error{Provider: "fake", Kind: providers.Rejected, Code: "550-5.1.1", NoMailbox: true}, nil, 1},
			"store unavailable": {&providers.Error{Provider: "fake", Kind: providers.Rejected, Code: "550-5.1.1", NoMailbox: true}, errors.New("unavailable"), 0},
			"another refusal":   {&providers.Error{Provider: "fake", Kind: providers.Rejected, Code: "550"}, nil, 0},
			"fault of our own":  {&providers.Error{Provider: "fake", Kind: providers.Misconfigured, Code: "535"}, nil, 0},
		} {
			handler, b, task := narrow(t)
			store := &marks{err: test.err}
			handler.Bounces = store
			ctx, cancel := context.WithCancel(t.Context())
			b.sender.answer = func(context.Context, int) error {
				cancel() // what the server said is kept although the worker ends
				return test.answer
			}
			err := handler.ProcessTask(ctx, task)
			if len(store.list) != test.marks || len(b.claims.recorded()) != 1 {
				t.Errorf("%s: marked %v, recorded %v, %v", name, store.list, b.claims.recorded(), err)
			}
			testkit.WantMetric(t, b.registry, fmt.Sprint("usher_mails_bounced_total ", test.marks))
			if found := testkit.FindSecrets(b.log.Bytes(), activation(t).Recipient().Reveal()); found != nil {
				t.Errorf("%s: the log shows %q", name, found)
			}
		}
	})
}

func TestEmailHandler_sends_nothing_to_a_marked_address(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		handler, b, task := narrow(t)
		claimed := activation(t)
		handler.Claims = marked{mailClaims{b.claims, claimed.Mail, claimed.Account}}
		handler.Bounces = &marks{}
		err := handler.ProcessTask(t.Context(), task)
		got := b.claims.recorded()
		if next(err) != "archived" || len(got) != 1 || got[0].State != messages.Failed || got[0].Reason != "bounced" || got[0].Provider != "worker" {
			t.Errorf("%v, recorded %+v, want it failed as bounced", err, got)
		}
		if n := len(b.sender.sentMails()); n != 0 {
			t.Errorf("the mail server was asked %d times", n)
		}
	})
}
