package tasks

import (
	"embed"
	"fmt"
	htmltemplate "html/template"
	"net/url"
	"strconv"
	"strings"
	"text/template"
	"time"

	"usher/accounts"
	"usher/providers"
)

//go:embed templates
var templates embed.FS

// Mails writes the mails people get. It is safe for concurrent use.
type Mails struct {
	publicURL *url.URL
	text      *template.Template
	html      *htmltemplate.Template
}

// NewMails parses the templates. Links in the mails start with publicURL, never with anything that a
// request said.
func NewMails(publicURL *url.URL) (*Mails, error) {
	text, err := template.ParseFS(templates, "templates/*.txt", "templates/*.subject")
	if err != nil {
		return nil, fmt.Errorf("parse mail templates: %w", err)
	}
	html, err := htmltemplate.ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse mail templates: %w", err)
	}
	return &Mails{publicURL: publicURL, text: text, html: html}, nil
}

// Activation writes the mail that proves an address. The message id is the mail's own, so that a reader
// drops a second copy.
func (m *Mails) Activation(mail accounts.ClaimedMail, token string) (providers.Email, error) {
	link := m.publicURL.JoinPath("activate")
	link.RawQuery = url.Values{"token": {token}}.Encode()
	data := struct {
		Username, Link, Host string
		Lifetime             lifetime
	}{
		mail.Account.Username, link.String(), m.publicURL.Host, lifetimeOf(mail.Mail),
	}
	var subject, text, html strings.Builder
	for name, out := range map[string]*strings.Builder{
		"email_activation.subject": &subject, "email_activation.txt": &text,
	} {
		if err := m.text.ExecuteTemplate(out, name, data); err != nil {
			return providers.Email{}, fmt.Errorf("write activation mail: %w", err)
		}
	}
	if err := m.html.ExecuteTemplate(&html, "email_activation.html", data); err != nil {
		return providers.Email{}, fmt.Errorf("write activation mail: %w", err)
	}
	return providers.Email{
		MessageID: mail.ID + "@" + m.publicURL.Hostname(),
		To:        mail.Account.Email,
		Subject:   strings.TrimSpace(subject.String()),
		Text:      text.String(),
		HTML:      html.String(),
	}, nil
}

// lifetime says the link's whole life, not what is left of it: every attempt writes the same mail.
type lifetime struct{ Zh, En string }

func lifetimeOf(mail accounts.Mail) lifetime {
	life := mail.NotAfter.Sub(mail.CreatedAt).Round(time.Minute)
	if life >= time.Hour && life%time.Hour == 0 {
		n := strconv.Itoa(int(life.Hours()))
		return lifetime{n + " 小时", n + " h"}
	}
	n := strconv.Itoa(int(life.Minutes()))
	return lifetime{n + " 分钟", n + " min"}
}
