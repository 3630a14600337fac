package main

import (
	"context"
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

// keyReport is what one key is used for, and what needs it.
type keyReport struct {
	ID         string     `json:"id"`
	Configured bool       `json:"configured"`
	Signs      bool       `json:"signs"`
	Indexes    bool       `json:"indexes"`
	Contacts   int        `json:"contacts"`  // sealed numbers and addresses of accounts
	Mails      int        `json:"mails"`     // sealed addresses of mails that may still be sent
	Links      int        `json:"links"`     // activation links that still work
	Endpoints  int        `json:"endpoints"` // sealed secrets that sign events
	Codes      int        `json:"codes"`     // that can still be entered, or their tasks still be sent
	Answers    int        `json:"answers"`   // kept for requests that are repeated
	Until      *time.Time `json:"until,omitempty"`
	Droppable  bool       `json:"droppable"`
	Reason     string     `json:"reason"`
}

// keysReport is what the command prints.
type keysReport struct {
	Keys      []keyReport      `json:"keys"`
	TokenKeys []tokenKeyReport `json:"token_keys"` // those of the setting and of the history
	Problems  []string         `json:"problems"`   // data that these keys cannot read, and tokens that services will refuse
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
		return fmt.Errorf("these keys would do harm: %s", report.Problems[0])
	}
	return nil
}

// report reads both stores. The counts are of one moment: processes with other keys may add to them meanwhile.
func (d *keyDesk) report(ctx context.Context) (keysReport, error) {
	report := keysReport{TokenKeys: []tokenKeyReport{}, Problems: []string{}}
	rows, err := d.seals.Use(ctx)
	if err != nil {
		return report, err
	}
	store := redisstore.New(d.client, d.keys, time.Now).In(string(d.namespace))
	kept, err := store.KeyUse(ctx)
	if err != nil {
		return report, err
	}
	history, err := store.TokenKeys().History(ctx)
	if err != nil {
		return report, err
	}
	report.addTokenKeys(d.tokens, history, time.Now())
	for _, id := range d.ids(rows, kept) {
		k := keyReport{
			ID: id, Configured: d.keys.Knows(id), Signs: id == d.keys.SigningID(), Indexes: id == d.keys.IndexID(),
			Contacts: rows[id].Contacts, Mails: rows[id].Mails, Links: rows[id].Links,
			Endpoints: rows[id].Endpoints,
			Codes:     kept[id].Codes, Answers: kept[id].Answers,
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
	if err != nil && !errors.Is(err, sqlstore.ErrSealedUnknown) { // already in the problems
		report.Problems = append(report.Problems, err.Error())
	}
	return report, nil
}

// ids lists the configured keys in their order, and then the keys that only stored data names.
func (d *keyDesk) ids(rows map[string]sqlstore.KeyUse, kept map[string]redisstore.KeyUse) []string {
	named := slices.AppendSeq(slices.Collect(maps.Keys(rows)), maps.Keys(kept))
	slices.Sort(named)
	others := slices.DeleteFunc(slices.Compact(named), d.keys.Knows)
	return append(d.keys.IDs(), others...)
}

// judge tells what needs the key and whether it can be removed.
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
	need(k.Endpoints, "secrets of endpoints (admin keys reseal)")
	need(k.Codes, "codes")
	need(k.Answers, "kept answers")
	if k.Until != nil {
		needs = append(needs, "the last of these until "+k.Until.Format(time.DateTime)+" UTC")
	}
	switch {
	case k.Signs:
		k.Reason = "signs and seals"
	case k.Indexes:
		k.Reason = "indexes numbers and addresses"
	case len(needs) > 0:
		k.Reason = strings.Join(needs, ", ")
	default:
		k.Droppable = true
		k.Reason = "nothing needs it: it can be removed once no running process signs with it"
	}
}

// use is the use of the key in the settings. A key that is not configured but needed is missing.
func (k *keyReport) use() string {
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
		return printJSON(out, "  ", report)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "KEY\tUSE\tCONTACTS\tMAILS\tLINKS\tENDPOINTS\tCODES\tANSWERS\t")
	for _, k := range report.Keys {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n",
			k.ID, k.use(), k.Contacts, k.Mails, k.Links, k.Endpoints, k.Codes, k.Answers)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, k := range report.Keys {
		_, _ = fmt.Fprintf(out, "%s: %s\n", k.ID, k.Reason)
	}
	if err := printTokenKeys(out, report.TokenKeys); err != nil {
		return err
	}
	for _, problem := range report.Problems {
		_, _ = fmt.Fprintf(out, "PROBLEM: %s\n", problem)
	}
	return nil
}
