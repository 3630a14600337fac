package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"usher/app"
	"usher/app/front"
	"usher/config"
	"usher/providers/catalog"
)

// doctorTimeout bounds each examination.
const doctorTimeout = 10 * time.Second

const doctorHelp = `usage: admin doctor [FLAGS]

Examines settings, Redis, database, keys, and the credentials of vendors and mail server, says what to do about
what it finds, and fails when something is wrong. It sends no message. Vendors are asked for something that they
refuse to a wrong key.
`

// What an examination ends with.
const (
	isOK   = "ok"
	isWarn = "warn" // works, but not as it should
	isFail = "fail"
)

// finding is one examined thing.
type finding struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Detail string `json:"detail,omitempty"`
	Help   string `json:"help,omitempty"` // what to do about it
}

// fail is a finding that is well when err is nil.
func fail(name string, err error, help string) finding { return found(isFail, name, err, help) }

// warn is fail for what can be lived with.
func warn(name string, err error, help string) finding { return found(isWarn, name, err, help) }

func found(status, name string, err error, help string) finding {
	if err == nil {
		return finding{Name: name, Status: isOK}
	}
	return finding{Name: name, Status: status, Detail: err.Error(), Help: help}
}

// doctor examines everything that it can without sending a message.
func doctor(ctx context.Context, p app.Process) error {
	flags := newFlags("doctor", doctorHelp)
	asJSON := flags.Bool("json", false, "print JSON")
	offline := flags.Bool("offline", false, "do not talk to vendors and mail server")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	findings := examine(ctx, p.Environ, *offline)
	ill := 0
	for _, f := range findings {
		if f.Status == isFail {
			ill++
		}
	}
	if err := printFindings(p.Stdout, findings, *asJSON); err != nil {
		return err
	}
	if ill > 0 {
		return fmt.Errorf("%d of %d examinations found something wrong", ill, len(findings))
	}
	return nil
}

func examine(ctx context.Context, environ map[string]string, offline bool) []finding {
	api, apiErr := front.Load(environ)
	worker, workerErr := app.LoadWorker(environ)
	sms, smsErr := catalog.SMS(worker.Config.SMSProviders, environ)
	mailer, emailErr := catalog.Email(environ)
	if mailer != nil {
		defer func() { _ = mailer.Close() }()
	}
	const settingsHelp = "correct the variables; docs/configuration.md lists them"
	findings := []finding{
		fail("settings of the API", apiErr, settingsHelp),
		fail("settings of the worker", workerErr, settingsHelp),
		fail("settings of "+strings.Join(worker.Config.SMSProviders, ", "), smsErr, settingsHelp),
		fail("settings of the mail server", emailErr, settingsHelp),
		warn("reports", reportsProblem(api.Config, worker.Config, sms),
			"set "+config.Prefix+"REPORT_SECRET and enter the address in the vendor's console; see docs/messages.md"),
	}
	for _, sender := range sms {
		findings = append(findings, warn("templates of "+sender.Name(), templatesProblem(sender),
			"have a template approved for each purpose and set its variable; see docs/sms-providers.md"))
	}
	findings = append(findings, examineRedis(ctx, api.Config.Common, api.Keys)...)
	findings = append(findings, examineDatabase(ctx, api)...)
	if offline {
		return findings
	}
	for _, sender := range sms {
		credentials := prove(ctx, "credentials of "+sender.Name(), sender)
		findings = append(findings, credentials)
		if credentials.Status == isOK {
			findings = append(findings, checkTemplates(ctx, sender)...)
		}
	}
	if mailer != nil {
		findings = append(findings, prove(ctx, "login at the mail server", mailer))
	}
	return findings
}

func printFindings(out io.Writer, findings []finding, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(map[string]any{"findings": findings})
	}
	for _, f := range findings {
		if _, err := fmt.Fprintf(out, "%-4s  %s\n", f.Status, f.Name); err != nil {
			return err
		}
		if f.Detail == "" {
			continue
		}
		detail := strings.ReplaceAll(f.Detail, "\n", "\n      ")
		if _, err := fmt.Fprintf(out, "      %s\n      -> %s\n", detail, f.Help); err != nil {
			return err
		}
	}
	return nil
}
