package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"usher/app"
	"usher/config"
	"usher/providers/catalog"
	"usher/store/redisstore"
	"usher/store/sqlstore"
)

// doctorTimeout bounds each examination.
const doctorTimeout = 5 * time.Second

// finding is one examined thing; a nil error means that it is well.
type finding struct {
	name string
	err  error
	help string // what to do about it
}

// doctor examines everything that it can without sending a message, and fails when something is wrong.
func doctor(ctx context.Context, p app.Process) error {
	api, apiErr := app.LoadAPI(p.Environ)
	worker, workerErr := app.LoadWorker(p.Environ)
	_, smsErr := catalog.SMS(worker.Config.SMSProviders, p.Environ)
	mailer, emailErr := catalog.Email(p.Environ)
	if mailer != nil {
		defer func() { _ = mailer.Close() }()
	}
	const settingsHelp = "correct the variables; docs/configuration.md lists them"
	findings := []finding{
		{"settings of the API", apiErr, settingsHelp},
		{"settings of the worker", workerErr, settingsHelp},
		{"credentials of " + strings.Join(worker.Config.SMSProviders, ", "), smsErr, settingsHelp},
		{"credentials of the mail server", emailErr, settingsHelp},
	}
	findings = append(findings, examineRedis(ctx, api.Config.Common)...)
	findings = append(findings, examineDatabase(ctx, api.Config.Common)...)
	ill := 0
	for _, f := range findings {
		if f.err == nil {
			_, _ = fmt.Fprintf(p.Stdout, "ok    %s\n", f.name)
			continue
		}
		ill++
		text := strings.ReplaceAll(f.err.Error(), "\n", "\n      ")
		_, _ = fmt.Fprintf(p.Stdout, "WRONG %s\n      %s\n      -> %s\n", f.name, text, f.help)
	}
	if ill > 0 {
		return fmt.Errorf("%d of %d examinations found something wrong", ill, len(findings))
	}
	return nil
}

func examineRedis(ctx context.Context, c config.Common) []finding {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	client, err := redisstore.Open(c.RedisURL.Reveal())
	if err != nil {
		return []finding{{"Redis", err, "correct USHER_REDIS_URL"}}
	}
	defer func() { _ = client.Close() }()
	if err := redisstore.Probe(ctx, client); err != nil {
		return []finding{{"Redis", err, "start Redis, or correct USHER_REDIS_URL; see docs/operations.md"}}
	}
	report, err := redisstore.Examine(ctx, client)
	if err != nil {
		return []finding{{"Redis version", err, "let the user of USHER_REDIS_URL run INFO"}}
	}
	return []finding{
		{"Redis version " + report.Version, report.VersionProblem(), "upgrade to Redis 6.2 or newer"},
		{"Redis memory policy", report.PolicyProblem(), "set maxmemory-policy noeviction: with any other one a full Redis drops queued messages"},
	}
}

func examineDatabase(ctx context.Context, c config.Common) []finding {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	db, err := sqlstore.Open(ctx, c.DatabaseURL.Reveal())
	if err != nil {
		return []finding{{"database", err, "start the database, or correct USHER_DATABASE_URL"}}
	}
	defer func() { _ = db.Close() }()
	err = sqlstore.CheckSchema(ctx, db)
	if errors.Is(err, sqlstore.ErrSchemaNew) {
		err = nil
	}
	return []finding{{"database schema", err, "run admin migrate up"}}
}
