package smtp

import (
	"context"
	"errors"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"

	"usher/providers"
	"usher/providers/internal/wire"
	"usher/reasons"
)

// stage is where in the dialogue a failure came.
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

// closing is the reply with which a server hangs up.
const closing = 421

var errProtocol = reasons.New(reasons.NoSMTP, "reply makes no sense")

// failure is a mail that the server did not accept. Its cause may quote addresses and stays inside.
type failure struct {
	at  stage
	err error
}

// stale reports whether a connection turned out dead before it answered the first command. Such a failure
// is no answer to this mail.
func (f *failure) stale() bool {
	var reply *textproto.Error
	return f.at == atMail && (!errors.As(f.err, &reply) || reply.Code == closing)
}

// refusal returns the error for the caller. The recipient is needed to keep it out.
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
		return e
	case errors.Is(f.err, errBusy): // our own bound: worth another try soon, and no fault of the server
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

// withoutAddress blanks the recipient out of a reply. Whoever signs up chooses that text, and an address
// such as relay@example.com must not read as a fault of our account.
func withoutAddress(text, to string) string {
	text, to = strings.ToLower(text), strings.ToLower(to)
	local, domain, _ := strings.Cut(to, "@")
	for _, part := range []string{to, local, domain} {
		text = withoutWord(text, part)
	}
	return text
}

// withoutWord blanks a text where it stands by itself: the local part a is no reason to take every a away.
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
