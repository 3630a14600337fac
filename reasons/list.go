package reasons

// The way to a provider.
const (
	ConnectionRefused Word = "connection_refused"
	NameNotResolved   Word = "name_not_resolved"
	Certificate       Word = "certificate_refused"
	TLSFailed         Word = "tls_failed"
	Timeout           Word = "timeout"
	ConnectionClosed  Word = "connection_closed"
	NetworkError      Word = "network_error"
	BadAnswer         Word = "bad_answer"
	HTTPStatus        Word = "http_status"
)

// The mail server's way of speaking.
const (
	NoGreeting       Word = "no_greeting"
	NoTLS            Word = "no_tls"
	NoStartTLS       Word = "no_starttls"
	NoLoginOffered   Word = "no_login_offered"
	NoSMTP           Word = "no_smtp"
	MailNotRendered  Word = "mail_not_rendered"
	CommandRefused   Word = "command_refused"
	NotNow           Word = "not_now"
	ServerNotReady   Word = "server_not_ready"
	ConnectionsInUse Word = "busy"
)

// What a mail server refuses because of us.
const (
	LoginRefused  Word = "login_refused"
	LoginLimited  Word = "login_limited"
	LoginDisabled Word = "login_disabled"
	LoginRequired Word = "login_required"
	ClientRefused Word = "client_refused"
	HELORefused   Word = "helo_refused"
	SenderRefused Word = "sender_refused"
	SenderQuota   Word = "sender_quota"
	RelayDenied   Word = "relay_denied"
	PolicyRefused Word = "policy_refused"
)

// What a mail server refuses because of one mail or its recipient.
const (
	ContentRefused   Word = "content_refused"
	RecipientUnknown Word = "recipient_unknown"
	RecipientFull    Word = "recipient_full"
	RecipientRefused Word = "recipient_refused"
	TooBig           Word = "too_big"
)

// What keeps us from asking a provider.
const (
	BreakerOpen  Word = "breaker_open"
	RateSpent    Word = "rate"
	Busy              = ConnectionsInUse
	Stalled      Word = "stalled"
	Settling     Word = "settling"
	Unsent       Word = "unsent"
	GivenUp      Word = "given_up"
	Panic        Word = "panic"
	Stopping     Word = "stopping"
	Token        Word = "token"
	Template     Word = "template"
	NoProvider   Word = "no_provider"
	SetBack      Word = "set_back"
	NotNoted     Word = "not_noted"
	BadRequest   Word = "bad_request"
	Unclassified Word = "unclassified"
)

// The kinds of a vendor's refusals, where its code says more than a word of ours could.
const (
	Temporary     Word = "temporary"
	RateLimited   Word = "rate_limited"
	Rejected      Word = "rejected"
	Misconfigured Word = "misconfigured"
	Unknown       Word = "unknown"
)

// Why a message is not needed any more, or ended without being sent.
const (
	Expired    Word = "expired"
	Missing    Word = "missing"
	Sent       Word = "sent"
	Superseded Word = "superseded"
	Unproved   Word = "unproved"
	Unqueued   Word = "unqueued"
	Used       Word = "used"
	Failed     Word = "failed"
)

const (
	nothing = "Nothing."
	retries = "Nothing: it is tried again."
)

var list = []Reason{
	{ConnectionRefused, Counts, "Nothing listens at the provider's address and port.", "Check host and port (USHER_SMTP_HOST, USHER_SMTP_PORT; some clouds block port 25), and that the server runs."},
	{NameNotResolved, Counts, "The provider's host name has no address here.", "Check the name's spelling, and DNS on the worker's machine."},
	{Certificate, Opens, "The server's certificate is not trusted, has ended, or is for another name.", "Set the name that the certificate is for as USHER_SMTP_HOST; name a private authority in USHER_SMTP_CA_FILE; check the clock."},
	{TLSFailed, Counts, "The TLS handshake failed.", "The server must speak TLS 1.2 or newer; see what it says: openssl s_client -connect HOST:PORT."},
	{Timeout, Counts, "The provider did not answer in time.", "Check the way to it from the worker's machine: firewall, proxy, route. USHER_SEND_TIMEOUT bounds the wait."},
	{ConnectionClosed, Counts, "The provider closed the connection in the middle.", "Check the way to it; a mail server closes when it dislikes a client: see its log."},
	{NetworkError, Counts, "The connection failed in another way.", "Check network and firewall on the worker's machine."},
	{BadAnswer, Counts, "The provider's answer made no sense.", "See whether a proxy answers in the provider's place; if not, write to the provider."},
	{HTTPStatus, Counts, "The provider answered with an HTTP status and no code of its own.", "See the status in the log; a proxy may have answered. If it lasts, write to the provider."},

	{NoGreeting, Counts, "The mail server accepts connections and says nothing.", "The port may want TLS from the first byte: set USHER_SMTP_TLS=implicit (port 465 or 994), or use the port of STARTTLS (587)."},
	{NoTLS, Opens, "The mail server speaks in clear where TLS from the first byte was expected.", "Set USHER_SMTP_TLS=starttls (port 587), or use the port of implicit TLS (465)."},
	{NoStartTLS, Opens, "The mail server offers no STARTTLS.", "Use a port that does (587), or USHER_SMTP_TLS=implicit (465)."},
	{NoLoginOffered, Opens, "The mail server offers neither PLAIN nor LOGIN.", "Switch password logins on at the server, or leave USHER_SMTP_USERNAME empty where none is needed."},
	{NoSMTP, Counts, "The mail server's reply is no SMTP.", "Another service may listen on this port: check USHER_SMTP_HOST and USHER_SMTP_PORT."},
	{MailNotRendered, None, "The mail could not be put together.", "Check USHER_MAIL_FROM and the templates with admin mails preview."},
	{CommandRefused, Counts, "The mail server does not know a command or refuses its form.", "See the code and the mail server's log; a gateway between may rewrite the dialogue."},
	{NotNow, None, "The mail server does not take this mail now: greylisting, a full mailbox, or a limit.", retries},
	{ServerNotReady, Counts, "The mail server takes no mail at all just now.", "If it lasts, see the server's log or status page."},
	{ConnectionsInUse, None, "All connections that we allow ourselves to this provider are in use.", retries},

	{LoginRefused, Opens, "The mail server refuses the login.", "Set the right USHER_SMTP_USERNAME and USHER_SMTP_PASSWORD (QQ and 163: the authorisation code), then restart the mail workers or send them SIGHUP."},
	{LoginLimited, Opens, "The mail server has had too many wrong logins and refuses more.", "Correct the password first, then wait; a locked mailbox is opened in its web console."},
	{LoginDisabled, Opens, "The mailbox does not allow logins by SMTP.", "Switch SMTP on in the mailbox's settings, or change the password there when it asks for that."},
	{LoginRequired, Opens, "The mail server wants a login, or a safer one.", "Set USHER_SMTP_USERNAME and USHER_SMTP_PASSWORD, and TLS."},
	{ClientRefused, Counts, "The mail server refuses our address.", "Have the workers' addresses allowed at the server, or taken off the blocklist that its log names; a reverse DNS entry may be missing."},
	{HELORefused, Counts, "The mail server refuses the name by which we greet it.", "Set USHER_SMTP_HELO to the full host name that the workers' address resolves to."},
	{SenderRefused, Counts, "The mail server refuses our sender address.", "USHER_MAIL_FROM must be the address of the login, or one that the login may send as; SPF and DKIM of its domain must allow the server."},
	{SenderQuota, Counts, "Our mailbox has sent what it may in a day or an hour.", "Wait, raise the quota, or send through a server that is made for it."},
	{RelayDenied, Counts, "The mail server does not forward mails for us.", "Log in, or have the workers' addresses allowed to relay."},
	{PolicyRefused, Counts, "A rule of the mail server refuses us.", "See the server's log for the rule; SPF, DKIM, DMARC and reverse DNS are the usual ones."},

	{ContentRefused, None, "The mail server takes the mail for spam or dislikes its content.", "If many are refused, look at the templates and the reputation of address and domain."},
	{RecipientUnknown, None, "There is no such mailbox.", "Nothing: the person mistyped it and can register again."},
	{RecipientFull, None, "The recipient's mailbox is full.", nothing},
	{RecipientRefused, None, "The mail server refuses this recipient.", "Nothing, unless it refuses many: then see its log."},
	{TooBig, None, "The mail is too big for the server.", "Make the templates smaller."},

	{BreakerOpen, None, "The provider failed lately and is spared for a moment.", "Mend the cause that stands in the log before it."},
	{RateSpent, None, "Our own bound of requests a second is reached.", "Nothing; raise the provider's bound if its contract allows more."},
	{Stalled, None, "The worker was frozen, or the provider takes requests and answers none.", "Look at the load of the worker's machine and at the provider's answers."},
	{Settling, None, "The provider may not know of the first attempt yet.", retries},
	{Unsent, None, "No provider has the message.", retries},
	{GivenUp, None, "The message may have been sent twice, and no provider can say.", "Nothing: a third would only annoy. The person can ask for another."},
	{Panic, None, "A part of the program broke down.", "The log has the stack: report it."},
	{Stopping, None, "The worker is ending.", "Nothing: another worker sends it."},
	{Token, None, "The link of the mail could not be made.", "Check USHER_SECRET_KEYS with admin doctor: keys of the past must stay."},
	{Template, None, "The mail's template failed.", "Check USHER_MAIL_TEMPLATES with admin mails preview."},
	{SetBack, None, "A later attempt at the mail is noted in Redis: the database was restored from an older dump, and the mail may have been sent since.", "See the runbook MailsSetBack: admin messages retry sends what people still need."},
	{NotNoted, None, "Redis did not take the note that belongs to each attempt.", retries},
	{NoProvider, None, "No provider of SMS is configured.", "Set USHER_SMS_PROVIDERS."},
	{BadRequest, None, "The request to the provider could not be made.", "Check the provider's endpoint and keys with admin doctor."},
	{Unclassified, None, "An error that the program does not know.", "See the log line; report it."},

	{Temporary, None, "The provider has a passing problem; its code says which.", "If it lasts, look the code up at the vendor."},
	{RateLimited, None, "The vendor's limit for this number.", "Nothing: the person can ask again later."},
	{Rejected, None, "The vendor never sends to this number, or this content.", "Look the code up at the vendor when there are many."},
	{Misconfigured, None, "Our account at the vendor is at fault: key, balance, sign name or template.", "Look the code up in the vendor's console and correct the account or its settings."},
	{Unknown, None, "The answer was lost: the message may have been sent.", "Nothing: the worker asks the vendor, or sends once more with the same code or link."},

	{Expired, None, "It was not sent before its time was over.", "If there are many, see why messages wait: workers, queues, breakers."},
	{Missing, None, "No store knows the message any more.", nothing},
	{Sent, None, "It was sent already.", nothing},
	{Superseded, None, "A newer one took its place.", nothing},
	{Unproved, None, "The account has no proved address that it could go to.", nothing},
	{Unqueued, None, "No queue took it.", "See whether Redis was away: admin doctor."},
	{Used, None, "It is not needed any more: the code or link has been used.", nothing},
	{Failed, None, "It failed for good in an earlier attempt.", "admin messages show ID tells why."},
}
