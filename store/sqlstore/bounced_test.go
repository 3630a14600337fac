package sqlstore_test

import (
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
)

// bouncedTests check that no mail goes to an address without a mailbox.
var bouncedTests = behaviours{
	"marks_hold_every_mail_to_the_address":           bouncedHeld,
	"marks_are_void_when_the_address_is_typed_again": bouncedTyped,
	"marks_end_after_30_days":                        bouncedEnd,
	"marks_hold_no_address":                          bouncedDump,
}

// claimBounced claims the mail and returns whether it must not be sent.
func (f *fixture) claimBounced(t *testing.T, id string) bool {
	t.Helper()
	mail, err := f.mails.Claim(t.Context(), id, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return mail.Bounced
}

// mark marks an address as a worker does.
func (f *fixture) mark(t *testing.T, email contact.Email) {
	t.Helper()
	if err := f.mails.MarkBounced(t.Context(), email); err != nil {
		t.Fatal(err)
	}
}

func bouncedHeld(t *testing.T, f *fixture) {
	account, mail := f.created(t)
	_, other := f.created(t)
	f.mark(t, account.PendingEmail)
	f.clock.Advance(time.Minute)
	f.mark(t, account.PendingEmail) // a second refusal counts from then on
	if at, err := f.accounts.BouncedAt(t.Context(), account.PendingEmail); err != nil || !at.Equal(storedTime(f.clock.Now())) {
		t.Errorf("BouncedAt = %v, %v, want now", at, err)
	}
	notice := f.mail()
	notice.Purpose, notice.To = accounts.MailEmailChanged, account.PendingEmail
	person, _ := f.person(t)
	if err := f.accounts.Create(t.Context(), person, notice); err != nil {
		t.Fatal(err)
	}
	if !f.claimBounced(t, mail.ID) || !f.claimBounced(t, notice.ID) {
		t.Error("a mail to the address may be sent")
	}
	if f.claimBounced(t, other.ID) {
		t.Error("a mail to another address is held")
	}
}

func bouncedTyped(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	early := f.mail()
	early.Facts.Typed = true
	if err := f.accounts.Create(t.Context(), f.rival(t, email, true), early); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Minute)
	f.mark(t, email)
	f.clock.Advance(time.Minute)
	_, plain := f.waits(t, email, true)
	if !f.claimBounced(t, early.ID) || !f.claimBounced(t, plain.ID) {
		t.Error("a mail goes to an address that was not typed since the mark")
	}
	late := f.mail()
	late.Facts.Typed = true
	if err := f.accounts.Create(t.Context(), f.rival(t, email, true), late); err != nil {
		t.Fatal(err)
	}
	if f.claimBounced(t, late.ID) {
		t.Error("the mail after the address was typed again is held")
	}
	if at, err := f.accounts.BouncedAt(t.Context(), email); err != nil || !at.IsZero() {
		t.Errorf("BouncedAt = %v, %v, want no mark", at, err)
	}
}

func bouncedEnd(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	f.mark(t, email)
	for _, step := range []struct {
		wait   time.Duration
		bounce bool
		pruned int
	}{{accounts.BounceKept - time.Second, true, 0}, {time.Second, false, 1}} {
		f.clock.Advance(step.wait)
		_, mail := f.waits(t, email, true)
		if f.claimBounced(t, mail.ID) != step.bounce {
			t.Errorf("after %v more: held is not %v", step.wait, step.bounce)
		}
		if n, err := f.mails.PruneBounced(t.Context()); err != nil || n != step.pruned {
			t.Errorf("after %v more: PruneBounced = %d, %v, want %d", step.wait, n, err, step.pruned)
		}
	}
}

func bouncedDump(t *testing.T, f *fixture) {
	email, _ := f.contacts(t)
	f.mark(t, email)
	dump := dump(t, f.db)
	if !strings.Contains(dump, hashed(t, email)) {
		t.Fatalf("the dump lacks the mark, so it proves nothing:\n%s", dump)
	}
	if found := testkit.FindSecrets([]byte(dump), email.Reveal()); found != nil {
		t.Errorf("found in the tables: %v", found)
	}
}
