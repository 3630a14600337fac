package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"time"

	"usher/app"
	"usher/config"
)

// health is curl for images that have no curl.
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
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, *url, http.NoBody)
	if err != nil {
		return &app.UsageError{Text: "health: -url is not an address"}
	}
	if settings.OpsToken != "" {
		request.Header.Set("Authorization", "Bearer "+settings.OpsToken.Reveal())
	}
	client := &http.Client{Timeout: 3 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", *url, response.Status)
	}
	return nil
}
