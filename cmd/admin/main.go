// Command admin is the operators' tool: it migrates the database, creates superusers, blocks accounts, imports users, shows
// and retries messages, replaces keys, and checks a deployment.
package main

import (
	"cmp"
	"context"
	"flag"
	"os"

	"usher/app"
	"usher/audit"
	"usher/config"
)

const usage = `usage: admin COMMAND

  migrate up                        bring the database schema up to date
  migrate status                    list the migrations and when each was applied
  audit [-account ID] [-actor NAME] [-since TIME]
                                    show who has done what to which account (docs/audit.md)
  createsuperuser -username NAME    create an account with all rights; asks for the password
  accounts find|list|show|sessions|messages|block|unblock|end-sessions|resend|erase
                                    look accounts up and help their owners (docs/account-administration.md)
  import-users [FLAGS] FILE.csv     import the users of a Django service (docs/from-django.md);
                                    -dry-run, -from-line N, -rejects FILE
  mails preview DIR                 write every mail with sample data to files in DIR
  messages list|show|retry          show SMS and mails, and retry those that were not sent
  tail [ID]                         follow one sign-up as it happens, or what finishes now; -person asks for a name, number or address
  trace ID                          show one sign-up step by step, by the id of a request, message or account
  canary -provider NAME -to NUMBER  send one real SMS and wait for its delivery report; -wait 2m
  apps create|list|rotate|revoke    keys for services with users of their own (docs/verification.md)
  endpoints add|list|disable|enable|test|remove|rotate
                                    addresses of your services that get events (docs/events.md)
  events list|show|replay           show events and send them again
  keys list|rotate-check|reseal|reindex
                                    show what needs each secret key, and replace keys (docs/keys.md)
  status [-url URL] [-lang zh]      say in a sentence what is wrong, as /ops does; exit 1 when something is
  doctor [-json] [-offline]         check settings, Redis, database, keys and credentials
  health -url URL                   exit 0 when a process answers 200 at URL, for container health checks

Settings come from the environment, then from .env in the working directory, which the
Procfile reads too (docs/configuration.md).
`

func main() {
	os.Exit(app.Start(func(ctx context.Context, p app.Process) (err error) {
		if p.Environ, err = config.WithFile(p.Environ, ".env"); err != nil {
			return err
		}
		return run(ctx, p)
	}))
}

func run(ctx context.Context, p app.Process) error {
	// The system's user behind sudo is the one to be asked.
	operator := cmp.Or(p.Environ["SUDO_USER"], p.Environ["USER"], p.Environ["LOGNAME"], "unknown")
	ctx = audit.With(ctx, audit.Cause{Kind: audit.Operator, Actor: operator})
	return dispatch(ctx, p, usage, commands{
		"migrate":         migrate,
		"createsuperuser": createSuperuser,
		"accounts":        accountsCommand,
		"audit":           auditCommand,
		"import-users":    importUsers,
		"mails":           mails,
		"messages":        messagesCommand,
		"tail":            tail,
		"trace":           trace,
		"status":          status,
		"canary":          canary,
		"apps":            appsCommand,
		"endpoints":       endpointsCommand,
		"events":          eventsCommand,
		"keys":            keysCommand,
		"doctor":          doctor,
		"health":          health,
	})
}

// health is for container images, which have no curl.
func health(ctx context.Context, p app.Process) error {
	flags := flag.NewFlagSet("health", flag.ContinueOnError)
	url := flags.String("url", "http://127.0.0.1:8081/readyz", "`address` to ask")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	var settings struct {
		OpsToken config.Secret `env:"OPS_TOKEN"`
	}
	if err := config.Load(p.Environ, &settings); err != nil {
		return err
	}
	return app.AskHealth(ctx, *url, settings.OpsToken)
}
