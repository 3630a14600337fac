package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"usher/app"
	"usher/app/front"
	"usher/audit"
	"usher/store/sqlstore"
)

const auditUsage = `usage: admin audit [FLAGS]

Shows who has done what to which account, the newest first (docs/audit.md). An actor is the id of an account or of an app's key,
or the name of an operator.

TIME is a time such as 2026-01-02T15:04:05+08:00, or a span before now such as 90m or 48h.
`

// auditCommand shows records of the audit.
func auditCommand(ctx context.Context, p app.Process) error {
	flags := newFlags("audit", auditUsage)
	var filter audit.Filter
	flags.StringVar(&filter.AccountID, "account", "", "only records about the account with this `id`")
	flags.StringVar(&filter.Actor, "actor", "", "only what this `actor` has done")
	flags.Func("since", "not before this `time`", timeFlag(&filter.Since))
	flags.StringVar(&filter.After, "after", "", "only records older than that with this `id`, for the next page")
	flags.IntVar(&filter.Limit, "limit", 100, "at most so `many`, up to 10000")
	asJSON := flags.Bool("json", false, "print a JSON object a line")
	if err := parseFlagsOnly(flags, p); err != nil {
		return err
	}
	if filter.Limit < 1 || filter.Limit > sqlstore.ListMost {
		return &app.UsageError{Text: "audit: -limit: want 1 to 10000"}
	}
	settings, err := front.Load(p.Environ)
	if err != nil {
		return err
	}
	db, err := openDatabase(ctx, settings.Config.Stores)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	list, err := sqlstore.NewAudit(db, time.Now).List(ctx, filter)
	switch {
	case err != nil:
		return err
	case *asJSON:
		return printJSON(p.Stdout, "", list...)
	case len(list) == 0:
		_, err := fmt.Fprintln(p.Stdout, "No records match.")
		return err
	}
	return printAudit(p.Stdout, list)
}

// printAudit prints a record a line.
func printAudit(w io.Writer, list []audit.Record) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TIME\tACTOR\tACTION\tACCOUNT\tFIELDS\tNETWORK\tREQUEST\tREASON")
	for _, r := range list {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.At.UTC().Format(time.RFC3339),
			cell(strings.TrimSpace(string(r.Kind)+" "+r.Actor)), r.Action, cell(r.AccountID), cell(strings.Join(r.Fields, ",")),
			cell(r.Network), cell(r.RequestID), cell(r.Reason))
	}
	return table.Flush()
}
