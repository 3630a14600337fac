package main

import (
	"context"
	"fmt"
	"time"

	"usher/app"
	"usher/config"
	"usher/store/sqlstore"
)

// migrate prints the state of all migrations, after it applied the missing ones for "up". It may run beside processes of
// this version and of the one before.
func migrate(ctx context.Context, p app.Process) error {
	if len(p.Args) != 1 || p.Args[0] != "up" && p.Args[0] != "status" {
		return &app.UsageError{Text: "want: admin migrate up, or admin migrate status"}
	}
	var settings config.Stores // migrations need no secret keys
	if err := config.Load(p.Environ, &settings); err != nil {
		return err
	}
	db, err := app.OpenSQL(ctx, settings, nil)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if p.Args[0] == "up" {
		if err := sqlstore.Migrate(ctx, db); err != nil {
			return err
		}
	}
	migrations, err := sqlstore.Status(ctx, db)
	if err != nil {
		return err
	}
	for _, m := range migrations {
		when := "pending"
		if !m.AppliedAt.IsZero() {
			when = m.AppliedAt.UTC().Format(time.DateTime)
		}
		_, _ = fmt.Fprintf(p.Stdout, "%-19s  %s\n", when, m.Name)
	}
	return nil
}
