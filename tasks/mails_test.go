package tasks_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/messages"
	"usher/tasks"
)

// activation is a claimed mail whose every byte is fixed.
func activation(t testing.TB) accounts.ClaimedMail {
	t.Helper()
	created := time.Date(2025, 6, 1, 8, 0, 0, 0, time.UTC)
	return accounts.ClaimedMail{
		Claim: messages.Claim{ID: mailID, Attempt: 1},
		Mail:  accounts.Mail{ID: mailID, KeyID: "k1", CreatedAt: created, NotAfter: created.Add(24 * time.Hour)},
		Account: accounts.Account{
			ID: "0198c0de-0000-7000-8000-000000000001", Username: "小明_2025",
			Email: mustEmail(t, "xiaoming@example.com"), ActivationGeneration: 1,
		},
	}
}

const token = "k1.Ym9keQ.bWFj"

func TestMails_Activation_writes_the_golden_mail_at_every_attempt(t *testing.T) {
	t.Parallel()
	claimed := activation(t)
	first, err := mustMails(t).Activation(claimed, token)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "email_activation.golden.subject", []byte(first.Subject+"\n"))
	testkit.Golden(t, "email_activation.golden.txt", []byte(first.Text))
	testkit.Golden(t, "email_activation.golden.html", []byte(first.HTML))
	if want := mailID + "@usher.example"; first.MessageID != want {
		t.Errorf("message id %q, want %q", first.MessageID, want)
	}
	if first.To != claimed.Account.Email {
		t.Errorf("goes to %v", first.To)
	}

	claimed.Attempt, claimed.LeaseUntil = 7, time.Now()
	later, err := mustMails(t).Activation(claimed, token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.Text+first.HTML+first.Subject+first.MessageID,
		later.Text+later.HTML+later.Subject+later.MessageID); diff != "" {
		t.Errorf("another attempt writes another mail:\n%s", diff)
	}
}

func TestMails_Activation_links_to_the_public_address_only(t *testing.T) {
	t.Parallel()
	mail, err := mustMails(t).Activation(activation(t), token)
	if err != nil {
		t.Fatal(err)
	}
	want := "https://usher.example/account/activate?token=" + token
	for name, body := range map[string]string{"text": mail.Text, "html": mail.HTML} {
		if n := strings.Count(body, "://"); n != strings.Count(body, want) || n == 0 {
			t.Errorf("%s has other links than %s:\n%s", name, want, body)
		}
	}
}

func TestMails_Activation_escapes_what_people_chose(t *testing.T) {
	t.Parallel()
	claimed := activation(t)
	claimed.Account.Username = `"><script src=//evil.example></script><a href='x'>{{.Link}}`
	mail, err := mustMails(t).Activation(claimed, `"onclick=alert(1) x="`)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range []string{"<script", "<a href='x'", `"onclick`} {
		if strings.Contains(mail.HTML, raw) {
			t.Errorf("the mail holds %s as it is:\n%s", raw, mail.HTML)
		}
	}
	if strings.Contains(mail.Subject, "evil") {
		t.Errorf("subject %q", mail.Subject)
	}
}

func TestMails_Activation_says_how_long_the_link_lives(t *testing.T) {
	t.Parallel()
	public := &url.URL{Scheme: "https", Host: "usher.example"}
	mails, err := tasks.NewMails(public)
	if err != nil {
		t.Fatal(err)
	}
	for life, want := range map[time.Duration][2]string{
		24 * time.Hour:              {"24 小时内", "within 24 h"},
		time.Hour:                   {"1 小时内", "within 1 h"},
		30 * time.Minute:            {"30 分钟内", "within 30 min"},
		90 * time.Minute:            {"90 分钟内", "within 90 min"},
		2*time.Hour - time.Second/2: {"2 小时内", "within 2 h"}, // a store may round the two times apart
	} {
		claimed := activation(t)
		claimed.Mail.NotAfter = claimed.Mail.CreatedAt.Add(life)
		mail, err := mails.Activation(claimed, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, words := range want {
			if !strings.Contains(mail.Text, words) || !strings.Contains(mail.HTML, words) {
				t.Errorf("%v: the mail lacks %q:\n%s", life, words, mail.Text)
			}
		}
	}
}
