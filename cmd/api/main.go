// Command api serves the HTTP API and the pages, and the operations port. It reads its settings from the environment;
// docs/configuration.md lists them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"usher/app"
	"usher/app/front"
	"usher/config"
	"usher/telemetry/otlp"
)

func main() {
	os.Exit(app.Start(run))
}

func run(ctx context.Context, p app.Process) error {
	flags := flag.NewFlagSet("api", flag.ContinueOnError)
	healthy := flags.Bool("health", false, "only ask the API that runs with these settings whether it is ready: exit 0 or 1")
	hashes := flags.Bool(front.HashFlag, false, "only hash passwords, for the API that has started this with its standard input and output")
	flags.Usage = func() {
		_, _ = fmt.Fprintln(flags.Output(), "usage: api [-health | -hash-passwords]\n\nServes the HTTP API and the pages. Settings come from the environment (docs/configuration.md).")
		flags.PrintDefaults()
	}
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	if *hashes {
		return front.ServeHashes(os.Stdin, p.Stdout)
	}
	if *healthy {
		return health(ctx, p)
	}
	hangups, stop := app.Hangups()
	defer stop()
	settings, err := front.Load(p.Environ)
	if err != nil {
		return err
	}
	settings.Hangups, settings.Traces.Collector = hangups, otlp.Open
	settings.HashCommand = front.HashCommand
	api, err := front.Open(ctx, settings, app.NewLogger(p.Stderr, settings.Config.Common))
	if err != nil {
		return err
	}
	return api.Run(ctx)
}

func health(ctx context.Context, p app.Process) error {
	var settings config.API
	if err := config.Load(p.Environ, &settings); err != nil {
		return err
	}
	return app.Health(ctx, settings.OpsAddr, settings.OpsToken)
}
