// Command api serves the HTTP API and the pages, and the operations port beside them. It reads its
// settings from the environment; docs/configuration.md lists them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"usher/app"
)

func main() {
	os.Exit(app.Start(run))
}

func run(ctx context.Context, p app.Process) error {
	flags := flag.NewFlagSet("api", flag.ContinueOnError)
	flags.Usage = func() {
		_, _ = fmt.Fprintln(flags.Output(), "usage: api\n\nServes the HTTP API and the pages. Settings come from the environment (docs/configuration.md).")
	}
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	settings, err := app.LoadAPI(p.Environ)
	if err != nil {
		return err
	}
	api, err := app.OpenAPI(ctx, settings, app.NewLogger(p.Stderr, settings.Config.Common))
	if err != nil {
		return err
	}
	return api.Run(ctx)
}
