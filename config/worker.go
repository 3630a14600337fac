package config

import (
	"slices"
	"time"
)

// Worker is what cmd/worker reads beside its vendors' own settings.
type Worker struct {
	Common

	OpsAddr          string        `env:"OPS_ADDR" envDefault:"127.0.0.1:8082" desc:"Operations port: health and metrics."`
	SMSProviders     []string      `env:"SMS_PROVIDERS" envDefault:"aliyun,ronglian" desc:"Providers of the sms channel in the order of preference."`
	ConcurrencySMS   int           `env:"WORKER_CONCURRENCY_SMS" envDefault:"500" desc:"SMS sent at the same time by one worker; vendors' own bounds are set with the vendor."`
	ConcurrencyEmail int           `env:"WORKER_CONCURRENCY_EMAIL" envDefault:"4" desc:"Mails sent at the same time by one worker."`
	SendTimeout      time.Duration `env:"SEND_TIMEOUT" envDefault:"8s" desc:"Time that a provider gets to answer one request."`
	MailTemplates    string        `env:"MAIL_TEMPLATES" desc:"Directory whose files replace the built-in templates of mails; see docs/mail-templates.md."`
	ReportInterval   time.Duration `env:"REPORT_PULL_INTERVAL" envDefault:"30s" desc:"How often vendors that hand out delivery reports (Ronglian) are asked for them, by all workers together; 0 never asks, for accounts whose reports are pushed."`
	PollInterval     time.Duration `env:"WORKER_POLL_INTERVAL" envDefault:"250ms" desc:"How often an empty queue is looked at when no word of a new task comes; word comes with every new task, so this bounds the delay only when it got lost."`
	Fetchers         int           `env:"WORKER_FETCHERS" envDefault:"2" desc:"Loops that fetch from one sms queue in each worker, 1 to 16; one fetches about 15,000 tasks a second."`
}

// Validate checks what the types cannot.
func (c Worker) Validate() Mistakes {
	m := c.Common.Validate()
	m = append(m, opsMistakes(c.OpsAddr, c.OpsToken)...)
	if sorted := slices.Sorted(slices.Values(c.SMSProviders)); len(slices.Compact(sorted)) != len(c.SMSProviders) {
		m = append(m, Mistake{"SMS_PROVIDERS", "a provider is named twice"})
	}
	m = append(m, between("WORKER_CONCURRENCY_SMS", c.ConcurrencySMS, 1, 5000)...)
	m = append(m, between("WORKER_CONCURRENCY_EMAIL", c.ConcurrencyEmail, 1, 500)...)
	m = append(m, between("SEND_TIMEOUT", c.SendTimeout, time.Second, time.Minute)...)
	if c.ReportInterval != 0 {
		m = append(m, between("REPORT_PULL_INTERVAL", c.ReportInterval, time.Second, time.Hour)...)
	}
	m = append(m, between("WORKER_FETCHERS", c.Fetchers, 1, 16)...)
	m = append(m, between("WORKER_POLL_INTERVAL", c.PollInterval, time.Millisecond, 5*time.Second)...)
	return m
}
