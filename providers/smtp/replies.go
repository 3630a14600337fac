package smtp

import (
	"strings"

	"usher/providers"
)

// quirk is a reply whose text says more than its code. Texts are in lower case.
type quirk struct {
	class int // first digit of the code
	text  string
	kind  providers.Kind
}

// quirks are the words of QQ and 163, the two mail services that most Chinese sites send through, and a
// few that are common. The first that fits decides.
var quirks = []quirk{
	// QQ.
	{4, "open smtp flag", providers.Misconfigured},                     // 454: SMTP is switched off in the mailbox; never heals
	{5, "must be same as authorization user", providers.Misconfigured}, // 501: MAIL FROM is not the login
	{5, `"from" header`, providers.Misconfigured},                      // 550: header missing, or not the login
	{5, "frequency limited", providers.Temporary},                      // 550: address, domain, sender or connection, for minutes to a day
	{5, "mailbox unavailable or access denied", providers.Temporary},   // 550: the recipient gets too much
	{5, "mailbox not found", providers.Rejected},                       // 550
	{5, "content denied", providers.Rejected},                          // 550
	{5, "sending mail without permission", providers.Misconfigured},    // 550
	{5, "spf", providers.Misconfigured},                                // 550: the domain's SPF record leaves this server out
	{5, "spam address", providers.Misconfigured},                       // 550: our address is listed

	// 163.
	{5, "must equal authorized user", providers.Misconfigured}, // 553: MAIL FROM is not the login
	{5, "authentication is required", providers.Misconfigured}, // 553
	{5, "auth error limit", providers.Misconfigured},           // 554: too many wrong logins; stop
	{4, "fail authentication", providers.Misconfigured},        // 451: too many wrong logins; stop
	{4, "failed authentication", providers.Misconfigured},      // 451: the same, elsewhere
	{5, "dt:sum", providers.Misconfigured},                     // 554: From is not the login
	{5, "dt:spm", providers.Rejected},                          // 554: content taken for spam; 451 is temporary
	{5, "user not found", providers.Rejected},                  // 550
	{5, "invalid user", providers.Rejected},                    // 550
	{5, "user suspended", providers.Rejected},                  // 550
	{5, "mi:stc", providers.Misconfigured},                     // 550: the sender's mails of the day
	{5, "rp:trc", providers.Misconfigured},                     // 550: the sender's recipients of the day
	{5, "rp:rcl", providers.Misconfigured},                     // 550: recipients in one mail
	{5, "rp:frl", providers.Misconfigured},                     // 550: sender's limit
	{5, "mi:nhd", providers.Misconfigured},                     // 550: HELO refused
	{5, "mi:imf", providers.Misconfigured},                     // 550: sender's address malformed
	{5, "mi:dma", providers.Misconfigured},                     // 550: sender's domain does not exist
	{5, "mi:spb", providers.Misconfigured},                     // 554: sender blocked
	{5, "hl:ihu", providers.Misconfigured},                     // 554: HELO refused
	{5, "hl:ipb", providers.Misconfigured},                     // 554: our address is blocked

	// Anywhere.
	{5, "too many recipients", providers.Temporary}, // 552 where 452 is meant (RFC 5321, 4.5.3.1.10)
	{5, "relay", providers.Misconfigured},           // 550, 554: relaying denied, that is not logged in
}

// kindOf returns the kind of a reply that is a refusal; the text is in lower case.
func kindOf(at stage, code int, text string) providers.Kind {
	for _, q := range quirks {
		if code/100 == q.class && strings.Contains(text, q.text) {
			return q.kind
		}
	}
	switch code / 100 {
	case 4:
		if code == 432 { // the password has to be changed first
			return providers.Misconfigured
		}
		return providers.Temporary
	case 5:
		return permanent(at, code)
	default: // no refusal at all: the dialogue is out of step
		if at == atDot {
			return providers.Unknown
		}
		return providers.Temporary
	}
}

// permanent tells whom a 5yz concerns: at RCPT this recipient, at the data this mail, before it us.
func permanent(at stage, code int) providers.Kind {
	switch code {
	case 500, 502, 503, 504, 555: // syntax, command, order or parameter: a fault in our dialogue
		return providers.Misconfigured
	case 530, 534, 535, 538: // log in first; mechanism too weak; wrong password; TLS wanted
		return providers.Misconfigured
	case 552: // over quota, or too big
		return providers.Rejected
	}
	switch at {
	case atRcpt, atData, atDot:
		return providers.Rejected
	default:
		return providers.Misconfigured
	}
}
