package tasks_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"usher/tasks"
	"usher/verify"
)

// A mail with the code of an app names the app, and has no link: the pages of ours know nothing of its users.
func TestMails_with_the_code_of_an_app(t *testing.T) {
	t.Parallel()
	mails, err := tasks.NewMails(&url.URL{Scheme: "https", Host: "signup.example.com"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for language, want := range map[string]struct{ subject, text string }{
		"zh": {"「Shop & <Söhne>」验证码", "你在「Shop & <Söhne>」的验证码是"},
		"en": {"Your code for Shop & <Söhne>", "Your verification code for Shop & <Söhne>:"},
	} {
		email, err := mails.WriteCode(tasks.CodeMail{
			ID: codeID, To: mustEmail(t, codeAddress), Purpose: verify.ForApp("app_aaaaaaaaaa", "register"), Code: "40291384",
			Life: 10 * time.Minute, Language: language, App: "Shop & <Söhne>",
		})
		if err != nil {
			t.Fatal(err)
		}
		if email.Subject != want.subject || !strings.Contains(email.Text, want.text) || !strings.Contains(email.Text, "40291384") {
			t.Errorf("%s: %s\n%s", language, email.Subject, email.Text)
		}
		if !strings.Contains(email.HTML, "Shop &amp; &lt;Söhne&gt;") || strings.Contains(email.HTML, "<Söhne>") {
			t.Errorf("%s: the name is not escaped:\n%s", language, email.HTML)
		}
		if all := email.Text + email.HTML; strings.Contains(all, "/code?token=") || strings.Contains(all, "app_aaaaaaaaaa") {
			t.Errorf("%s: the mail has a link or the purpose:\n%s", language, all)
		}
	}
}
