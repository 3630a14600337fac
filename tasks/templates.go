package tasks

import (
	"embed"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"usher/accounts"
	"usher/brand"
	"usher/contact"
	"usher/messages"
	"usher/providers"
	"usher/verify"
)

//go:embed templates
var builtIn embed.FS

// The languages of the mails.
const (
	chinese = "zh"
	english = "en"
)

// layoutFile holds what the HTML parts share. It is parsed in front of each of them.
const layoutFile = "layout.html"

// maxTemplate bounds a file in bytes. Mail readers cut what is longer than about 100 kB.
const maxTemplate = 64 << 10

// letter is the templates of one mail in one language.
type letter struct {
	subject, text *template.Template
	html          *htmltemplate.Template
}

// letterNames lists every mail in every language.
func letterNames() []string {
	var names []string
	for _, purpose := range []accounts.MailPurpose{
		accounts.MailActivation, accounts.MailPasswordChanged, accounts.MailMobileChanged, accounts.MailEmailAsked,
		accounts.MailEmailChanged, accounts.MailChangeUndone, accounts.MailNumberClaimed, accounts.MailClaimEnded, accounts.MailDeletionAsked, codeLetter,
	} {
		for _, language := range []string{chinese, english} {
			names = append(names, string(purpose)+"."+language)
		}
	}
	return names
}

// readTemplates returns every template by its file's name. A file that is called like a template and is
// none is refused: it would be left out in silence. Other files are left alone.
// The name of the product is known to Chinese templates, which have no spaces around a Chinese one.
func readTemplates(replaced fs.FS, product string) (map[string]string, error) {
	files := map[string]string{}
	entries, err := builtIn.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("read built-in templates: %w", err)
	}
	for _, entry := range entries {
		text, err := builtIn.ReadFile("templates/" + entry.Name())
		if err != nil {
			return nil, fmt.Errorf("read built-in templates: %w", err)
		}
		files[entry.Name()] = brand.Space(string(text), "{{.Product}}", product)
	}
	if replaced == nil {
		return files, nil
	}
	entries, err = fs.ReadDir(replaced, ".")
	if err != nil {
		return nil, errors.New("want a directory that can be read")
	}
	var errs []error
	for _, entry := range entries {
		name := entry.Name()
		if ext := path.Ext(name); ext != ".subject" && ext != ".txt" && ext != ".html" {
			continue
		}
		if _, known := files[name]; !known {
			errs = append(errs, fmt.Errorf("%s: no template has this name; docs/mail-templates.md lists them", name))
			continue
		}
		text, err := readTemplate(replaced, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		files[name] = text
	}
	return files, errors.Join(errs...)
}

// readTemplate reads what an editor on any system has written.
func readTemplate(from fs.FS, name string) (string, error) {
	file, err := from.Open(name)
	if err != nil {
		return "", errors.New("cannot be opened")
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxTemplate+1))
	switch {
	case err != nil:
		return "", errors.New("cannot be read")
	case len(text) > maxTemplate:
		return "", fmt.Errorf("is longer than %d bytes", maxTemplate)
	case !utf8.Valid(text):
		return "", errors.New("is not in UTF-8")
	}
	return strings.ReplaceAll(strings.TrimPrefix(string(text), "\uFEFF"), "\r\n", "\n"), nil
}

// parseLetter parses the files of one mail. The library's errors name the file and the line.
func parseLetter(files map[string]string, name string) (letter, error) {
	subject, subjectErr := template.New(name + ".subject").Parse(files[name+".subject"])
	text, textErr := template.New(name + ".txt").Parse(files[name+".txt"])
	html, err := htmltemplate.New(layoutFile).Parse(files[layoutFile])
	if err == nil {
		html, err = html.New(name + ".html").Parse(files[name+".html"])
	}
	return letter{subject, text, html}, errors.Join(subjectErr, textErr, err)
}

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
		some, err := m.samplesOf(name)
		if err != nil {
			return nil, err
		}
		samples = append(samples, some...)
	}
	return samples, nil
}

// samplesOf writes one mail, a mail with a code for each purpose.
func (m *Mails) samplesOf(name string) ([]Sample, error) {
	letter, language, _ := strings.Cut(name, ".")
	if letter != codeLetter {
		email, err := m.sample(name)
		return []Sample{{name, email}}, err
	}
	to, err := contact.ParseEmail("lilei@example.com")
	if err != nil {
		return nil, fmt.Errorf("sample address: %w", err)
	}
	var samples []Sample
	for _, purpose := range verify.Purposes(messages.Email) {
		email, err := m.WriteCode(CodeMail{
			ID: "c2FtcGxlLXNhbXBsZS1zYW1wbGUtc2FtcGxlLXNhbXBs", To: to, Purpose: purpose, Code: sampleCode, Token: sampleToken,
			Life: 10 * time.Minute, Language: language,
		})
		if err == nil {
			err = lacks(email, name, map[string]string{"{{.Link}}": sampleToken, "{{.Code}}": sampleCode})
		}
		if err != nil {
			return nil, err
		}
		samples = append(samples, Sample{letter + "_" + string(purpose) + "." + language, email})
	}
	return samples, nil
}

// lacks returns an error when a part of the mail does not have one of the texts, which are listed by the fields that write them.
func lacks(email providers.Email, name string, texts map[string]string) error {
	for part, body := range map[string]string{".txt": email.Text, ".html": email.HTML} {
		for field, text := range texts {
			if !strings.Contains(body, text) {
				return fmt.Errorf("%s%s: lacks %s, without which the mail is of no use", name, part, field)
			}
		}
	}
	return nil
}

// sampleCode is the code of sample mails.
const sampleCode = "40291376"

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
			Network: "203.0.113.0/24", Facts: accounts.MailFacts{Former: "138****8000", Present: "139****9000", Until: created.Add(7 * 24 * time.Hour).Unix()},
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
	return email, lacks(email, name, map[string]string{"{{.Link}}": sampleToken})
}

// linkless are the mails that never carry a link.
var linkless = []accounts.MailPurpose{accounts.MailChangeUndone, accounts.MailClaimEnded, accounts.MailDeletionAsked}
