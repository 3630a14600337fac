package vitals

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Finding is one sentence of the verdict: what is wrong, since when, whom it hits, what to do. Rule is the key of its text,
// Args are the arguments of that text: numbers, texts, [Percent], [Reason], [Topic] and [time.Duration].
type Finding struct {
	Level   Level
	Rule    string
	Args    []any
	About   string // tells findings of one rule apart: a provider, a queue, an endpoint; empty where there is only one
	Since   time.Time
	AtLeast bool   // it may have begun before Since, when the process that judges was started
	Hit     string // the key of the text that says whom it hits
	HitArgs []any
	Topic   string // where what to do depends on it: a reason or a [Topic]
	Runbook string // its page in docs/runbooks, without the ending
}

// Rule is what all findings of a rule have in common.
type Rule struct {
	Hit     string // the key of the text that says whom it hits
	Runbook string // empty for findings that tell of no problem
	Explain []string
}

// Rules returns every rule by name.
func Rules() map[string]Rule { return maps.Clone(rules) }

// notSent are the consequences of codes that are not sent: the figures of messages tell them later.
var notSent = []string{"few_accepted", "slow", "codes_expired", "queue_waits:sms", "breaker", "only_breaker"}

// rules are all rules. Explain names the findings that follow from a finding of this rule and are left out beside it, as
// rule or as rule:about; "*" is every finding but those of stores, clocks and this process.
var rules = map[string]Rule{
	"arrive": {}, "accepted": {Runbook: "ReportsMissing"}, "under_way": {}, "quiet": {},

	"redis_full":           {Hit: "all", Runbook: "RedisMemoryHigh", Explain: []string{"*", "redis_unavailable"}},
	"redis_memory":         {Hit: "none_yet", Runbook: "RedisMemoryHigh"},
	"redis_unavailable":    {Hit: "all", Runbook: "StoreUnavailable", Explain: []string{"*"}},
	"database_unavailable": {Hit: "database", Runbook: "StoreUnavailable", Explain: []string{"*"}},
	"no_figures":           {Hit: "operators", Runbook: "StoreUnavailable"},
	"clock_off":            {Hit: "clock", Runbook: "ClockOff"},

	"no_sms_worker":   {Hit: "sms", Runbook: "WorkerMissing", Explain: append([]string{"outcomes_wait", "job_late", "job_fails"}, notSent...)},
	"no_mail_worker":  {Hit: "mail", Runbook: "WorkerMissing", Explain: []string{"outbox_waits", "few_mails", "queue_waits:email"}},
	"no_event_worker": {Hit: "receivers", Runbook: "WorkerMissing", Explain: []string{"events_wait", "queue_waits:events"}},
	"foreign_tasks":   {Hit: "some", Runbook: "ForeignTasks"},
	"paused":          {Hit: "sms", Runbook: "QueuePaused"},
	"queue_waits":     {Hit: "sms_late", Runbook: "QueueBacklog"},

	"all_breakers":   {Hit: "sms", Runbook: "AllProvidersDown", Explain: append([]string{"vendor_refuses"}, notSent...)},
	"only_breaker":   {Hit: "sms", Runbook: "AllProvidersDown"},
	"vendor_refuses": {Hit: "detour", Runbook: "ProviderMisconfigured"},
	"breaker":        {Hit: "detour", Runbook: "ProviderBreakerOpen"},

	"few_accepted":  {Hit: "sms_some", Runbook: "MessagesFailing"},
	"few_delivered": {Hit: "sms_some", Runbook: "CodesNotArriving"},
	"few_used":      {Hit: "sms_perhaps", Runbook: "CodesNotEntered"},
	"slow":          {Hit: "sms_late", Runbook: "AcceptanceSlow"},
	"codes_expired": {Hit: "sms_some", Runbook: "CodesExpired"},

	"budget_low":   {Hit: "none_yet", Runbook: "SMSBudgetNearlySpent"},
	"budget_spent": {Hit: "sms_refused", Runbook: "SMSBudgetSpent"},

	"mails_down":   {Hit: "mail", Runbook: "MailsNotSent", Explain: []string{"outbox_waits", "few_mails", "queue_waits:email"}},
	"outbox_waits": {Hit: "mail_late", Runbook: "OutboxStuck"},
	"few_mails":    {Hit: "mail_late", Runbook: "MailsNotSent"},
	"mails_held":   {Hit: "mail_held", Runbook: "MailsHeldBack"},

	"outcomes_wait":     {Hit: "operators", Runbook: "OutcomesLag"},
	"events_wait":       {Hit: "receivers", Runbook: "EventsBehind"},
	"endpoint_fails":    {Hit: "receiver", Runbook: "EventsBehind"},
	"endpoint_given_up": {Hit: "receiver", Runbook: "EndpointDisabled"},
	"endpoint_gone":     {Hit: "receiver", Runbook: "EndpointDisabled"},
	"endpoints_more":    {Hit: "receivers", Runbook: "EndpointDisabled"},

	"job_fails":    {Hit: "operators", Runbook: "PeriodicJobFailing"},
	"job_late":     {Hit: "operators", Runbook: "PeriodicJobNotRunning"},
	"canary_fails": {Hit: "sms_perhaps", Runbook: "CanaryFailing"},

	"overloaded":     {Hit: "busy", Runbook: "Overloaded", Explain: []string{"api_errors", "api_slow"}},
	"api_errors":     {Hit: "busy", Runbook: "APIErrors"},
	"api_slow":       {Hit: "wait", Runbook: "APISlow"},
	"total_reached":  {Hit: "sms_refused", Runbook: "SMSTotalReached"},
	"limit_refuses":  {Hit: "limited", Runbook: "LimitsRefusing"},
	"limit_low":      {Hit: "none_yet", Runbook: "LimitNearlyUsed"},
	"codes_guessed":  {Hit: "guessed", Runbook: "CodesGuessed"},
	"sign_ins_fail":  {Hit: "guessed", Runbook: "SignInsFailing"},
	"captchas_wrong": {Hit: "captcha", Runbook: "CaptchasWrong"},
	"prefix_blocked": {Hit: "blocked", Runbook: "SMSConversionLow"},

	"note_endpoint_off": {Runbook: "EndpointDisabled"},
	"note_archived":     {Runbook: "TasksArchived"},
	"note_secret_keys":  {},
	"note_token_keys":   {},
}

// Unjudged are the alerts about what this page cannot see, and why.
var Unjudged = map[string]string{
	"APIMissing":           "an API process serves the page",
	"ProcessDown":          "only Prometheus knows which processes there should be",
	"ProcessRestarting":    "only Prometheus knows the starts of a process",
	"RegistrationsStopped": "it compares with the week before, which Prometheus keeps",
}

// causes leaves out what another finding explains.
func causes(found []Finding) []Finding {
	explained := func(f Finding) bool {
		return slices.ContainsFunc(found, func(by Finding) bool { return by.explains(f) })
	}
	return slices.DeleteFunc(slices.Clone(found), explained)
}

// always are the findings that a store which does not answer does not explain.
var always = []string{"redis_full", "redis_memory", "redis_unavailable", "database_unavailable", "clock_off", "overloaded"}

func (f Finding) explains(other Finding) bool {
	names := rules[f.Rule].Explain
	switch {
	case f.Rule == other.Rule, f.Rule == "mails_down" && f.Level != Red:
		return false
	case f.Rule == "paused" && f.About == "sms":
		names = notSent
	case f.Rule == "paused" && f.About == "email":
		names = rules["no_mail_worker"].Explain
	case f.Rule == "queue_waits" && f.About == "sms", f.Rule == "only_breaker", f.Rule == "vendor_refuses" && f.Level == Red:
		names = []string{"few_accepted", "slow", "codes_expired"}
		if f.Rule != "queue_waits" {
			names = append(names, "queue_waits:sms")
		}
	}
	return slices.ContainsFunc(names, func(name string) bool {
		rule, about, one := strings.Cut(name, ":")
		if rule == "*" {
			return !slices.Contains(always, other.Rule)
		}
		return rule == other.Rule && (!one || about == other.About)
	})
}

// Causes are the providers that do not work, each with its reason.
type Causes []Cause

// Cause is why a provider does not work; its outage is zero where workers do not tell.
type Cause struct {
	Provider string
	Outage   Outage
}

// Topic is what a vendor refuses of our account.
type Topic string

// The topics.
const (
	TopicBalance   Topic = "balance"
	TopicTemplate  Topic = "template"
	TopicSignature Topic = "signature" // the sign name before the text
	TopicKey       Topic = "key"       // key, its rights, the way of signing, the clock
	TopicAccount   Topic = "account"   // anything else
)

// topics are parts of vendors' codes, in the order in which they are tried. Ronglian's codes are numbers: 1111 are about keys
// and accounts, 1210 and 1600 about money; its other codes are left to the account.
var topics = []struct {
	topic Topic
	parts []string
}{
	{TopicBalance, []string{"amount", "balance", "out_of_service", "arrear", "111142", "121001", "121002", "121003", "160014", "161002", "161003"}},
	{TopicKey, []string{"signaturedoesnotmatch", "incompletesignature", "sigverification", "sigfield", "accesskey", "forbidden", "permission", "unauthorized", "authfailure", "timestamp", "securitytoken", "deny_ip", "11111", "11112", "11113"}},
	{TopicTemplate, []string{"template"}},
	{TopicSignature, []string{"sign"}},
}

// TopicOf tells from a vendor's code what it refuses.
func TopicOf(code string) Topic {
	code = strings.ToLower(code)
	for _, t := range topics {
		if slices.ContainsFunc(t.parts, func(part string) bool { return strings.Contains(code, part) }) {
			return t.topic
		}
	}
	return TopicAccount
}

// Notes are facts that an operator should know and that are no problem.
func (f Facts) Notes() []Finding {
	v := &verdict{Facts: f}
	if f.Events != nil {
		for _, e := range f.Events.Endpoints {
			if e.State() == "disabled" && e.Disabled == ByOperator {
				v.add(Green, "note_endpoint_off", e.ID).Since = e.DisabledAt
			}
		}
	}
	for _, q := range f.Queues {
		if q.Archived > 0 {
			v.add(Green, "note_archived", q.Name, q.Archived)
		}
	}
	if f.Rotating.Secrets {
		v.add(Green, "note_secret_keys")
	}
	if f.Rotating.Tokens {
		v.add(Green, "note_token_keys")
	}
	return v.found
}
