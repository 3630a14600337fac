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
)

func main() {
	os.Exit(app.Start(run))
}

func run(ctx context.Context, p app.Process) error {
	flags := flag.NewFlagSet("worker", flag.ContinueOnError)
	channels := flags.String("channels", "sms,email", "channels that this worker sends on: sms, email or both")
	healthy := flags.Bool("health", false, "only ask the worker that runs with these settings whether it is ready: exit 0 or 1")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	if *healthy {
		return health(ctx, p)
	}
	names := strings.Split(*channels, ",")
	for _, name := range names {
		if name != "sms" && name != "email" {
			return &app.UsageError{Text: "-channels: want sms, email or sms,email"}
		}
	}
	settings, err := load(p.Environ, slices.Contains(names, "sms"), slices.Contains(names, "email"))
	if err != nil {
		return err
	}
	worker, err := app.OpenWorker(ctx, settings, app.NewLogger(p.Stderr, settings.Config.Common))
	if err != nil {
		return err
	}
	return worker.Run(ctx)
}

// load reads the settings and makes the senders of the chosen channels, so that every mistake of either
// is reported at once.
func load(environ map[string]string, sms, email bool) (app.WorkerSettings, error) {
	settings, err := app.LoadWorker(environ)
	mistakes := []error{err}
	if sms {
		settings.SMS, err = catalog.SMS(settings.Config.SMSProviders, environ)
		mistakes = append(mistakes, err)
	}
	if email {
		settings.Email, err = catalog.Email(environ)
		mistakes = append(mistakes, err)
	}
	return settings, config.Join(mistakes...)
}

func health(ctx context.Context, p app.Process) error {
	var settings config.Worker
	if err := config.Load(p.Environ, &settings); err != nil {
		return err
	}
	return app.Health(ctx, settings.OpsAddr, settings.OpsToken)
}
