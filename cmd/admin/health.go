package main

import (
	"context"
	"flag"

	"usher/app"
	"usher/config"
)

// health is curl for machines that have no curl.
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
