package smtp

import (
	"net/textproto"
	"strings"
	"testing"

	"usher/providers"
	"usher/reasons"
)

// replyRow is a reply as a server really gives it, and what it means.
type replyRow struct {
	at   stage
	code int
	text string
	kind providers.Kind
	why  reasons.Word
	log  string
}

var replyRows = []replyRow{
	// QQ and 163.
	{atLogin, 535, "Login Fail. Please enter your authorization code to login.", providers.Misconfigured, reasons.LoginRefused, "535"},
	{atLogin, 454, "Authentication failed, please open smtp flag first!", providers.Misconfigured, reasons.LoginDisabled, "454"},
	{atLogin, 454, "4.7.0 Temporary authentication failure", providers.Temporary, reasons.ServerNotReady, "454-4.7.0"},
	{atLogin, 535, "Error: authentication failed", providers.Misconfigured, reasons.LoginRefused, "535"},
	{atLogin, 554, "IP<203.0.113.7> is rejected, smtp auth error limit exceed", providers.Misconfigured, reasons.LoginLimited, "554"},
	{atLogin, 451, "Requested mail action not taken: too much fail authentication", providers.Misconfigured, reasons.LoginLimited, "451"},
	{atLogin, 432, "4.7.12 password transition needed", providers.Misconfigured, reasons.LoginDisabled, "432-4.7.12"},
	{atLogin, 534, "5.7.9 mechanism is too weak", providers.Misconfigured, reasons.LoginRequired, "534-5.7.9"},
	{atMail, 501, "Mail from address must be same as authorization user.", providers.Misconfigured, reasons.SenderRefused, "501"},
	{atMail, 553, "Mail from must equal authorized user", providers.Misconfigured, reasons.SenderRefused, "553"},
	{atMail, 553, "authentication is required,163 smtp5", providers.Misconfigured, reasons.LoginRequired, "553"},
	{atMail, 530, "5.7.0 authentication required", providers.Misconfigured, reasons.LoginRequired, "530-5.7.0"},
	{atMail, 450, "MI:DMC", providers.Temporary, reasons.ServerNotReady, "450-MI.DMC"},
	{atMail, 550, "MI:SPF", providers.Misconfigured, reasons.PolicyRefused, "550-MI.SPF"},
	{atMail, 550, "MI:NHD", providers.Misconfigured, reasons.HELORefused, "550-MI.NHD"},
	{atMail, 452, "too many recipients", providers.Temporary, reasons.ServerNotReady, "452"},
	{atRcpt, 550, "Mailbox not found", providers.Rejected, reasons.RecipientUnknown, "550"},
	{atRcpt, 550, "User not found: hai.ma@example.com", providers.Rejected, reasons.RecipientUnknown, "550"},
	{atRcpt, 550, "Invalid User: hai.ma@example.com", providers.Rejected, reasons.RecipientUnknown, "550"},
	{atRcpt, 550, "User suspended", providers.Rejected, reasons.RecipientRefused, "550"},
	{atRcpt, 550, "RP:TRC", providers.Misconfigured, reasons.SenderQuota, "550-RP.TRC"},
	{atRcpt, 550, "Mailbox unavailable or access denied", providers.Temporary, reasons.NotNow, "550"},
	{atRcpt, 551, "5.1.6 user has moved", providers.Rejected, reasons.RecipientUnknown, "551-5.1.6"},
	{atRcpt, 552, "5.2.2 mailbox full", providers.Rejected, reasons.RecipientFull, "552-5.2.2"},
	{atRcpt, 552, "too many recipients", providers.Temporary, reasons.NotNow, "552"},
	{atRcpt, 553, "name not allowed", providers.Rejected, reasons.RecipientUnknown, "553"},
	{atRcpt, 501, "Bad address syntax", providers.Rejected, reasons.RecipientRefused, "501"},
	{atRcpt, 503, "bad sequence of commands", providers.Misconfigured, reasons.CommandRefused, "503"},
	{atDot, 550, "The \"From\" header is missing or invalid.", providers.Misconfigured, reasons.SenderRefused, "550"},
	{atDot, 550, "Ip frequency limited", providers.Temporary, reasons.NotNow, "550"},
	{atDot, 550, "Mail content denied", providers.Rejected, reasons.ContentRefused, "550"},
	{atDot, 550, "Sending mail without permission", providers.Misconfigured, reasons.SenderRefused, "550"},
	{atDot, 554, "DT:SPM 163 smtp5", providers.Rejected, reasons.ContentRefused, "554-DT.SPM"},
	{atDot, 451, "DT:SPM, please try again", providers.Temporary, reasons.NotNow, "451-DT.SPM"},
	{atDot, 554, "DT:SUM", providers.Misconfigured, reasons.SenderRefused, "554-DT.SUM"},
	{atDot, 554, "MI:STC", providers.Misconfigured, reasons.SenderQuota, "554-MI.STC"},
	{atConnect, 554, "no SMTP service here", providers.Misconfigured, reasons.ClientRefused, "554"},
	{atConnect, 554, "HL:IPB 163 smtp9", providers.Misconfigured, reasons.ClientRefused, "554-HL.IPB"},
	{atConnect, 421, "HL:ICC", providers.Temporary, reasons.ServerNotReady, "421-HL.ICC"},
	// Postfix, which refuses at RCPT whatever it dislikes unless smtpd_delay_reject is off.
	{atRcpt, 553, "5.7.1 <a@corp.example>: Sender address rejected: not owned by user login", providers.Misconfigured, reasons.SenderRefused, "553-5.7.1"},
	{atRcpt, 553, "5.7.1 <a@corp.example>: Sender address rejected: not logged in", providers.Misconfigured, reasons.LoginRequired, "553-5.7.1"},
	{atRcpt, 554, "5.7.1 <unknown[203.0.113.7]>: Client host rejected: Access denied", providers.Misconfigured, reasons.ClientRefused, "554-5.7.1"},
	{atRcpt, 550, "5.7.25 Client host rejected: cannot find your hostname, [203.0.113.7]", providers.Misconfigured, reasons.ClientRefused, "550-5.7.25"},
	{atRcpt, 554, "5.7.1 Service unavailable; Client host [203.0.113.7] blocked using zen.spamhaus.org", providers.Misconfigured, reasons.ClientRefused, "554-5.7.1"},
	{atRcpt, 504, "5.5.2 <vm>: Helo command rejected: need fully-qualified hostname", providers.Misconfigured, reasons.HELORefused, "504-5.5.2"},
	{atHello, 504, "5.5.2 <vm>: Helo command rejected: need fully-qualified hostname", providers.Misconfigured, reasons.HELORefused, "504-5.5.2"},
	{atRcpt, 450, "4.7.1 <vm>: Helo command rejected: Host not found", providers.Temporary, reasons.NotNow, "450-4.7.1"},
	{atRcpt, 554, "5.7.1 <hai.ma@example.com>: Relay access denied", providers.Misconfigured, reasons.RelayDenied, "554-5.7.1"},
	{atRcpt, 454, "4.7.1 <hai.ma@example.com>: Relay access denied", providers.Temporary, reasons.NotNow, "454-4.7.1"},
	{atRcpt, 550, "5.1.1 <hai.ma@example.com>: Recipient address rejected: User unknown in relay recipient table", providers.Rejected, reasons.RecipientUnknown, "550-5.1.1"},
	{atRcpt, 550, "5.1.1 <hai.ma@example.com>: Recipient address rejected: User unknown in local recipient table", providers.Rejected, reasons.RecipientUnknown, "550-5.1.1"},
	{atRcpt, 550, "<hai.ma@example.com>: Recipient address rejected: User unknown in relay recipient table", providers.Rejected, reasons.RecipientUnknown, "550"},
	{atRcpt, 550, "5.1.0 <a@corp.example>: Sender address rejected: User unknown in virtual mailbox table", providers.Misconfigured, reasons.SenderRefused, "550-5.1.0"},
	{atRcpt, 550, "5.1.8 <a@corp.example>: Sender address rejected: Domain not found", providers.Misconfigured, reasons.SenderRefused, "550-5.1.8"},
	{atRcpt, 450, "4.2.0 <hai.ma@example.com>: Recipient address rejected: Greylisted", providers.Temporary, reasons.NotNow, "450-4.2.0"},
	{atMail, 552, "5.3.4 Message size exceeds fixed limit", providers.Rejected, reasons.TooBig, "552-5.3.4"},
	{atDot, 552, "5.3.4 Error: message file too big", providers.Rejected, reasons.TooBig, "552-5.3.4"},
	{atDot, 550, "5.7.1 Content rejected by milter", providers.Rejected, reasons.ContentRefused, "550-5.7.1"},
	{atConnect, 421, "4.7.0 mail.example.com Error: too many connections", providers.Temporary, reasons.ServerNotReady, "421-4.7.0"},
	// Exim, mostly without enhanced codes.
	{atRcpt, 550, "relay not permitted", providers.Misconfigured, reasons.RelayDenied, "550"},
	{atRcpt, 550, "Unrouteable address", providers.Rejected, reasons.RecipientUnknown, "550"},
	{atRcpt, 550, "Unknown user", providers.Rejected, reasons.RecipientUnknown, "550"},
	{atRcpt, 550, "authentication required", providers.Misconfigured, reasons.LoginRequired, "550"},
	{atRcpt, 550, "Verification failed for <a@corp.example>\nSender verify failed", providers.Misconfigured, reasons.SenderRefused, "550"},
	{atRcpt, 550, "Access denied - Invalid HELO name (See RFC2821 4.1.1.1)", providers.Misconfigured, reasons.HELORefused, "550"},
	{atRcpt, 550, "203.0.113.7 is listed at a blacklist", providers.Misconfigured, reasons.ClientRefused, "550"},
	{atLogin, 535, "Incorrect authentication data", providers.Misconfigured, reasons.LoginRefused, "535"},
	// Exchange, on premises and online.
	{atLogin, 535, "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox", providers.Misconfigured, reasons.LoginDisabled, "535-5.7.139"},
	{atLogin, 535, "5.7.3 Authentication unsuccessful", providers.Misconfigured, reasons.LoginRefused, "535-5.7.3"},
	{atMail, 530, "5.7.57 Client not authenticated to send mail", providers.Misconfigured, reasons.LoginRequired, "530-5.7.57"},
	{atRcpt, 550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain", providers.Misconfigured, reasons.RelayDenied, "550-5.7.54"},
	{atRcpt, 550, "5.7.64 TenantAttribution; Relay Access Denied", providers.Misconfigured, reasons.RelayDenied, "550-5.7.64"},
	{atRcpt, 550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", providers.Rejected, reasons.RecipientUnknown, "550-5.1.10"},
	{atRcpt, 550, "5.4.1 Recipient address rejected: Access denied", providers.Rejected, reasons.RecipientUnknown, "550-5.4.1"},
	{atRcpt, 550, "5.7.606 Access denied, banned sending IP [203.0.113.7]", providers.Misconfigured, reasons.ClientRefused, "550-5.7.606"},
	{atRcpt, 550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup", providers.Rejected, reasons.RecipientRefused, "550-5.7.133"},
	{atDot, 550, "5.7.60 SMTP; Client does not have permissions to send as this sender", providers.Misconfigured, reasons.SenderRefused, "550-5.7.60"},
	{atDot, 554, "5.2.252 SendAsDenied; a@corp.example not allowed to send as b@corp.example", providers.Misconfigured, reasons.SenderRefused, "554-5.2.252"},
	{atDot, 432, "4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded", providers.Temporary, reasons.NotNow, "432-4.3.2"},
	// Gmail.
	{atLogin, 535, "5.7.8 Username and Password not accepted.", providers.Misconfigured, reasons.LoginRefused, "535-5.7.8"},
	{atLogin, 534, "5.7.9 Application-specific password required.", providers.Misconfigured, reasons.LoginRequired, "534-5.7.9"},
	{atLogin, 454, "4.7.0 Too many login attempts, please try again later.", providers.Misconfigured, reasons.LoginLimited, "454-4.7.0"},
	{atMail, 550, "5.4.5 Daily user sending limit exceeded.", providers.Misconfigured, reasons.SenderQuota, "550-5.4.5"},
	{atRcpt, 550, "5.4.5 Daily SMTP relay limit exceeded for user.", providers.Misconfigured, reasons.SenderQuota, "550-5.4.5"},
	{atRcpt, 550, "5.1.1 The email account that you tried to reach does not exist.", providers.Rejected, reasons.RecipientUnknown, "550-5.1.1"},
	{atRcpt, 550, "5.2.1 The email account that you tried to reach is disabled.", providers.Rejected, reasons.RecipientRefused, "550-5.2.1"},
	{atRcpt, 552, "5.2.2 The email account that you tried to reach is over quota.", providers.Rejected, reasons.RecipientFull, "552-5.2.2"},
	{atRcpt, 550, "5.7.1 Invalid credentials for relay [203.0.113.7]", providers.Misconfigured, reasons.RelayDenied, "550-5.7.1"},
	{atDot, 550, "5.7.26 This mail has been blocked because the sender is unauthenticated.", providers.Misconfigured, reasons.PolicyRefused, "550-5.7.26"},
	{atDot, 550, "5.7.25 The IP address sending this message does not have a PTR record setup", providers.Misconfigured, reasons.ClientRefused, "550-5.7.25"},
	{atDot, 550, "5.7.1 [203.0.113.7] Our system has detected that this message is likely unsolicited mail.", providers.Rejected, reasons.ContentRefused, "550-5.7.1"},
	{atDot, 552, "5.7.0 This message was blocked because its content presents a potential security issue.", providers.Rejected, reasons.ContentRefused, "552-5.7.0"},
	// A rule that no one has words for is about us at RCPT, and about the mail later.
	{atRcpt, 550, "5.7.1 no", providers.Misconfigured, reasons.PolicyRefused, "550-5.7.1"},
	{atDot, 554, "5.7.1 no", providers.Rejected, reasons.ContentRefused, "554-5.7.1"},
}

func TestFailure_refusal(t *testing.T) {
	t.Parallel()
	const to = "hai.ma@example.com"
	for _, row := range replyRows {
		t.Run(row.text, func(t *testing.T) {
			t.Parallel()
			f := &failure{at: row.at, err: &textproto.Error{Code: row.code, Msg: row.text}}
			got := f.refusal(t.Context(), to)
			if got.Kind != row.kind || got.Reason() != row.why || got.Code != row.log {
				t.Errorf("got %v, %s, %q; want %v, %s, %q", got.Kind, got.Reason(), got.Code, row.kind, row.why, row.log)
			}
		})
	}
}

// TestFailure_addressIsNoReason checks that a user cannot choose words that open the breaker.
func TestFailure_addressIsNoReason(t *testing.T) {
	t.Parallel()
	for _, to := range []string{"relay@example.com", "spf@example.com", "user@spf.example", "mi:stc@example.com", "relay@relay.example"} {
		local, domain, _ := strings.Cut(to, "@")
		for _, text := range []string{"<" + to + "> unknown", "no mailbox " + strings.ToUpper(local), "no domain " + domain} {
			f := &failure{at: atRcpt, err: &textproto.Error{Code: 550, Msg: text}}
			if got := f.refusal(t.Context(), to); got.Kind != providers.Rejected {
				t.Errorf("%q for %q: got %v, want rejected", text, to, got.Kind)
			}
		}
	}
}

// A short address does not hide the words of a reply.
func TestFailure_shortAddress(t *testing.T) {
	t.Parallel()
	f := &failure{at: atRcpt, err: &textproto.Error{Code: 554, Msg: "5.7.1 <a@e.example>: Relay access denied"}}
	if got := f.refusal(t.Context(), "a@e.example"); got.Reason() != reasons.RelayDenied {
		t.Errorf("got %s", got.Reason())
	}
}

// FuzzFailure_refusal checks that no reply leaks, and that only the final dot can be unknown.
func FuzzFailure_refusal(f *testing.F) {
	const to = "hai.ma@example.com"
	for _, text := range []string{"", "5.1.1 no", "DT:SPM", "<hai.ma@example.com> no", "\x00\xff", "queued as 1"} {
		f.Add(int(atRcpt), 550, text)
		f.Add(int(atDot), 451, text)
	}
	f.Fuzz(func(t *testing.T, at, code int, text string) {
		failed := &failure{at: stage(at), err: &textproto.Error{Code: code, Msg: text}}
		got := failed.refusal(t.Context(), to)
		if got.Kind == providers.Unknown && failed.at != atDot {
			t.Errorf("got unknown at stage %d for %d %q", at, code, text)
		}
		if len(got.Code) > 64 || strings.Contains(got.Error(), "hai") {
			t.Errorf("got %q", got.Error())
		}
		_ = queueID(text)
	})
}

func TestNoMailbox_is_what_surely_concerns_the_mailbox(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		at   stage
		code int
		text string
		want bool
	}{
		{atRcpt, 550, "5.1.1 The email account that you tried to reach does not exist", true},
		{atRcpt, 550, "5.1.1 <hai.ma@example.com>: Recipient address rejected: User unknown in local recipient table", true},
		{atRcpt, 556, "5.1.10 Recipient address has null MX", true},
		{atRcpt, 550, "5.2.1 The email account that you tried to reach is disabled", true},
		{atRcpt, 550, "User not found: hai.ma@example.com", true},
		{atRcpt, 550, "Mailbox not found", true},

		{atRcpt, 550, "5.2.1 The user you are trying to contact is receiving mail at a rate that prevents more", false},
		{atRcpt, 550, "5.1.2 Bad destination system address", false},
		{atRcpt, 550, "5.1.1 Service unavailable; client host blocked using zen.spamhaus.org", false},
		{atRcpt, 550, "5.1.1 relay access denied", false},
		{atRcpt, 550, "Unrouteable address", false},
		{atRcpt, 550, "No", false},
		{atRcpt, 550, "User suspended", false},
		{atRcpt, 550, "RP:TRC", false},
		{atRcpt, 552, "5.2.2 mailbox full", false},
		{atRcpt, 450, "4.1.1 user unknown", false},
		{atRcpt, 550, "5.1.1 <a@corp.example>: Sender address rejected: User unknown in virtual mailbox table", false},
		{atRcpt, 550, "5.7.1 content rejected", false},
		{atMail, 550, "5.1.1 user unknown", false},
		{atDot, 550, "5.1.1 user unknown", false},
	} {
		err := (&failure{test.at, &textproto.Error{Code: test.code, Msg: test.text}}).refusal(t.Context(), "hai.ma@example.com")
		if err.NoMailbox != test.want {
			t.Errorf("%d %s: NoMailbox = %v, want %v", test.code, test.text, err.NoMailbox, test.want)
		}
	}
}

// A person chooses the address, so its words must not mark it, nor keep a mark away.
func TestNoMailbox_ignores_the_address_in_a_reply(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]bool{"relay@example.com": true, "spf@example.com": true} {
		err := (&failure{atRcpt, &textproto.Error{Code: 550, Msg: "5.1.1 <" + to + ">: no such user"}}).refusal(t.Context(), to)
		if err.NoMailbox != want {
			t.Errorf("%s: NoMailbox = %v", to, err.NoMailbox)
		}
	}
	err := (&failure{atRcpt, &textproto.Error{Code: 550, Msg: "invalid user@example.com refused"}}).refusal(t.Context(), "invalid user@example.com")
	if err.NoMailbox {
		t.Error("words of an address mark it")
	}
}
