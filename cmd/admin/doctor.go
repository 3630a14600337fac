package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"usher/app"
	"usher/app/front"
	"usher/config"
	"usher/providers/catalog"
)

// doctorTimeout bounds each request to a vendor or a mail server.
const doctorTimeout = 10 * time.Second

const doctorHelp = `usage: admin doctor [FLAGS]

Checks the settings, Redis, the database, the keys, and the credentials of vendors and mail server. It tells what to do
about each problem, and exits 1 when something is wrong. It sends no message: it checks credentials by requests that
vendors refuse to a wrong key.
`

// Results of a check.
const (
	isOK   = "ok"
	isWarn = "warn" // works, but should be changed
	isFail = "fail"
)

// finding is the result of one check.
type finding struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Detail string `json:"detail,omitempty"` // what is wrong, or the state of what is well
	Help   string `json:"help,omitempty"`   // what to do about it; empty when it is well
}

// fail is a finding that is ok when err is nil.
func fail(name string, err error, help string) finding { return found(isFail, name, err, help) }

// warn is like fail, for a problem that the service can work with.
func warn(name string, err error, help string) finding { return found(isWarn, name, err, help) }

func found(status, name string, err error, help string) finding {
	if err == nil {
		return finding{Name: name, Status: isOK}
	}
	return finding{Name: name, Status: status, Detail: err.Error(), Help: help}
}

// doctor checks everything that it can check without sending a message.
func doctor(ctx context.Context, p app.Process) error {
	flags := newFlags("doctor", doctorHelp)
	asJSON := flags.Bool("json", false, "print JSON")
	offline := flags.Bool("offline", false, "do not connect to vendors and mail server")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	findings := examine(ctx, p.Environ, *offline)
	failed := 0
	for _, f := range findings {
		if f.Status == isFail {
			failed++
		}
	}
	if err := printFindings(p.Stdout, findings, *asJSON); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(findings))
	}
	return nil
}

// examine runs all checks. A check whose settings are wrong is left out or fails with them: the finding about the settings
// stands above it.
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
			"set "+config.Prefix+"REPORT_SECRET and enter the report URL in the vendor's console; see docs/messages.md"),
	}
	findings = append(findings,
		warn("providers by region", routesProblem(api.Config.SMSRegions, worker.Orders, sms),
			"add a provider that serves it to "+config.Prefix+"SMS_ROUTES, or take it out of "+config.Prefix+"SMS_REGIONS; see docs/sms-providers.md"),
		warn("pause between codes", pauseProblem(api.Config.SMSResendInterval, sms), "raise "+config.Prefix+"SMS_RESEND_INTERVAL"))
	findings = append(findings, examineFace(worker.Brand, api.Config, time.Now())...)
	for _, sender := range sms {
		findings = append(findings, warn("templates of "+sender.Name(), templatesProblem(sender),
			"let the vendor approve a template for each purpose, and set its variable; see docs/sms-providers.md"))
	}
	findings = append(findings, examineRedis(ctx, api.Config.Common, api.Keys)...)
	findings = append(findings, examineDatabase(ctx, api)...)
	if offline {
		return findings
	}
	for _, sender := range sms {
		credentials := checkCredentials(ctx, "credentials of "+sender.Name(), sender)
		findings = append(findings, credentials)
		if credentials.Status == isOK {
			findings = append(findings, checkTemplates(ctx, sender)...)
			findings = append(findings, checkSigns(ctx, sender)...)
		}
	}
	if mailer != nil {
		findings = append(findings, checkCredentials(ctx, "login at the mail server", mailer))
	}
	if apiErr == nil && api.HostedCaptcha() != "" {
		findings = append(findings, checkHostedCaptcha(ctx, api))
	}
	return findings
}

// printFindings prints the findings for people, or as JSON for monitoring.
func printFindings(out io.Writer, findings []finding, asJSON bool) error {
	if asJSON {
		return printJSON(out, "  ", map[string]any{"findings": findings})
	}
	for _, f := range findings {
		lines := fmt.Sprintf("%-4s  %s\n", f.Status, f.Name)
		if f.Detail != "" {
			lines += "      " + strings.ReplaceAll(f.Detail, "\n", "\n      ") + "\n"
		}
		if f.Help != "" {
			lines += "      -> " + f.Help + "\n"
		}
		if _, err := io.WriteString(out, lines); err != nil {
			return err
		}
	}
	return nil
}
