package smtp

import (
	"bytes"
	"errors"
	netmail "net/mail"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"usher/providers"
)

var (
	errHeader    = errors.New("line break or NUL in a header")
	errMessageID = errors.New("message id is empty or has characters that it must not have")
	errText      = errors.New("mail has no recipient, subject or text")
	errRender    = errors.New("mail cannot be rendered")
)

// render makes the bytes of a mail. Its error says why the mail can never go; it quotes nothing.
func render(email providers.Email, from netmail.Address, now time.Time) ([]byte, error) {
	switch {
	case strings.ContainsAny(email.Subject+email.MessageID, "\r\n\x00"):
		return nil, errHeader
	case email.MessageID == "" || strings.ContainsAny(email.MessageID, "<> \t"):
		return nil, errMessageID
	case email.To.IsZero() || email.Subject == "" || strings.TrimSpace(email.Text) == "":
		return nil, errText // mail without a text part is taken for spam
	}
	// Base64, because mails are mostly Chinese and quoted-printable would triple them.
	m := mail.NewMsg(mail.WithEncoding(mail.EncodingB64), mail.WithNoDefaultUserAgent())
	m.FromMailAddress(&from)
	if err := m.To(email.To.Reveal()); err != nil {
		return nil, errRender
	}
	m.Subject(email.Subject)
	m.SetMessageIDWithValue(email.MessageID)
	m.SetDateWithValue(now)
	m.SetBodyString(mail.TypeTextPlain, email.Text)
	if email.HTML != "" {
		m.AddAlternativeString(mail.TypeTextHTML, email.HTML) // last is best
	}
	var data bytes.Buffer
	if _, err := m.WriteTo(&data); err != nil {
		return nil, errRender
	}
	return data.Bytes(), nil
}
