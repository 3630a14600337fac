package tasks_test

import (
	"strings"
	"testing"
	"time"

	"usher/accounts"
	"usher/internal/testkit"
	"usher/messages"
	"usher/providers"
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
			PendingEmail: mustEmail(t, "xiaoming@example.com"), ActivationGeneration: 1,
		},
	}
}

// emailChanged is a claimed notice that names its own address.
func emailChanged(t testing.TB) accounts.ClaimedMail {
	t.Helper()
	claimed := activation(t)
	claimed.Mail.Purpose, claimed.Mail.Language = accounts.MailEmailChanged, "en"
	claimed.Mail.To = mustEmail(t, "former@example.net")
	return claimed
}

const token = "k1.Ym9keQ.bWFj"

func mustWrite(t testing.TB, mail accounts.ClaimedMail, token string) providers.Email {
	t.Helper()
	email, err := mustMails(t).Write(mail, tasks.Tokens{Link: token})
	if err != nil {
		t.Fatal(err)
	}
	return email
}

func mustSamples(t testing.TB) []tasks.Sample {
	t.Helper()
	samples, err := mustMails(t).Samples()
	if err != nil {
		t.Fatal(err)
	}
	if len(samples) != 26 {
		t.Fatalf("%d samples, want 9 mails and 4 with codes in 2 languages", len(samples))
	}
	return samples
}

func TestMails_writes_the_golden_mails(t *testing.T) {
	t.Parallel()
	for _, sample := range mustSamples(t) {
		testkit.Golden(t, "mails/"+sample.Name+".subject", []byte(sample.Email.Subject+"\n"))
		testkit.Golden(t, "mails/"+sample.Name+".txt", []byte(sample.Email.Text))
		testkit.Golden(t, "mails/"+sample.Name+".html", []byte(sample.Email.HTML))
	}
}

func TestMails_writes_the_same_at_every_attempt(t *testing.T) {
	t.Parallel()
	claimed := activation(t)
	first := mustWrite(t, claimed, token)
	if want := mailID + "@usher.example"; first.MessageID != want {
		t.Errorf("message id %q, want %q", first.MessageID, want)
	}
	claimed.Attempt, claimed.LeaseUntil = 7, time.Now()
	if later := mustWrite(t, claimed, token); later != first {
		t.Errorf("another attempt writes another mail:\n%+v\n%+v", first, later)
	}
}

func TestMails_goes_to_the_address_that_the_mail_names(t *testing.T) {
	t.Parallel()
	if got := mustWrite(t, activation(t), token).To; got.Reveal() != "xiaoming@example.com" {
		t.Errorf("the activation goes to %v, want the account's address", got)
	}
	if got := mustWrite(t, emailChanged(t), "").To; got.Reveal() != "former@example.net" {
		t.Errorf("the notice goes to %v, want the address before the change", got)
	}
}

func TestMails_links_to_the_public_address_only(t *testing.T) {
	t.Parallel()
	mail := mustWrite(t, activation(t), token)
	want := "https://usher.example/account/activate?token=" + token
	for name, body := range map[string]string{"text": mail.Text, "html": mail.HTML} {
		if n := strings.Count(body, "://"); n != strings.Count(body, want) || n == 0 {
			t.Errorf("%s has other links than %s:\n%s", name, want, body)
		}
	}
	for _, sample := range mustSamples(t) {
		if strings.HasPrefix(sample.Name, string(accounts.MailActivation)) {
			continue
		}
		page := "https://usher.example/account/undo?token="
		if strings.HasPrefix(sample.Name, "code_") {
			page = "https://usher.example/account/code?token="
		}
		both := sample.Email.Text + sample.Email.HTML
		linked := !strings.HasPrefix(sample.Name, string(accounts.MailChangeUndone)) && !strings.HasPrefix(sample.Name, string(accounts.MailClaimEnded)) &&
			!strings.HasPrefix(sample.Name, string(accounts.MailDeletionAsked))
		if n := strings.Count(both, "://"); n != strings.Count(both, page) || (n > 0) != linked {
			t.Errorf("%s has %d links, %d of them to %s:\n%s", sample.Name, n, strings.Count(both, page), page, both)
		}
	}
}

func TestMails_of_an_address_that_may_not_undo_hold_no_link(t *testing.T) {
	t.Parallel()
	for _, purpose := range []accounts.MailPurpose{
		accounts.MailPasswordChanged, accounts.MailMobileChanged, accounts.MailEmailAsked, accounts.MailEmailChanged, accounts.MailNumberClaimed,
	} {
		claimed := emailChanged(t)
		claimed.Mail.Purpose = purpose
		mail := mustWrite(t, claimed, "")
		if both := mail.Text + mail.HTML; strings.Contains(both, "://") || strings.Contains(both, "href") {
			t.Errorf("%s without a token holds a link:\n%s", purpose, both)
		}
	}
}

func TestMails_say_what_was_changed_and_from_where(t *testing.T) {
	t.Parallel()
	for _, sample := range mustSamples(t) {
		want := map[accounts.MailPurpose][]string{
			accounts.MailPasswordChanged: {"203.0.113.0/24"},
			accounts.MailMobileChanged:   {"203.0.113.0/24", "138****8000", "139****9000"},
			accounts.MailEmailAsked:      {"203.0.113.0/24", "138****8000", "139****9000"},
			accounts.MailEmailChanged:    {"203.0.113.0/24", "138****8000", "139****9000"},
			accounts.MailChangeUndone:    {"203.0.113.0/24"},
			accounts.MailNumberClaimed:   {"203.0.113.0/24", "138****8000"},
			accounts.MailClaimEnded:      {"139****9000"},
			accounts.MailDeletionAsked:   {"203.0.113.0/24", "2026"},
		}[accounts.MailPurpose(strings.TrimSuffix(strings.TrimSuffix(sample.Name, ".zh"), ".en"))]
		for _, fact := range want {
			if !strings.Contains(sample.Email.Text, fact) || !strings.Contains(sample.Email.HTML, fact) {
				t.Errorf("%s lacks %s:\n%s", sample.Name, fact, sample.Email.Text)
			}
		}
	}
}

func TestMails_loads_and_runs_nothing(t *testing.T) {
	t.Parallel()
	for _, sample := range mustSamples(t) {
		for _, loading := range []string{"src=", "url(", "@import", "<link", "<script", "<form", "background="} {
			if strings.Contains(sample.Email.HTML, loading) {
				t.Errorf("%s.html has %s", sample.Name, loading)
			}
		}
	}
}

func TestMails_escapes_what_people_chose(t *testing.T) {
	t.Parallel()
	claimed := activation(t)
	claimed.Account.Username = `"><script src=//evil.example></script><a href='x'>{{.Link}}`
	mail := mustWrite(t, claimed, `"onclick=alert(1) x="`)
	for _, raw := range []string{"<script", "<a href='x'", `"onclick`} {
		if strings.Contains(mail.HTML, raw) {
			t.Errorf("the mail holds %s as it is:\n%s", raw, mail.HTML)
		}
	}
	if strings.Contains(mail.Subject, "evil") {
		t.Errorf("subject %q", mail.Subject)
	}
}

func TestMails_is_written_in_the_language_of_the_mail_or_in_Chinese(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{
		"": "请验证你的邮箱", "zh": "请验证你的邮箱", "fr": "请验证你的邮箱", "en": "Please verify your email address",
	} {
		claimed := activation(t)
		claimed.Mail.Language = language
		if got := mustWrite(t, claimed, token).Subject; got != want {
			t.Errorf("language %q: subject %q, want %q", language, got, want)
		}
	}
}

func TestMails_says_how_long_the_link_lives(t *testing.T) {
	t.Parallel()
	for life, want := range map[time.Duration]map[string]string{
		24 * time.Hour:              {"zh": "24 小时内", "en": "for 24 hours."},
		time.Hour:                   {"zh": "1 小时内", "en": "for 1 hour."},
		30 * time.Minute:            {"zh": "30 分钟内", "en": "for 30 minutes."},
		90 * time.Minute:            {"zh": "90 分钟内", "en": "for 90 minutes."},
		time.Minute:                 {"zh": "1 分钟内", "en": "for 1 minute."},
		2*time.Hour - time.Second/2: {"zh": "2 小时内", "en": "for 2 hours."}, // a store may round the two times apart
	} {
		for language, words := range want {
			claimed := activation(t)
			claimed.Mail.Language = language
			claimed.Mail.NotAfter = claimed.Mail.CreatedAt.Add(life)
			mail := mustWrite(t, claimed, token)
			if !strings.Contains(mail.Text, words) || !strings.Contains(mail.HTML, words) {
				t.Errorf("%v: the mail lacks %q:\n%s", life, words, mail.Text)
			}
		}
	}
}

func TestMails_tells_the_time_of_a_change_as_in_China(t *testing.T) {
	t.Parallel()
	for language, want := range map[string]string{
		"zh": "2025年6月1日 16:00（北京时间）", "en": "1 June 2025, 16:00 (UTC+8)",
	} {
		claimed := emailChanged(t)
		claimed.Mail.Language = language
		mail := mustWrite(t, claimed, "")
		if !strings.Contains(mail.Text, want) || !strings.Contains(strings.ReplaceAll(mail.HTML, "&#43;", "+"), want) {
			t.Errorf("the mail lacks %q:\n%s", want, mail.Text)
		}
	}
}

func TestMails_leaves_a_purpose_it_does_not_know_to_newer_workers(t *testing.T) {
	t.Parallel()
	claimed := activation(t)
	claimed.Mail.Purpose = "of_a_later_release"
	if email, err := mustMails(t).Write(claimed, tasks.Tokens{}); err == nil {
		t.Errorf("wrote %q", email.Subject)
	}
}

func TestMails_to_an_account_without_a_name_greet_without_one(t *testing.T) {
	t.Parallel()
	for _, purpose := range []accounts.MailPurpose{
		accounts.MailActivation, accounts.MailPasswordChanged, accounts.MailMobileChanged, accounts.MailEmailAsked,
		accounts.MailEmailChanged, accounts.MailChangeUndone, accounts.MailNumberClaimed, accounts.MailClaimEnded,
		accounts.MailDeletionAsked,
	} {
		for language, greeting := range map[string]string{"en": "Hello,", "zh": "你好！"} {
			mail := activation(t)
			mail.Account.Username, mail.Mail.Purpose, mail.Mail.Language = "", purpose, language
			mail.Mail.To = mustEmail(t, "xiaoming@example.com")
			email := mustWrite(t, mail, token)
			if !strings.HasPrefix(email.Text, greeting) || !strings.Contains(email.HTML, ">"+greeting+"<") {
				t.Errorf("%s in %s:\n%s", purpose, language, email.Text)
			}
			for _, broken := range []string{"<b></b>", "用户名", "\n entered"} {
				if strings.Contains(email.Text+email.HTML, broken) {
					t.Errorf("%s in %s has %q:\n%s", purpose, language, broken, email.Text)
				}
			}
		}
	}
}
