package reasons

// Failures of the connection to a provider.
const (
	ConnectionRefused Word = "connection_refused"
	NameNotResolved   Word = "name_not_resolved"
	Certificate       Word = "certificate_refused"
	TLSFailed         Word = "tls_failed"
	Timeout           Word = "timeout"
	ConnectionClosed  Word = "connection_closed"
	NetworkError      Word = "network_error"
	PrivateAddress    Word = "private_address"
	BadAnswer         Word = "bad_answer"
	HTTPStatus        Word = "http_status"
)

// Failures of the dialogue with a mail server.
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

// Refusals of a mail server that are about us.
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

// Refusals of a mail server that are about one mail or its recipient.
const (
	ContentRefused   Word = "content_refused"
	RecipientUnknown Word = "recipient_unknown"
	RecipientFull    Word = "recipient_full"
	RecipientRefused Word = "recipient_refused"
	TooBig           Word = "too_big"
)

// Reasons why we did not ask a provider, or do not send again.
const (
	BreakerOpen  Word = "breaker_open"
	RateSpent    Word = "rate"
	Busy              = ConnectionsInUse
	Stalled      Word = "stalled"
	Unserved     Word = "unserved"
	Settling     Word = "settling"
	Unsent       Word = "unsent"
	GivenUp      Word = "given_up"
	Panic        Word = "panic"
	Stopping     Word = "stopping"
	Token        Word = "token"
	Template     Word = "template"
	NoProvider   Word = "no_provider"
	SetBack      Word = "set_back"
	Bounced      Word = "bounced"
	NotNoted     Word = "not_noted"
	BadRequest   Word = "bad_request"
	Unclassified Word = "unclassified"
)

// The kinds of a vendor's refusals, whose code says more than one of these words.
const (
	Temporary     Word = "temporary"
	RateLimited   Word = "rate_limited"
	Rejected      Word = "rejected"
	Misconfigured Word = "misconfigured"
	Unknown       Word = "unknown"
)

// Reasons why a message is no longer needed, or ended without being sent.
const (
	Expired    Word = "expired"
	Missing    Word = "missing"
	Sent       Word = "sent"
	Superseded Word = "superseded"
	Unproved   Word = "unproved"
	Unqueued   Word = "unqueued"
	Used       Word = "used"
	Canceled   Word = "canceled"
	Failed     Word = "failed"
)

const (
	nothing = "Nothing."
	retries = "Nothing: the worker tries again."
)

var list = []Reason{
	{ConnectionRefused, Counts, "No program listens at the provider's address.", "Check USHER_SMTP_HOST and USHER_SMTP_PORT (some clouds block port 25), and whether the server runs."},
	{NameNotResolved, Counts, "The provider's host name was not resolved.", "Check its spelling, and DNS on the worker's machine."},
	{Certificate, Opens, "The server's certificate is not trusted, has expired, or is for another name.", "Set USHER_SMTP_HOST to the certificate's name, or USHER_SMTP_CA_FILE for a private authority; check the clock."},
	{TLSFailed, Counts, "The TLS handshake failed.", "The server must support TLS 1.2: test it with openssl s_client -connect HOST:PORT."},
	{Timeout, Counts, "The provider did not answer in time.", "Check the worker's firewall, proxy and route. USHER_SEND_TIMEOUT bounds the wait."},
	{ConnectionClosed, Counts, "The provider closed the connection.", "Check the network; a mail server may not accept this client: see its log."},
	{NetworkError, Counts, "The connection failed otherwise.", "Check network and firewall on the worker's machine."},
	{PrivateAddress, None, "The host of USHER_HTTP_URL or USHER_HTTP_QUERY_URL has a private address.", "If that is intended, name the host in USHER_HTTP_ALLOWED_HOSTS; otherwise check the name server's answer."},
	{BadAnswer, Counts, "The provider's answer could not be read.", "Check whether a proxy answers in its place; if not, contact the provider."},
	{HTTPStatus, Counts, "The provider answered with an HTTP status alone.", "See the log; a proxy may have answered. If it lasts, contact the provider."},

	{NoGreeting, Counts, "The mail server sends no greeting.", "The port may expect TLS: set USHER_SMTP_TLS=implicit (port 465 or 994), or use the port of STARTTLS (587)."},
	{NoTLS, Opens, "The mail server answers without TLS where implicit TLS was expected.", "Set USHER_SMTP_TLS=starttls (port 587), or use the port of implicit TLS (465)."},
	{NoStartTLS, Opens, "The mail server offers no STARTTLS.", "Use port 587, or USHER_SMTP_TLS=implicit (465)."},
	{NoLoginOffered, Opens, "The mail server offers neither PLAIN nor LOGIN.", "Enable password logins there, or leave USHER_SMTP_USERNAME empty if it needs none."},
	{NoSMTP, Counts, "The mail server's reply is not SMTP.", "Check USHER_SMTP_HOST and USHER_SMTP_PORT."},
	{MailNotRendered, None, "The mail could not be rendered.", "Check USHER_MAIL_FROM and templates with admin mails preview."},
	{CommandRefused, Counts, "The mail server refuses a command.", "See the mail server's log; a gateway may change the dialogue."},
	{NotNow, None, "The mail server does not accept this mail now, such as by greylisting or a limit.", retries},
	{ServerNotReady, Counts, "The mail server accepts no mail now.", "If it lasts, see the server's log or status page."},
	{ConnectionsInUse, None, "All connections to the provider are in use.", retries},

	{LoginRefused, Opens, "The mail server refuses the login.", "Correct USHER_SMTP_USERNAME and USHER_SMTP_PASSWORD (QQ and 163: the authorisation code), then restart the mail workers or send them SIGHUP."},
	{LoginLimited, Opens, "The mail server refuses logins after too many wrong ones.", "Correct the password, then wait. A locked mailbox is unlocked in its web console."},
	{LoginDisabled, Opens, "The mailbox does not allow logins by SMTP.", "Enable SMTP in the mailbox's settings."},
	{LoginRequired, Opens, "The mail server requires a login, or a more secure one.", "Set USHER_SMTP_USERNAME and USHER_SMTP_PASSWORD, and TLS."},
	{ClientRefused, Counts, "The mail server refuses our address.", "Have the workers' addresses allowed there, or removed from the blocklist that the log names; check reverse DNS."},
	{HELORefused, Counts, "The mail server refuses our host name.", "Set USHER_SMTP_HELO to the host name of the workers' address."},
	{SenderRefused, Counts, "The mail server refuses our sender address.", "Set USHER_MAIL_FROM to an address that the login may use; SPF and DKIM must allow the server."},
	{SenderQuota, Counts, "Our mailbox has reached its limit of mails.", "Wait, raise the limit, or use another mail server."},
	{RelayDenied, Counts, "The mail server does not forward mails for us.", "Configure a login, or have the workers' addresses allowed to relay."},
	{PolicyRefused, Counts, "A policy of the mail server refuses us.", "See its log; usual ones are SPF, DKIM, DMARC, reverse DNS."},

	{ContentRefused, None, "The mail server refuses the content, such as for spam.", "If many are, check the templates and the reputation of address and domain."},
	{RecipientUnknown, None, "There is no such mailbox.", nothing},
	{RecipientFull, None, "The recipient's mailbox is full.", nothing},
	{RecipientRefused, None, "The mail server refuses this recipient.", "If it refuses many, see its log."},
	{TooBig, None, "The mail is too large for the server.", "Make the templates smaller."},

	{BreakerOpen, None, "The provider failed before: its breaker is open.", "Correct the earlier failure in the log."},
	{RateSpent, None, "Our own bound of requests per second is reached.", "Raise the provider's bound if its contract allows more."},
	{Stalled, None, "The worker was frozen, or the provider does not answer.", "Check the worker's load and the provider."},
	{Unserved, None, "The provider does not serve the region of this number.", "Add a provider that does to USHER_SMS_PROVIDERS, and to the region's route in USHER_SMS_ROUTES."},
	{Settling, None, "The outcome of the first attempt is not known yet.", retries},
	{Unsent, None, "No provider has the message.", retries},
	{GivenUp, None, "It may have been sent twice; no provider knows.", "Nothing: the person can ask again."},
	{Panic, None, "The program panicked.", "Report the stack in the log as a bug."},
	{Stopping, None, "The worker is stopping.", "Nothing: another worker sends it."},
	{Token, None, "The link of the mail could not be made.", "Check USHER_SECRET_KEYS with admin doctor."},
	{Template, None, "The mail's template could not be executed.", "Check USHER_MAIL_TEMPLATES with admin mails preview."},
	{SetBack, None, "An older dump was restored: the mail may have been sent since.", "See the runbook MailsHeldBack."},
	{Bounced, None, "An earlier mail to this address came back: there is no such mailbox.", "Nothing: mails go there again when the person types the address again, or after 30 days."},
	{NotNoted, None, "The attempt could not be recorded in Redis.", retries},
	{NoProvider, None, "No SMS provider is configured.", "Set USHER_SMS_PROVIDERS."},
	{BadRequest, None, "The request to the provider could not be built.", "Check endpoint and keys with admin doctor."},
	{Unclassified, None, "An unclassified error.", "See the log line, and report it as a bug."},

	{Temporary, None, "The provider has a temporary problem.", "If it lasts, look the code up at the vendor."},
	{RateLimited, None, "The vendor's limit for this number.", nothing},
	{Rejected, None, "The vendor refuses this number or content.", "If there are many, look the code up at the vendor."},
	{Misconfigured, None, "Our account at the vendor is wrong: key, balance, sign name or template.", "Look the code up in the vendor's console."},
	{Unknown, None, "No answer: the message may have been sent.", "Nothing: the worker asks the vendor, or sends it once more."},

	{Expired, None, "It expired before it was sent.", "If there are many, check workers, queues and breakers."},
	{Missing, None, "The message is no longer stored.", nothing},
	{Sent, None, "It was already sent.", nothing},
	{Superseded, None, "A newer message replaced it.", nothing},
	{Canceled, None, "The app that asked for the code has canceled it.", nothing},
	{Unproved, None, "The account has no proved address.", nothing},
	{Unqueued, None, "It could not be enqueued.", "Check Redis with admin doctor."},
	{Used, None, "The code or link has been used.", nothing},
	{Failed, None, "An earlier attempt failed permanently.", "admin messages show ID tells why."},
}
