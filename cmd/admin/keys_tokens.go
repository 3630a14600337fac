package main

import (
	"context"
	"fmt"

	"usher/app"
	"usher/tokens"
)

// generateTokenKey prints a private key, which is in no store: the operator puts it into the settings.
func generateTokenKey(_ context.Context, p app.Process) error {
	flags := newFlags("keys generate", keysUsage)
	id := flags.String("id", "", "`id` of the key, 1 to 8 letters or digits, that no earlier key had")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	entry, err := tokens.NewKey(*id)
	if err != nil {
		return &app.UsageError{Text: "keys generate: -id: " + err.Error()}
	}
	_, err = fmt.Fprintln(p.Stdout, entry.Reveal())
	return err
}
