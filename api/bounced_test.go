package api_test

import (
	"net/url"
	"testing"
	"time"

	"usher/contact"
	"usher/store/sqlstore"
)

func TestPages_tell_the_owner_that_the_address_does_not_exist_and_take_it_again(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	p := b.proved()
	email := url.Values{"mode": {"email"}, "action": {"email"}, "email": {nextAddress}, "password": {password}}
	p.changes(email).wantPage(200, "激活链接已发送到新邮箱")
	address := must(contact.ParseEmail(nextAddress))(t)
	if err := sqlstore.NewMails(b.db, b.keys, b.clock.Now).MarkBounced(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(2 * time.Minute)
	p.submit("/account", url.Values{"action": {"resend"}}).wantPage(422, `id="email-error" aria-live="polite">邮件无法送达：这个邮箱不存在`)
	b.clock.Advance(2 * time.Minute)
	p.changes(email).wantPage(200, "激活链接已发送到新邮箱")
}
