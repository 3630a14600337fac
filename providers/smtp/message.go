package smtp

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wneessen/go-mail"

	"usher/config"
	"usher/providers"
	"usher/reasons"
)

var (
	errHeader    = reasons.New(reasons.MailNotRendered, "line break or NUL in a header")
	errMessageID = reasons.New(reasons.MailNotRendered, "message id is empty or has characters that it must not have")
	errText      = reasons.New(reasons.MailNotRendered, "mail has no recipient, subject or text")
	errAddress   = reasons.New(reasons.MailNotRendered, "line break or NUL in an address")
	errRender    = reasons.New(reasons.MailNotRendered, "mail cannot be rendered")
)

// Render makes the bytes that [Client.SendEmail] sends under the same settings and at this time. The error
// is of type [config.Mistakes] when the sender is at fault.
func Render(from string, email providers.Email, now time.Time) ([]byte, error) {
	sender, err := netmail.ParseAddress(from)
	if err != nil {
		return nil, config.Mistakes{{Variable: config.Prefix + "MAIL_FROM", Text: fromHelp}}
	}
	return render(email, *sender, now)
}

// render makes the bytes of a mail. Its error says why the mail can never be sent, and quotes none of it.
func render(email providers.Email, from netmail.Address, now time.Time) ([]byte, error) {
	switch {
	case strings.ContainsAny(email.Subject+email.MessageID+email.FromName, "\r\n\x00"):
		return nil, errHeader
	case email.MessageID == "" || strings.ContainsAny(email.MessageID, "<> \t"):
		return nil, errMessageID
	case email.To.IsZero() || email.Subject == "" || strings.TrimSpace(email.Text) == "":
		return nil, errText // filters classify a mail without a text part as spam
	}
	// Base64, because mails are mostly Chinese and quoted-printable would triple them.
	m := mail.NewMsg(mail.WithEncoding(mail.EncodingB64), mail.WithNoDefaultUserAgent())
	from.Name = cmp.Or(email.FromName, from.Name)
	m.FromMailAddress(&from)
	if err := m.To(email.To.Reveal()); err != nil {
		return nil, errRender
	}
	m.SetGenHeaderPreformatted(mail.HeaderSubject, encodeSubject(email.Subject))
	m.SetMessageIDWithValue(email.MessageID)
	m.SetDateWithValue(now)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers it
	m.SetBodyString(mail.TypeTextPlain, email.Text)
	if email.HTML != "" {
		m.AddAlternativeString(mail.TypeTextHTML, email.HTML) // last is best
	}
	var data bytes.Buffer
	data.Grow(len(email.Text)*3/2 + len(email.HTML)*3/2 + roomForHeaders)
	if _, err := m.WriteTo(&data); err != nil {
		return nil, errRender
	}
	return data.Bytes(), nil
}

// roomForHeaders is the usual size of a mail without its texts, in bytes. The buffer grows when it is more.
const roomForHeaders = 1 << 10

// Sizes of a subject in bytes: what fits on its line as it is, and what one encoded word carries.
const (
	plainSubject = 60
	wordSubject  = 30
)

// encodeSubject encodes and folds a subject so that its first word stays on the header's own line. The library makes words of
// the greatest length. Then the first word goes to the second line, and some mail readers show a blank before the subject.
func encodeSubject(subject string) string {
	plain := len(subject) <= plainSubject && !strings.Contains(subject, "=?") &&
		!strings.ContainsFunc(subject, func(r rune) bool { return r < ' ' || r > '~' })
	if plain {
		return subject
	}
	var words []string
	for word := ""; subject != ""; {
		_, size := utf8.DecodeRuneInString(subject)
		word, subject = word+subject[:size], subject[size:]
		if len(word) > wordSubject-utf8.UTFMax || subject == "" {
			words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte(word))+"?=")
			word = ""
		}
	}
	return strings.Join(words, "\r\n ")
}

// command is one line of the dialogue, with the first digits of the reply that accepts it.
type command struct {
	line  string
	at    stage
	reply int
}

// envelope is one mail as it is sent.
type envelope struct {
	commands [3]command
	body     []byte // with the final dot
}

// enclose makes the envelope of a rendered mail, which is 7 bit. Its error quotes none of it.
func enclose(from, to string, mail []byte) (envelope, error) {
	if strings.ContainsAny(from+to, "\r\n\x00") {
		return envelope{}, errAddress
	}
	return envelope{
		commands: [...]command{
			{"MAIL FROM:<" + from + ">\r\n", atMail, 250},
			{"RCPT TO:<" + to + ">\r\n", atRcpt, 25},
			{"DATA\r\n", atData, 354},
		},
		body: dotted(mail),
	}, nil
}

// dotted returns a mail whose lines end in CRLF, with a dot before each line that begins with one, and the final dot.
func dotted(mail []byte) []byte {
	var out bytes.Buffer
	buffered := bufio.NewWriter(&out)
	dots := textproto.NewWriter(buffered).DotWriter()
	_, _ = dots.Write(mail) // nothing that is written to memory fails
	_ = dots.Close()
	_ = buffered.Flush()
	return out.Bytes()
}
