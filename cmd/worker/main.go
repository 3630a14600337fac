// Command worker takes tasks off the queues and sends them. It holds the vendor keys of its channels
// only, and reads its settings from the environment; docs/configuration.md lists them.
package main

import (
	"context"
	"flag"
	"os"
	"slices"
	"strings"

	"usher/app"
	"usher/config"
	"usher/providers/catalog"
	"usher/telemetry/otlp"
)

func main() {
	os.Exit(app.Start(run))
}

func run(ctx context.Context, p app.Process) error {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	channels := flags.String("channels", "sms,email,events", "what this worker sends: sms, email, events, or several with commas between them")
	healthy := flags.Bool("health", false, "only ask the worker that runs with these settings whether it is ready: exit 0 or 1")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	if *healthy {
		return health(ctx, p)
	}
	names := strings.Split(*channels, ",")
	for _, name := range names {
		if !slices.Contains([]string{"sms", "email", "events"}, name) {
			return &app.UsageError{Text: "-channels: want sms, email, events, or several of them with commas between"}
		}
	}
	hangups, stop := app.Hangups()
	defer stop()
	settings, err := load(p.Environ, names)
	if err != nil {
		return err
	}
	settings.Hangups, settings.Traces.Collector = hangups, otlp.Open
	worker, err := app.OpenWorker(ctx, settings, app.NewLogger(p.Stderr, settings.Config.Common))
	if err != nil {
		return err
	}
	return worker.Run(ctx)
}

// load reads the settings and makes the senders of the chosen channels, so that every mistake of any
// is reported at once.
func load(environ map[string]string, channels []string) (app.WorkerSettings, error) {
	settings, err := app.LoadWorker(environ)
	sms, email := slices.Contains(channels, "sms"), slices.Contains(channels, "email")
	settings.Reload = func() (app.Senders, error) {
		return senders(settings.Config.SMSProviders, environ, sms, email)
	}
	made, senderErr := settings.Reload()
	settings.Senders = made
	var eventsErr error
	if slices.Contains(channels, "events") {
		settings.Events, eventsErr = app.NewEventSender(settings.Config.Events)
	}
	return settings, config.Join(err, senderErr, eventsErr)
}

// senders makes those of the chosen channels.
func senders(names []string, environ map[string]string, sms, email bool) (made app.Senders, err error) {
	var smsErr, emailErr error
	if sms {
		made.SMS, smsErr = catalog.SMS(names, environ)
	}
	if email {
		made.Email, emailErr = catalog.Email(environ)
	}
	return made, config.Join(smsErr, emailErr)
}

func health(ctx context.Context, p app.Process) error {
	var settings config.Worker
	if err := config.Load(p.Environ, &settings); err != nil {
		return err
	}
	return app.Health(ctx, settings.OpsAddr, settings.OpsToken)
}
