package smtp

import (
	"net/textproto"
	"strings"
	"testing"

	"usher/providers"
)

// TestFailure_refusal holds the words of QQ and 163 against what they mean.
func TestFailure_refusal(t *testing.T) {
	t.Parallel()
	const to = "hai.ma@example.com"
	for _, row := range []struct {
		at   stage
		code int
		text string
		kind providers.Kind
		log  string
	}{
		{atLogin, 535, "Login Fail. Please enter your authorization code to login.", providers.Misconfigured, "535"},
		{atLogin, 454, "Authentication failed, please open smtp flag first!", providers.Misconfigured, "454"},
		{atLogin, 454, "4.7.0 Temporary authentication failure", providers.Temporary, "454-4.7.0"},
		{atLogin, 535, "Error: authentication failed", providers.Misconfigured, "535"},
		{atLogin, 554, "IP<203.0.113.7> is rejected, smtp auth error limit exceed", providers.Misconfigured, "554"},
		{atLogin, 451, "Requested mail action not taken: too much fail authentication", providers.Misconfigured, "451"},
		{atLogin, 432, "4.7.12 password transition needed", providers.Misconfigured, "432-4.7.12"},
		{atLogin, 534, "5.7.9 mechanism is too weak", providers.Misconfigured, "534-5.7.9"},
		{atMail, 501, "Mail from address must be same as authorization user.", providers.Misconfigured, "501"},
		{atMail, 553, "Mail from must equal authorized user", providers.Misconfigured, "553"},
		{atMail, 530, "5.7.0 authentication required", providers.Misconfigured, "530-5.7.0"},
		{atMail, 450, "MI:DMC", providers.Temporary, "450-MI.DMC"},
		{atMail, 550, "MI:SPF", providers.Misconfigured, "550-MI.SPF"},
		{atMail, 452, "too many recipients", providers.Temporary, "452"},
		{atRcpt, 550, "Mailbox not found", providers.Rejected, "550"},
		{atRcpt, 550, "User not found: hai.ma@example.com", providers.Rejected, "550"},
		{atRcpt, 550, "Mailbox unavailable or access denied", providers.Temporary, "550"},
		{atRcpt, 550, "5.7.1 Relaying denied", providers.Misconfigured, "550-5.7.1"},
		{atRcpt, 551, "5.1.6 user has moved", providers.Rejected, "551-5.1.6"},
		{atRcpt, 552, "5.2.2 mailbox full", providers.Rejected, "552-5.2.2"},
		{atRcpt, 552, "too many recipients", providers.Temporary, "552"},
		{atRcpt, 553, "name not allowed", providers.Rejected, "553"},
		{atRcpt, 501, "Bad address syntax", providers.Rejected, "501"},
		{atRcpt, 503, "bad sequence of commands", providers.Misconfigured, "503"},
		{atDot, 550, `The "From" header is missing or invalid.`, providers.Misconfigured, "550"},
		{atDot, 550, "Ip frequency limited", providers.Temporary, "550"},
		{atDot, 550, "Mail content denied", providers.Rejected, "550"},
		{atDot, 554, "DT:SPM 163 smtp5", providers.Rejected, "554-DT.SPM"},
		{atDot, 451, "DT:SPM, please try again", providers.Temporary, "451-DT.SPM"},
		{atDot, 554, "DT:SUM", providers.Misconfigured, "554-DT.SUM"},
		{atDot, 554, "MI:STC", providers.Misconfigured, "554-MI.STC"},
		{atDot, 552, "5.3.4 message too big", providers.Rejected, "552-5.3.4"},
		{atConnect, 554, "no SMTP service here", providers.Misconfigured, "554"},
		{atConnect, 421, "HL:ICC", providers.Temporary, "421-HL.ICC"},
	} {
		t.Run(row.text, func(t *testing.T) {
			t.Parallel()
			f := &failure{at: row.at, err: &textproto.Error{Code: row.code, Msg: row.text}}
			got := f.refusal(t.Context(), to)
			if got.Kind != row.kind || got.Code != row.log {
				t.Errorf("got %v, %q; want %v, %q", got.Kind, got.Code, row.kind, row.log)
			}
		})
	}
}

// TestFailure_addressIsNoReason checks that whoever signs up cannot choose words that open the breaker.
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
