package tasks

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"usher/accounts"
	"usher/contact"
	"usher/messages"
	"usher/providers"
)

// Sample is a mail with made-up data.
type Sample struct {
	Name  string // purpose and language, such as activation.zh
	Email providers.Email
}

// Samples writes every mail in every language, always with the same made-up data: for a look at the
// templates.
func (m *Mails) Samples() ([]Sample, error) {
	var samples []Sample
	for _, name := range letterNames() {
		email, err := m.sample(name)
		if err != nil {
			return nil, err
		}
		samples = append(samples, Sample{name, email})
	}
	return samples, nil
}

// The sample tokens are as long as real ones, to show how the links break.
const (
	sampleToken = "k1.c2FtcGxlLXNhbXBsZS1zYW1wbGUtc2FtcGxlLXNhbXBsZS1zYW1wbGUtc2FtcGxlLXNhbXBsZS1zYW1wbGU" +
		".c2FtcGxlLXNhbXBsZS1zYW1wbGUtc2FtcGxlLXNhbXA"
	sampleDecline = "k1.ZGVjbGluZS1kZWNsaW5lLWRlY2xpbmUtZGVjbGluZS1kZWNsaW5lLWRlY2xpbmUtZGVjbGluZS1kZWNsaW5l" +
		".ZGVjbGluZS1kZWNsaW5lLWRlY2xpbmUtZGVjbGluZS0"
)

// sample writes one mail and checks what only a whole mail can show.
func (m *Mails) sample(name string) (providers.Email, error) {
	to, err := contact.ParseEmail("lilei@example.com")
	if err != nil {
		return providers.Email{}, fmt.Errorf("sample address: %w", err)
	}
	purpose, language, _ := strings.Cut(name, ".")
	id := "0198c0de-0000-7000-8000-000000000000"
	created := time.Date(2026, 1, 2, 7, 4, 5, 0, time.UTC)
	mail := accounts.ClaimedMail{
		Claim: messages.Claim{ID: id, Attempt: 1},
		Mail: accounts.Mail{
			ID: id, Purpose: accounts.MailPurpose(purpose), Language: language, CreatedAt: created, NotAfter: created.Add(time.Hour),
			Network: "203.0.113.0/24", Facts: accounts.MailFacts{Former: "138****8000", Present: "139****9000"},
		},
		Account: accounts.Account{Username: "李雷_LiLei", Email: to, PendingEmail: to},
	}
	if emailType(mail.Mail.Purpose) != TypeEmailActivation {
		mail.Mail.NotAfter = created.Add(accounts.UndoWindow)
		plain, err := m.Write(mail, Tokens{}) // as it goes to an address that may not undo the change
		if err != nil || slices.Contains(linkless, mail.Mail.Purpose) {
			return plain, err
		}
	}
	email, err := m.Write(mail, Tokens{Link: sampleToken, Decline: sampleDecline})
	if err != nil {
		return providers.Email{}, err
	}
	for part, body := range map[string]string{".txt": email.Text, ".html": email.HTML} {
		if !strings.Contains(body, sampleToken) {
			return providers.Email{}, fmt.Errorf("%s%s: lacks {{.Link}}, without which the mail is of no use", name, part)
		}
	}
	return email, nil
}

// linkless are the mails that never carry a link.
var linkless = []accounts.MailPurpose{accounts.MailChangeUndone, accounts.MailClaimEnded}
