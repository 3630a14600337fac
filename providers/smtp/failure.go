package smtp

import (
	"context"
	"errors"
	"net/textproto"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"usher/providers"
	"usher/providers/internal/wire"
	"usher/reasons"
)

// stage is the point in the dialogue at which a failure came.
type stage int

const (
	atConnect stage = iota // up to the greeting
	atHello                // EHLO or HELO
	atTLS                  // STARTTLS and the handshake after it
	atLogin
	atMail
	atRcpt
	atData
	atDot // the final dot may have gone out: the only place where the outcome can be unknown
)

// closing is the reply with which a server announces that it closes the connection.
const closing = 421

var errProtocol = reasons.New(reasons.NoSMTP, "reply is not SMTP")

// failure is why a mail was not accepted. Its cause may quote addresses, so it is not handed out.
type failure struct {
	at  stage
	err error
}

// stale reports whether the connection was closed before the server answered the first command. Such a failure is not about
// this mail.
func (f *failure) stale() bool {
	var reply *textproto.Error
	return f.at == atMail && (!errors.As(f.err, &reply) || reply.Code == closing)
}

// refusal returns the error for the caller. It needs the recipient in order not to quote it.
func (f *failure) refusal(ctx context.Context, to string) *providers.Error {
	e := &providers.Error{Provider: Name, Kind: providers.Temporary}
	var (
		reply   *textproto.Error
		rubbish textproto.ProtocolError
		cause   *reasons.Cause
	)
	switch {
	case errors.As(f.err, &reply):
		text := withoutAddress(reply.Msg, to)
		meaning := classify(f.at, reply.Code, text)
		e.Kind, e.Why, e.Code = meaning.kind, meaning.why, replyCode(reply.Code, text)
		e.NoMailbox = f.at == atRcpt && reply.Code/100 == 5 && noMailbox(meaning, text)
		return e
	case errors.Is(f.err, errBusy): // our own bound: another attempt may succeed soon, and the server is not at fault
		e.Code, e.Err = providers.Busy.OwnCode(), errBusy
		return e
	case errors.As(f.err, &cause): // one of this package's
		e.Err = cause
	case ctx.Err() == nil && errors.As(f.err, &rubbish):
		e.Err = errProtocol
	default:
		e.Err = wire.Cause(ctx, f.err)
	}
	switch e.Reason() {
	case reasons.NoTLS, reasons.NoStartTLS, reasons.NoLoginOffered, reasons.Certificate:
		e.Kind = providers.Misconfigured
	default:
	}
	if f.at == atDot {
		e.Kind = providers.Unknown
	}
	return e
}

// withoutAddress replaces the recipient in a reply by blanks. Any user can choose that text, and an address such as
// relay@example.com must not be classified as a fault of our account.
func withoutAddress(text, to string) string {
	text, to = strings.ToLower(text), strings.ToLower(to)
	local, domain, _ := strings.Cut(to, "@")
	for _, part := range []string{to, local, domain} {
		text = withoutWord(text, part)
	}
	return text
}

// withoutWord replaces a word by blanks where it stands by itself: the local part "a" must not remove every letter a.
func withoutWord(text, word string) string {
	if word == "" {
		return text
	}
	letter := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i] >= 'a' && text[i] <= 'z' || text[i] >= '0' && text[i] <= '9')
	}
	for from := 0; ; {
		at := strings.Index(text[from:], word)
		if at < 0 {
			return text
		}
		start, end := from+at, from+at+len(word)
		if from = end; letter(start-1) || letter(end) {
			continue
		}
		text, from = text[:start]+" "+text[end:], start+1
	}
}

// detail finds an enhanced status code (5.7.1) or a tag of 163's (dt:spm) at the start of a reply.
var detail = regexp.MustCompile(`^(?:[245]\.\d{1,3}\.\d{1,3}|[a-z]{2}:[a-z]{3})\b`)

// replyCode returns a code for logs, such as 550, 550-5.7.1 or 554-DT.SPM.
func replyCode(code int, text string) string {
	s := strconv.Itoa(code)
	if d := detail.FindString(text); d != "" {
		s += "-" + strings.ToUpper(strings.ReplaceAll(d, ":", "."))
	}
	return wire.Code(s)
}

// classify returns the meaning of a refusal; the text is in lower case. The stage decides first, since what comes before RCPT
// is about us. Then comes the enhanced status code (RFC 3463), and at last the wording, for servers that send no such code or
// an unspecific one.
func classify(at stage, code int, text string) meaning {
	enhanced := ""
	if d := detail.FindString(text); strings.Contains(d, ".") {
		enhanced = d
	}
	switch {
	case code/100 == 4:
		return passing(at, code, enhanced, text)
	case code/100 != 5: // not a refusal: replies and commands do not match
		if at == atDot {
			return meaning{providers.Unknown, reasons.NoSMTP}
		}
		return later(reasons.NoSMTP)
	}
	if at < atRcpt {
		return beforeRecipient(at, code, enhanced, text)
	}
	if m, ok := byStatus(at, enhanced, text); ok {
		return m
	}
	if m, ok := byWords(5, text); ok {
		return m
	}
	return byCode(at, code)
}

// noMailbox reports whether a 5yz at RCPT surely says that the mailbox does not exist: its status or its words say so, and its
// words say nothing else. A bare 550 and a full mailbox do not count, for people would get no mail without a fault of theirs.
func noMailbox(m meaning, text string) bool {
	if m.kind != providers.Rejected || slices.ContainsFunc(doubtful, func(part string) bool { return strings.Contains(text, part) }) {
		return false
	}
	words, told := byWords(5, text)
	if told {
		return words.why == reasons.RecipientUnknown
	}
	return slices.Contains(noMailboxStatuses, detail.FindString(text))
}

// passing returns the meaning of a 4yz.
func passing(at stage, code int, enhanced, text string) meaning {
	switch {
	case code == 432 && (enhanced == "" || enhanced == "4.7.12"): // the password has to be changed first
		return ours(reasons.LoginDisabled)
	case at == atLogin && strings.Contains(text, "too many login"): // Gmail, 454 4.7.0
		return ours(reasons.LoginLimited)
	}
	if m, ok := byWords(4, text); ok {
		return m
	}
	if at < atRcpt {
		return later(reasons.ServerNotReady)
	}
	return later(reasons.NotNow)
}

// beforeRecipient returns the meaning of a 5yz to a command before RCPT: it is about us.
func beforeRecipient(at stage, code int, enhanced, text string) meaning {
	if m, ok := byWords(5, text); ok && m.kind != providers.Rejected {
		return m
	}
	if m, ok := byStatus(at, enhanced, text); ok && at == atMail && (m.kind == providers.Misconfigured || m.why == reasons.TooBig) {
		return m
	}
	switch {
	case slices.Contains(loginCodes, code):
		return ours(reasons.LoginRequired)
	case at == atLogin && enhanced == "5.7.139": // Exchange: basic authentication is off for the mailbox
		return ours(reasons.LoginDisabled)
	case at < atMail:
		return ours(stageReasons[at])
	case slices.Contains(syntaxCodes, code):
		return ours(reasons.CommandRefused)
	default:
		return ours(reasons.SenderRefused)
	}
}

// exchangeBlock is what Exchange Online answers to addresses and tenants that it blocks.
var exchangeBlock = regexp.MustCompile(`^5\.7\.[67]\d\d$`)

// byStatus returns the meaning of a 5yz at RCPT or later by its enhanced status code, and false where the code does not tell.
func byStatus(at stage, enhanced, text string) (meaning, bool) {
	if strings.HasPrefix(enhanced, "5.1.") && strings.Contains(text, "sender address rejected") { // Postfix, 5.1.0
		return ours(reasons.SenderRefused), true
	}
	for _, s := range statuses {
		if enhanced == s.status || strings.HasSuffix(s.status, ".") && strings.HasPrefix(enhanced, s.status) {
			return s.means, true
		}
	}
	switch {
	case strings.HasPrefix(enhanced, "5.5."):
		if strings.Contains(text, "helo") {
			return ours(reasons.HELORefused), true
		}
		if enhanced == "5.5.3" {
			return later(reasons.NotNow), true // too many recipients
		}
		if enhanced == "5.5.0" { // Postfix and Exchange use it for everything that has no other code
			return meaning{}, false
		}
		return ours(reasons.CommandRefused), true
	case exchangeBlock.MatchString(enhanced):
		return ours(reasons.ClientRefused), true
	case strings.HasPrefix(enhanced, "5.7."):
		if m, ok := byWords(5, text); ok {
			return m, true
		}
		if at == atRcpt {
			return ours(reasons.PolicyRefused), true
		}
		return theirs(reasons.ContentRefused), true
	}
	return meaning{}, false
}

// byCode returns the meaning of all other 5yz: at RCPT they are about this recipient, later about this mail.
func byCode(at stage, code int) meaning {
	switch {
	case slices.Contains(syntaxCodes, code):
		return ours(reasons.CommandRefused)
	case slices.Contains(loginCodes, code) || code == 535:
		return ours(reasons.LoginRequired)
	case code == 552 && at == atRcpt:
		return theirs(reasons.RecipientFull)
	case code == 552:
		return theirs(reasons.TooBig)
	case at == atRcpt && (code == 550 || code == 551 || code == 553):
		return theirs(reasons.RecipientUnknown)
	}
	if at == atRcpt {
		return theirs(reasons.RecipientRefused)
	}
	return theirs(reasons.ContentRefused)
}

func byWords(class int, text string) (meaning, bool) {
	for _, w := range wordings {
		if class == w.class && strings.Contains(text, w.text) {
			return w.means, true
		}
	}
	return meaning{}, false
}
