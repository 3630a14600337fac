package sqlstore_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"usher/accounts"
	"usher/contact"
	"usher/internal/testkit"
	"usher/messages"
)

// notice is a mail that tells of a change, for a change to file.
func (f *fixture) notice(purpose accounts.MailPurpose) *accounts.Mail {
	mail := f.mail()
	mail.Purpose = purpose
	return mail
}

// proved files a person whose address is proved, and returns the account with its used activation mail.
func (f *fixture) proved(t *testing.T) (accounts.Account, accounts.Mail) {
	t.Helper()
	account, mail := f.created(t)
	account, err := f.accounts.Activate(t.Context(), account, "", f.clock.Now(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return account, mail
}

// filed files a mail of the account by way of a change of its password.
func (f *fixture) filed(t *testing.T, account accounts.Account, mail *accounts.Mail) {
	t.Helper()
	was := f.found(t, account.ID)
	if _, err := f.accounts.ChangePassword(t.Context(), was, "hash", f.change(was, accounts.ChangedPassword, mail)); err != nil {
		t.Fatal(err)
	}
}

func former(t *testing.T) contact.Email {
	t.Helper()
	email, err := contact.ParseEmail("former-address@example.net")
	if err != nil {
		t.Fatal(err)
	}
	return email
}

func noticesProved(t *testing.T, f *fixture) {
	account, _ := f.proved(t)
	mail := f.notice(accounts.MailPasswordChanged)
	mail.Language = "zh"
	f.filed(t, account, mail)
	got, err := f.mails.Claim(t.Context(), mail.ID, mailLease)
	if err != nil || got.Recipient() != account.Email || !got.Mail.To.IsZero() {
		t.Errorf("Claim = %v to %v, want the account's address", err, got.Recipient())
	}
	if diff := cmp.Diff(storedMail(*mail), got.Mail, sameContacts); diff != "" {
		t.Errorf("mail (-want +got):\n%s", diff)
	}

	unproved, _ := f.created(t)
	vain := f.notice(accounts.MailPasswordChanged)
	f.filed(t, unproved, vain)
	for range 2 {
		f.wantDropped(t, vain.ID, "unproved")
	}
}

func noticesNoLink(t *testing.T, f *fixture) {
	account, _ := f.created(t)
	mail := f.notice(accounts.MailPasswordChanged)
	f.filed(t, account, mail)
	newest := f.mail()
	if err := f.accounts.RenewActivation(t.Context(), account.ID, *newest); err != nil {
		t.Fatal(err)
	}
	if _, err := f.accounts.Activate(t.Context(), account, "", f.clock.Now(), nil); err != nil {
		t.Fatal(err)
	}
	f.claim(t, mail.ID) // a newer link and the proof of the address end the other mails only
	f.wantDropped(t, newest.ID, "used")
}

func noticesOwnAddress(t *testing.T, f *fixture) {
	account, _ := f.created(t) // whose own address is not proved
	mail := f.notice(accounts.MailEmailChanged)
	mail.To = former(t)
	f.filed(t, account, mail)
	got, err := f.mails.Claim(t.Context(), mail.ID, mailLease)
	if err != nil || got.Recipient() != mail.To || got.Mail.To != mail.To {
		t.Errorf("Claim = %v to %v, want %v", err, got.Recipient(), mail.To)
	}
	if got.Account.PendingEmail != account.PendingEmail {
		t.Errorf("the account has %v, want %v", got.Account.PendingEmail, account.PendingEmail)
	}
	f.record(t, got.Claim, messages.Queued)
	if again, err := f.mails.Claim(t.Context(), mail.ID, mailLease); err != nil || again.Recipient() != mail.To {
		t.Errorf("second Claim = %v to %v, want %v", err, again.Recipient(), mail.To)
	}
	if found := testkit.FindSecrets([]byte(dump(t, f.db)), mail.To.Reveal()); found != nil {
		t.Errorf("found in the tables: %v", found)
	}
}

func noticesFormer(t *testing.T, f *fixture) {
	account, _ := f.proved(t)
	mail := f.notice(accounts.MailEmailChanged)
	if _, err := f.accounts.ChangePassword(t.Context(), account, "hash", f.change(account, accounts.ChangedPassword, mail)); err == nil {
		t.Error("a notice of a new address was filed that would go to the new address")
	}
}

func noticesExpire(t *testing.T, f *fixture) {
	account, _ := f.proved(t)
	late, swept := f.notice(accounts.MailPasswordChanged), f.notice(accounts.MailPasswordChanged)
	f.filed(t, account, late)
	f.filed(t, account, swept)
	f.clock.Advance(linkLife)
	f.wantDropped(t, late.ID, "expired")
	f.wantExpired(t, 100, 2) // and the activation mail, which was never claimed
	f.wantDropped(t, swept.ID, "expired")
}

func noticesDue(t *testing.T, f *fixture) {
	account, activation := f.created(t)
	mail := f.notice(accounts.MailEmailChanged)
	mail.ID, mail.To = uuid.NewString(), former(t)
	f.filed(t, account, mail)
	f.clock.Advance(mailAge)
	due, err := f.mails.Due(t.Context(), mailAge, mailLatest, 100)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]accounts.MailPurpose{}
	for _, d := range due {
		got[d.ID] = d.Purpose
	}
	want := map[string]accounts.MailPurpose{
		activation.ID: accounts.MailActivation, mail.ID: accounts.MailEmailChanged,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
	f.clock.Advance(time.Second)
	f.claim(t, mail.ID)
}
