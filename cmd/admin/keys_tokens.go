package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"

	"usher/app"
	"usher/tokens"
	"usher/tokens/rotation"
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

// tokenKeyReport is what one key for tokens is used for, and the earliest times of the next steps of its rotation.
type tokenKeyReport struct {
	ID         string     `json:"id,omitempty"` // only of a configured key
	KID        string     `json:"kid"`
	Configured bool       `json:"configured"`
	Signs      bool       `json:"signs"`
	Published  *time.Time `json:"published,omitempty"` // first time; none where no process has published it
	Signed     *time.Time `json:"signed,omitempty"`    // last time
	MaySign    *time.Time `json:"may_sign,omitempty"`  // none: now
	MayDrop    *time.Time `json:"may_drop,omitempty"`  // none: now
	Reason     string     `json:"reason"`
}

// addTokenKeys adds the keys of the setting in their order, and then those of the history that still matter. Without a setting
// nothing is judged: the keys may be missing on an operator's machine.
func (r *keysReport) addTokenKeys(keys *tokens.Keys, history rotation.History, now time.Time) {
	var list []tokens.Key
	if keys != nil {
		list = keys.List()
	}
	for _, k := range list {
		report := newTokenKeyReport(k.KID, history, now)
		report.ID, report.Configured, report.Signs = k.ID, true, k.Signs
		switch {
		case k.Signs && report.MaySign != nil:
			report.Reason = "must not sign before " + stamp(*report.MaySign) + ": not all processes have published it for an hour"
			r.Problems = append(r.Problems, fmt.Sprintf("key %q for tokens %s", k.ID, report.Reason))
		case k.Signs:
			report.Reason = "signs"
		case report.MaySign != nil:
			report.Reason = "published; may sign from " + stamp(*report.MaySign)
		case report.MayDrop != nil:
			report.Reason = "published; tokens that it has signed are valid until " + stamp(*report.MayDrop)
		default:
			report.Reason = "published; may sign, or be removed"
		}
		r.TokenKeys = append(r.TokenKeys, report)
	}
	for _, kid := range slices.Sorted(maps.Keys(history.Keys)) {
		report := newTokenKeyReport(kid, history, now)
		configured := slices.ContainsFunc(list, func(k tokens.Key) bool { return k.KID == kid })
		if configured || report.MayDrop == nil {
			continue
		}
		report.Reason = "tokens that it has signed are valid until " + stamp(*report.MayDrop)
		if keys != nil {
			r.Problems = append(r.Problems, fmt.Sprintf("key %s for tokens is missing: %s", kid, report.Reason))
		}
		r.TokenKeys = append(r.TokenKeys, report)
	}
}

func newTokenKeyReport(kid string, history rotation.History, now time.Time) tokenKeyReport {
	optional := func(at time.Time) *time.Time {
		if at.IsZero() {
			return nil
		}
		at = at.UTC().Truncate(time.Second)
		return &at
	}
	use := history.Keys[kid]
	return tokenKeyReport{
		KID: kid, Published: optional(use.Published), Signed: optional(use.Signed),
		MaySign: optional(history.MaySign(kid, now)), MayDrop: optional(history.MayDrop(kid, now)),
	}
}

func stamp(at time.Time) string { return at.Format(time.DateTime) + " UTC" }

func printTokenKeys(out io.Writer, keys []tokenKeyReport) error {
	if len(keys) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "\nTOKEN KEY\tKID\tSTATE\t")
	for _, k := range keys {
		id := k.ID
		if id == "" {
			id = "(not set)"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t\n", id, k.KID, k.Reason)
	}
	return table.Flush()
}
