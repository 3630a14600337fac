package tasks

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"usher/accounts"
	"usher/brand"
	"usher/providers"
)

// Mails writes the mails that people get. It is safe for concurrent use.
type Mails struct {
	publicURL *url.URL
	letters   map[string]letter // by purpose and language, such as activation.zh
	faces     map[string]face   // by language
}

// face is what mails of a language show of the team.
type face struct {
	Product string // its name, or the host of the public address
	Sender  string // name beside the sender's address; empty: that of the settings

	// Colours of buttons and links, and of the text on buttons, in the form of CSS.
	Accent, OnAccent, AccentDark, OnAccentDark string
}

func newFace(b *brand.Brand, host, language string) face {
	light, dark := b.Light(), b.Dark()
	return face{
		Product: cmp.Or(b.OwnName(language), host), Sender: b.MailName(language),
		Accent: light.Accent.String(), OnAccent: light.OnAccent.String(), AccentDark: dark.Accent.String(), OnAccentDark: dark.OnAccent.String(),
	}
}

// NewMails parses the templates. Every file of replaced is used instead of the built-in one of the same
// name; nil replaces none. The mails have the name and the colours of the team, nil for Usher's own. Each mail is written once with sample data, so that a template that cannot be
// used is found here: the error names the files, one a line. Links in the mails start with publicURL, never
// with anything that a request contained.
func NewMails(publicURL *url.URL, replaced fs.FS, team *brand.Brand) (*Mails, error) {
	m := &Mails{publicURL: publicURL, letters: map[string]letter{}, faces: map[string]face{}}
	for _, language := range []string{chinese, english} {
		m.faces[language] = newFace(team, publicURL.Host, language)
	}
	files, err := readTemplates(replaced, m.faces[chinese].Product)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, name := range letterNames() {
		m.letters[name], err = parseLetter(files, name)
		if err == nil {
			_, err = m.samplesOf(name)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return m, nil
}

// content is what a template may use. The fields are documented in docs/mail-templates.md; to remove one
// breaks the templates of users.
type content struct {
	face

	Username string
	Host     string // of the public address
	Language string // for the lang attribute
	Subject  string // empty while the subject itself is written
	Link     string // that activates, undoes the change of a notice, or carries the code; empty: there is none
	Lifetime string // of the link, with its unit
	Time     string // of the change, or of the request for the mail
	Network  string // from which that was made; empty: not known
	Former   string // number or address before the change, masked
	Present  string // number or address after it, masked
	Until    string // when the account will be deleted

	Code    string // in a mail with one
	Purpose string // of the code
	App     string // name of the app whose code it is; empty for a code of ours

	// DeclineLink is for the reader of an activation who did not ask for it, else empty.
	DeclineLink string
}

// Tokens are in the links of a mail: Link activates the account, or undoes the change of a notice; Decline lets the reader of
// an activation say that they did not ask for it. An empty one means that the mail has no such link.
type Tokens struct {
	Link, Decline string
}

// Write writes a claimed mail, with links that carry the tokens. The message id is the mail's own and
// nothing depends on the attempt, so that a reader drops a second copy.
func (m *Mails) Write(mail accounts.ClaimedMail, tokens Tokens) (providers.Email, error) {
	name := letterName(mail.Mail)
	letter, found := m.letters[name]
	if !found { // of a newer release, whose workers know it
		return providers.Email{}, fmt.Errorf("no template for mails about %q", mail.Mail.Purpose)
	}
	words := wordsOf(mail.Mail.Language)
	data := content{
		face:     m.faces[languageOf(mail.Mail.Language)],
		Username: mail.Account.Username,
		Host:     m.publicURL.Host,
		Language: words.tag,
		Lifetime: words.lifetime(mail.Mail),
		Time:     mail.Mail.CreatedAt.In(chinaTime).Format(words.clock),
		Network:  mail.Mail.Network,
		Former:   mail.Mail.Facts.Former,
		Present:  mail.Mail.Facts.Present,
		Until:    time.Unix(mail.Mail.Facts.Until, 0).In(chinaTime).Format(words.clock),

		DeclineLink: m.link("decline", tokens.Decline),
	}
	if data.Link = m.link("undo", tokens.Link); emailType(mail.Mail.Purpose) == TypeEmailActivation {
		data.Link = m.link("activate", tokens.Link)
	}
	return letter.write(providers.Email{MessageID: mail.ID + "@" + m.publicURL.Hostname(), To: mail.Recipient()}, data)
}

// codeLetter is the name of the templates of mails with a code.
const codeLetter = "code"

// WriteCode writes a mail with a code, the same for each attempt.
func (m *Mails) WriteCode(mail CodeMail) (providers.Email, error) {
	letter, words := m.letters[codeLetter+"."+languageOf(mail.Language)], wordsOf(mail.Language)
	return letter.write(providers.Email{MessageID: mail.ID + "@" + m.publicURL.Hostname(), To: mail.To}, content{
		face: m.faces[languageOf(mail.Language)],
		Host: m.publicURL.Host, Language: words.tag, Lifetime: words.span(mail.Life),
		Code: mail.Code, Purpose: string(mail.Purpose), App: mail.App, Link: m.link("code", mail.Token),
	})
}

// write adds subject, text and HTML to a mail.
func (l letter) write(email providers.Email, data content) (providers.Email, error) {
	var err error
	email.FromName = data.Sender
	if email.Subject, err = l.writeSubject(data); err != nil {
		return providers.Email{}, err
	}
	data.Subject = email.Subject
	email.Text, email.HTML, err = l.writeBodies(data)
	return email, err
}

// link is the address of a page with a token; it is empty without one.
func (m *Mails) link(page, token string) string {
	if token == "" {
		return ""
	}
	link := m.publicURL.JoinPath(page)
	link.RawQuery = url.Values{"token": {token}}.Encode()
	return link.String()
}

// maxSubject is in characters. Lists of mails show less than half of it.
const maxSubject = 100

func (l letter) writeSubject(data content) (string, error) {
	var out strings.Builder
	if err := l.subject.Execute(&out, data); err != nil {
		return "", err
	}
	subject := strings.TrimSpace(out.String())
	if subject == "" || utf8.RuneCountInString(subject) > maxSubject || strings.ContainsFunc(subject, unicode.IsControl) {
		return "", fmt.Errorf("%s: a subject is one line of 1 to %d characters", l.subject.Name(), maxSubject)
	}
	return subject, nil
}

func (l letter) writeBodies(data content) (text, html string, err error) {
	var textOut, htmlOut strings.Builder
	textOut.Grow(1 << 10) // about what the built-in letters need
	htmlOut.Grow(4 << 10)
	if err := l.text.Execute(&textOut, data); err != nil {
		return "", "", err
	}
	if err := l.html.Execute(&htmlOut, data); err != nil {
		return "", "", err
	}
	for name, out := range map[string]string{l.text.Name(): textOut.String(), l.html.Name(): htmlOut.String()} {
		if strings.TrimSpace(out) == "" {
			return "", "", fmt.Errorf("%s: writes nothing", name)
		}
	}
	return textOut.String(), htmlOut.String(), nil
}

// chinaTime is the time of day in which changes are told; it has known no summer time since 1991.
var chinaTime = time.FixedZone("UTC+8", 8*60*60)

// words are the few that a language adds to its templates.
type words struct {
	tag          string
	clock        string // layout of a time
	hour, minute string
	plural       string
}

func wordsOf(language string) words {
	if language == english {
		return words{"en", "2 January 2006, 15:04 (UTC+8)", " hour", " minute", "s"}
	}
	return words{"zh-CN", "2006年1月2日 15:04（北京时间）", " 小时", " 分钟", ""}
}

// lifetime says the link's whole life, not what is left of it: every attempt writes the same mail.
func (w words) lifetime(mail accounts.Mail) string {
	return w.span(mail.NotAfter.Sub(mail.CreatedAt).Round(time.Minute))
}

// span says a span of time in words.
func (w words) span(life time.Duration) string {
	n, unit := int(life.Minutes()), w.minute
	if life >= time.Hour && life%time.Hour == 0 {
		n, unit = int(life.Hours()), w.hour
	}
	if n != 1 {
		unit += w.plural
	}
	return strconv.Itoa(n) + unit
}

func letterName(mail accounts.Mail) string {
	return string(cmp.Or(mail.Purpose, accounts.MailActivation)) + "." + languageOf(mail.Language)
}

// languageOf returns the language of a mail: zh unless en was asked for.
func languageOf(asked string) string {
	if asked == english {
		return english
	}
	return chinese
}
