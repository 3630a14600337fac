package smtp

import (
	"usher/providers"
	"usher/reasons"
)

// meaning is the kind and the reason of a refusal.
type meaning struct {
	kind providers.Kind
	why  reasons.Word
}

// ours is a refusal because of us: the mail is kept and tried again slowly, and an alert fires.
func ours(why reasons.Word) meaning { return meaning{providers.Misconfigured, why} }

// theirs is a refusal because of this mail or its recipient: the mail is not tried again.
func theirs(why reasons.Word) meaning { return meaning{providers.Rejected, why} }

// later is a refusal that may end by itself.
func later(why reasons.Word) meaning { return meaning{providers.Temporary, why} }

var (
	loginCodes  = []int{530, 534, 538}           // log in first; mechanism too weak; TLS wanted
	syntaxCodes = []int{500, 502, 503, 504, 555} // syntax, command, order or parameter: a fault in our dialogue

	stageReasons = map[stage]reasons.Word{
		atConnect: reasons.ClientRefused, atHello: reasons.HELORefused, atTLS: reasons.NoStartTLS, atLogin: reasons.LoginRefused,
	}
)

// statuses are enhanced status codes whose meaning at RCPT and later does not depend on wording. The first one decides that is
// equal, or that ends in a dot and is a prefix.
var statuses = []struct {
	status string
	means  meaning
}{
	{"5.1.7", ours(reasons.SenderRefused)}, // sender's address malformed
	{"5.1.8", ours(reasons.SenderRefused)}, // sender's domain unknown
	{"5.1.", theirs(reasons.RecipientUnknown)},
	{"5.2.252", ours(reasons.SenderRefused)}, // Exchange: SendAsDenied
	{"5.2.2", theirs(reasons.RecipientFull)},
	{"5.2.3", theirs(reasons.TooBig)},
	{"5.2.", theirs(reasons.RecipientRefused)},
	{"5.3.4", theirs(reasons.TooBig)},
	{"5.4.1", theirs(reasons.RecipientUnknown)}, // Exchange Online: its directory has no such recipient
	{"5.4.5", ours(reasons.SenderQuota)},        // Gmail: daily quota
	{"5.6.", theirs(reasons.ContentRefused)},
	{"5.7.54", ours(reasons.RelayDenied)}, // Exchange
	{"5.7.57", ours(reasons.LoginRequired)},
	{"5.7.60", ours(reasons.SenderRefused)},
	{"5.7.64", ours(reasons.RelayDenied)},
	{"5.7.124", theirs(reasons.RecipientRefused)}, // Exchange: the recipient takes mail of some senders only
	{"5.7.129", theirs(reasons.RecipientRefused)},
	{"5.7.133", theirs(reasons.RecipientRefused)},
	{"5.7.134", theirs(reasons.RecipientRefused)},
	{"5.7.136", theirs(reasons.RecipientRefused)},
	{"5.7.25", ours(reasons.ClientRefused)},
	{"5.7.26", ours(reasons.PolicyRefused)}, // Gmail: neither SPF nor DKIM; 27 to 32 one of them
	{"5.7.27", ours(reasons.PolicyRefused)},
	{"5.7.29", ours(reasons.PolicyRefused)},
	{"5.7.30", ours(reasons.PolicyRefused)},
	{"5.7.32", ours(reasons.PolicyRefused)},
}

// noMailboxStatuses say that there is no such mailbox, or that it is closed. 5.1.2 is not one of them: a domain that is not found
// may be a fault of a name server.
var noMailboxStatuses = []string{"5.1.1", "5.1.10", "5.2.1"}

// doubtful are parts of refusals of a recipient whose mailbox may exist.
var doubtful = []string{
	"at a rate",           // Gmail, 5.2.1: it gets too many mails
	"unrouteable address", // Exim: the domain's name servers may be at fault
}

// words is a part of a reply whose text says more than its code.
type words struct {
	class int // first digit of the code
	text  string
	means meaning
}

// wordings are parts of servers' replies, in lower case. The first one that matches decides.
var wordings = []words{
	// QQ, which sends no enhanced codes.
	{4, "open smtp flag", ours(reasons.LoginDisabled)},                     // 454: SMTP is switched off in the mailbox; it does not end by itself
	{5, "must be same as authorization user", ours(reasons.SenderRefused)}, // 501: MAIL FROM is not the login
	{5, `"from" header`, ours(reasons.SenderRefused)},                      // 550: header missing, or not the login
	{5, "frequency limited", later(reasons.NotNow)},                        // 550: address, domain, sender or connection, for minutes to a day
	{5, "mailbox unavailable or access denied", later(reasons.NotNow)},     // 550: the recipient gets too much
	{5, "mailbox not found", theirs(reasons.RecipientUnknown)},             // 550
	{5, "content denied", theirs(reasons.ContentRefused)},                  // 550
	{5, "sending mail without permission", ours(reasons.SenderRefused)},    // 550
	{5, "spf", ours(reasons.PolicyRefused)},                                // 550: the domain's SPF record leaves this server out
	{5, "spam address", ours(reasons.ClientRefused)},                       // 550: our address is listed

	// 163, which sends tags.
	{5, "must equal authorized user", ours(reasons.SenderRefused)}, // 553: MAIL FROM is not the login
	{5, "authentication is required", ours(reasons.LoginRequired)}, // 553
	{5, "auth error limit", ours(reasons.LoginLimited)},            // 554: too many wrong logins; stop
	{4, "fail authentication", ours(reasons.LoginLimited)},         // 451: too many wrong logins; stop
	{4, "failed authentication", ours(reasons.LoginLimited)},       // 451: the same, elsewhere
	{5, "dt:sum", ours(reasons.SenderRefused)},                     // 554: From is not the login
	{5, "dt:spm", theirs(reasons.ContentRefused)},                  // 554: content taken for spam; 451 is temporary
	{5, "user not found", theirs(reasons.RecipientUnknown)},        // 550
	{5, "invalid user", theirs(reasons.RecipientUnknown)},          // 550
	{5, "user suspended", theirs(reasons.RecipientRefused)},        // 550
	{5, "mi:stc", ours(reasons.SenderQuota)},                       // 550: the sender's mails of the day
	{5, "rp:trc", ours(reasons.SenderQuota)},                       // 550: the sender's recipients of the day
	{5, "rp:rcl", ours(reasons.SenderQuota)},                       // 550: recipients in one mail
	{5, "rp:frl", ours(reasons.SenderQuota)},                       // 550: sender's limit
	{5, "mi:nhd", ours(reasons.HELORefused)},                       // 550
	{5, "mi:imf", ours(reasons.SenderRefused)},                     // 550: sender's address malformed
	{5, "mi:dma", ours(reasons.SenderRefused)},                     // 550: sender's domain does not exist
	{5, "mi:spf", ours(reasons.PolicyRefused)},                     // 550
	{5, "mi:spb", ours(reasons.SenderRefused)},                     // 554: sender blocked
	{5, "hl:ihu", ours(reasons.HELORefused)},                       // 554
	{5, "hl:ipb", ours(reasons.ClientRefused)},                     // 554: our address is blocked

	// Postfix, Exim, Exchange and others. Words about the recipient come before words about us, because they are more
	// specific.
	{5, "too many recipients", later(reasons.NotNow)}, // 552 where 452 is meant (RFC 5321, 4.5.3.1.10)
	{5, "recipient table", theirs(reasons.RecipientUnknown)},
	{5, "alias table", theirs(reasons.RecipientUnknown)},
	{5, "user unknown", theirs(reasons.RecipientUnknown)},
	{5, "unknown user", theirs(reasons.RecipientUnknown)},
	{5, "unrouteable address", theirs(reasons.RecipientUnknown)},
	{5, "no such user", theirs(reasons.RecipientUnknown)},
	{5, "likely unsolicited", theirs(reasons.ContentRefused)}, // Gmail, 5.7.1
	{5, "content rejected", theirs(reasons.ContentRefused)},
	{5, "not owned by user", ours(reasons.SenderRefused)},
	{5, "not logged in", ours(reasons.LoginRequired)}, // Postfix: sender address rejected: not logged in
	{5, "authentication required", ours(reasons.LoginRequired)},
	{5, "sender address rejected", ours(reasons.SenderRefused)},
	{5, "sender verif", ours(reasons.SenderRefused)},
	{5, "helo", ours(reasons.HELORefused)},
	{5, "relay", ours(reasons.RelayDenied)},
	{5, "client host", ours(reasons.ClientRefused)},
	{5, "reverse dns", ours(reasons.ClientRefused)},
	{5, "blocked using", ours(reasons.ClientRefused)}, // by the name of a blocklist
	{5, "blocklist", ours(reasons.ClientRefused)},
	{5, "blacklist", ours(reasons.ClientRefused)},
	{5, "blackhole", ours(reasons.ClientRefused)},
	{5, "spamhaus", ours(reasons.ClientRefused)},
	{5, "send as this sender", ours(reasons.SenderRefused)},
	{5, "sender denied", ours(reasons.SenderRefused)},
}
