package config

import (
	"slices"
	"time"
)

// Events is what a process or tool that sends events or adds endpoints reads.
type Events struct {
	EventsAllowPrivate []string `env:"EVENTS_ALLOW_PRIVATE" desc:"Networks such as 10.20.0.0/16 whose addresses endpoints may have although they are not public, also with http. See docs/events.md."`
}

// Worker is what cmd/worker reads beside its vendors' own settings.
type Worker struct {
	Common
	Events

	OpsAddr           string        `env:"OPS_ADDR" envDefault:"127.0.0.1:8082" desc:"Operations port: health and metrics."`
	SMSProviders      []string      `env:"SMS_PROVIDERS" envDefault:"aliyun,ronglian" desc:"Providers of SMS in order of preference."`
	SMSRoutes         string        `env:"SMS_ROUTES" desc:"Providers by the number's region, in order of preference, such as HK,MO,TW=tencent,aliyun;*=http; * is all regions not named. They must be in SMS_PROVIDERS, whose order other regions keep. See docs/sms-providers.md."`
	ConcurrencySMS    int           `env:"WORKER_CONCURRENCY_SMS" envDefault:"500" desc:"SMS sent at the same time by one worker."`
	ConcurrencyEvents int           `env:"WORKER_CONCURRENCY_EVENTS" envDefault:"256" desc:"Events sent at the same time by one worker. One endpoint has an eighth of them at most."`
	ConcurrencyEmail  int           `env:"WORKER_CONCURRENCY_EMAIL" envDefault:"24" desc:"Mails claimed and sent at the same time by one worker."`
	SendTimeout       time.Duration `env:"SEND_TIMEOUT" envDefault:"8s" desc:"Time for a provider's answer."`
	MailTemplates     string        `env:"MAIL_TEMPLATES" desc:"Directory of templates of mails; see docs/mail-templates.md."`
	ReportInterval    time.Duration `env:"REPORT_PULL_INTERVAL" envDefault:"30s" desc:"How often the delivery reports of Ronglian, and of Tencent with TENCENT_PULL_REPORTS, are fetched; 0 for accounts whose reports are pushed."`
	CanaryTo          Secret        `env:"CANARY_TO" desc:"Your mobile number for a real SMS in every CANARY_INTERVAL."`
	CanaryInterval    time.Duration `env:"CANARY_INTERVAL" envDefault:"0" desc:"How often a canary is sent, 5m to 24h; 0 sends none."`
	MessageRetention  time.Duration `env:"MESSAGE_RETENTION" envDefault:"2160h" desc:"How long outcomes of messages stay in the database; 0 for ever."`
	AuditRetention    time.Duration `env:"AUDIT_RETENTION" envDefault:"8784h" desc:"How long records of the audit stay in the database, at least six months (4416h). See docs/audit.md."`
	PollInterval      time.Duration `env:"WORKER_POLL_INTERVAL" envDefault:"250ms" desc:"How often a worker checks an empty queue."`
	Fetchers          int           `env:"WORKER_FETCHERS" envDefault:"16" desc:"Loops that fetch from one sms queue, 1 to 32."`
}

// leastAuditRetention is six months of the longest kind: the least that the Cybersecurity Law, article 23, asks of logs.
const leastAuditRetention = 184 * 24 * time.Hour

// Validate checks what the types cannot.
func (c Worker) Validate() Mistakes {
	m := c.Common.Validate()
	m = append(m, opsMistakes(c.OpsAddr, c.OpsToken)...)
	different := slices.Compact(slices.Sorted(slices.Values(c.SMSProviders)))
	m = append(m, unless(len(different) == len(c.SMSProviders), "SMS_PROVIDERS", "a provider is named twice")...)
	m = append(m, between("WORKER_CONCURRENCY_SMS", c.ConcurrencySMS, 1, 5000)...)
	m = append(m, between("WORKER_CONCURRENCY_EMAIL", c.ConcurrencyEmail, 1, 500)...)
	m = append(m, between("WORKER_CONCURRENCY_EVENTS", c.ConcurrencyEvents, 8, 5000)...)
	m = append(m, between("SEND_TIMEOUT", c.SendTimeout, time.Second, time.Minute)...)
	if c.ReportInterval != 0 {
		m = append(m, between("REPORT_PULL_INTERVAL", c.ReportInterval, time.Second, time.Hour)...)
	}
	if c.CanaryInterval != 0 {
		m = append(m, between("CANARY_INTERVAL", c.CanaryInterval, 5*time.Minute, 24*time.Hour)...)
		m = append(m, unless(c.CanaryTo != "", "CANARY_TO", "must be set when CANARY_INTERVAL is")...)
	}
	if c.MessageRetention != 0 {
		m = append(m, between("MESSAGE_RETENTION", c.MessageRetention, 24*time.Hour, 100*365*24*time.Hour)...)
	}
	m = append(m, between("AUDIT_RETENTION", c.AuditRetention, leastAuditRetention, 100*365*24*time.Hour)...)
	m = append(m, between("WORKER_FETCHERS", c.Fetchers, 1, 32)...)
	m = append(m, between("WORKER_POLL_INTERVAL", c.PollInterval, time.Millisecond, 5*time.Second)...)
	return m
}
