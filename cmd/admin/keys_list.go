package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"usher/app"
	"usher/store/redisstore"
	"usher/store/sqlstore"
)

// keyReport is what one key does and what still needs it.
type keyReport struct {
	ID         string     `json:"id"`
	Configured bool       `json:"configured"`
	Signs      bool       `json:"signs"`
	Indexes    bool       `json:"indexes"`
	Contacts   int        `json:"contacts"` // sealed numbers and addresses of accounts
	Mails      int        `json:"mails"`    // sealed addresses of mails that may still be sent
	Links      int        `json:"links"`    // activation links that still work
	Codes      int        `json:"codes"`    // that may still be entered
	Answers    int        `json:"answers"`  // kept for requests that are sent again
	Tasks      int        `json:"tasks"`    // of codes, on the queues
	Until      *time.Time `json:"until,omitempty"`
	Droppable  bool       `json:"droppable"`
	Reason     string     `json:"reason"`
}

// keysReport is what the command prints.
type keysReport struct {
	Keys     []keyReport `json:"keys"`
	Problems []string    `json:"problems"` // why these keys would lose something
	Partial  bool        `json:"partial"`  // more tasks wait than were looked at
}

func listKeys(ctx context.Context, p app.Process, check bool) error {
	flags := newFlags("keys", keysUsage)
	asJSON := flags.Bool("json", false, "print JSON")
	if err := app.ParseFlags(flags, p); err != nil {
		return err
	}
	d, err := openKeys(ctx, p)
	if err != nil {
		return err
	}
	defer d.close()
	ctx, cancel := context.WithTimeout(ctx, keysTimeout)
	defer cancel()
	report, err := d.report(ctx)
	if err != nil {
		return err
	}
	if err := printKeys(p.Stdout, report, *asJSON); err != nil {
		return err
	}
	if n := len(report.Problems); check && n > 0 {
		return fmt.Errorf("these keys would lose something: %s", report.Problems[0])
	}
	return nil
}

func (d *keyDesk) report(ctx context.Context) (keysReport, error) {
	report := keysReport{Problems: []string{}}
	rows, err := d.seals.Use(ctx)
	if err != nil {
		return report, err
	}
	kept, err := redisstore.New(d.client, d.keys, time.Now).In(string(d.namespace)).KeyUse(ctx)
	if err != nil {
		return report, err
	}
	tasks, partial, err := countTasks(ctx, d.client, d.namespace)
	if err != nil {
		return report, err
	}
	report.Partial = partial
	for _, id := range d.ids(rows, kept, tasks) {
		k := keyReport{
			ID: id, Configured: d.keys.Knows(id), Signs: id == d.keys.SigningID(), Indexes: id == d.keys.IndexID(),
			Contacts: rows[id].Contacts, Mails: rows[id].Mails, Links: rows[id].Links,
			Codes: kept[id].Codes, Answers: kept[id].Answers, Tasks: tasks[id],
		}
		until := rows[id].LinksUntil
		if kept[id].Until.After(until) {
			until = kept[id].Until
		}
		if !until.IsZero() {
			until = until.UTC().Truncate(time.Second)
			k.Until = &until
		}
		k.judge()
		if !k.Configured {
			report.Problems = append(report.Problems, fmt.Sprintf("key %q is missing: %s", id, k.Reason))
		}
		report.Keys = append(report.Keys, k)
	}
	err = d.seals.Check(ctx, keysTried)
	if err != nil && ctx.Err() != nil {
		return report, err
	}
	if err != nil && !errors.Is(err, sqlstore.ErrSealedUnknown) { // told above
		report.Problems = append(report.Problems, err.Error())
	}
	return report, nil
}

// ids lists the configured keys in their order and then those that only something stored names.
func (d *keyDesk) ids(rows map[string]sqlstore.KeyUse, kept map[string]redisstore.KeyUse, tasks map[string]int) []string {
	others := map[string]bool{}
	for id := range rows {
		others[id] = true
	}
	for id := range kept {
		others[id] = true
	}
	for id := range tasks {
		others[id] = true
	}
	ids := d.keys.IDs()
	for _, id := range ids {
		delete(others, id)
	}
	return append(ids, slices.Sorted(maps.Keys(others))...)
}

// judge says what still needs the key.
func (k *keyReport) judge() {
	var needs []string
	need := func(n int, what string) {
		if n > 0 {
			needs = append(needs, fmt.Sprintf("%d %s", n, what))
		}
	}
	need(k.Contacts, "numbers and addresses of accounts (admin keys reseal)")
	need(k.Mails, "addresses of mails (admin keys reseal)")
	need(k.Links, "links")
	need(k.Codes, "codes")
	need(k.Tasks, "tasks")
	need(k.Answers, "kept answers")
	if k.Until != nil {
		needs = append(needs, "the last of these until "+k.Until.Format(time.DateTime)+" UTC")
	}
	switch {
	case k.Signs:
		k.Reason = "it signs and seals"
	case k.Indexes:
		k.Reason = "it indexes numbers and addresses"
	case len(needs) > 0:
		k.Reason = strings.Join(needs, ", ")
	default:
		k.Droppable = true
		k.Reason = "nothing needs it: it can be dropped once no running process signs with it"
	}
}

func (k *keyReport) place() string {
	switch {
	case !k.Configured:
		return "MISSING"
	case k.Signs && k.Indexes:
		return "signs, indexes"
	case k.Signs:
		return "signs"
	case k.Indexes:
		return "verifies, indexes"
	default:
		return "verifies"
	}
}

func printKeys(out io.Writer, report keysReport, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(report)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "KEY\tPLACE\tCONTACTS\tMAILS\tLINKS\tCODES\tTASKS\tANSWERS\t")
	for _, k := range report.Keys {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n",
			k.ID, k.place(), k.Contacts, k.Mails, k.Links, k.Codes, k.Tasks, k.Answers)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, k := range report.Keys {
		_, _ = fmt.Fprintf(out, "%s: %s\n", k.ID, k.Reason)
	}
	if report.Partial {
		_, _ = fmt.Fprintln(out, "More tasks wait than were looked at; each belongs to a code that is counted.")
	}
	for _, problem := range report.Problems {
		_, _ = fmt.Fprintf(out, "PROBLEM: %s\n", problem)
	}
	return nil
}
