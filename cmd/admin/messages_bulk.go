package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"usher/app"
	"usher/messages"
	"usher/store/sqlstore"
)

// Bounds of a bulk retry.
const (
	bulkRate     = 50  // messages a second, by default
	bulkRateMost = 500 // workers and providers have bounds of their own
	bulkNamed    = 20  // messages that are shown one by one; more are counted only
)

// bulkGroup counts messages that ended for the same reason and that get the same result.
type bulkGroup struct {
	Channel  messages.Channel `json:"channel"`
	State    messages.State   `json:"state"`
	Reason   string           `json:"reason"` // why they ended
	Provider string           `json:"provider,omitempty"`
	Sent     bool             `json:"requeued"`          // or would be
	Why      string           `json:"because,omitempty"` // why not
}

// bulkCount is a group with its number of messages, as JSON.
type bulkCount struct {
	bulkGroup
	Count int `json:"count"`
}

// bulkResult is what a bulk retry did, or would do.
type bulkResult struct {
	DryRun      bool        `json:"dry_run"`
	Requeued    int         `json:"requeued"`
	NotRequeued int         `json:"not_requeued"`
	Groups      []bulkCount `json:"groups"` // the largest first

	useful int // messages that are still useful
}

const expiredSentence = "it has expired: it is not sent again"

// bulk requeues messages one after the other, the oldest first, at most rate in a second. What has expired is only counted. When
// the context ends it returns what was done until then.
func (r *retrier) bulk(ctx context.Context, list []sqlstore.Message, dryRun bool, rate int) (bulkResult, error) {
	result, counts := bulkResult{DryRun: dryRun, Groups: []bulkCount{}}, map[bulkGroup]int{}
	pace := time.NewTicker(time.Second / time.Duration(rate))
	defer pace.Stop()
	var failure error
	for _, m := range slices.Backward(list) { // the newest is the first of the list
		group := bulkGroup{Channel: m.Channel, State: m.State, Reason: cmp.Or(why(m), "-"), Provider: m.Provider, Why: expiredSentence}
		if m.NotAfter.After(time.Now()) {
			result.useful++
			if group.Why, failure = r.one(ctx, m.ID, dryRun); failure != nil {
				break
			}
			group.Sent = group.Why == ""
			if !dryRun {
				select {
				case <-pace.C:
				case <-ctx.Done():
					failure = ctx.Err()
				}
			}
		}
		counts[group]++
		if group.Sent {
			result.Requeued++
		} else {
			result.NotRequeued++
		}
		if failure != nil {
			break
		}
	}
	for group, n := range counts {
		result.Groups = append(result.Groups, bulkCount{group, n})
	}
	slices.SortFunc(result.Groups, func(a, b bulkCount) int {
		return cmp.Or(b.Count-a.Count, cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Why, b.Why))
	})
	return result, failure
}

// print shows the groups as a table.
func (b bulkResult) print(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "COUNT\tCHANNEL\tSTATE\tWHY\tPROVIDER\tRESULT")
	for _, g := range b.Groups {
		text := "requeued"
		switch {
		case !g.Sent && b.DryRun:
			text = "would not be requeued: " + g.Why
		case !g.Sent:
			text = "not requeued: " + g.Why
		case b.DryRun:
			text = "would be requeued"
		}
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", g.Count, g.Channel, g.State, cell(g.Reason), cell(g.Provider), text)
	}
	return table.Flush()
}

// err is errNotAll when a message that is still useful was not requeued.
func (b bulkResult) err() error {
	if b.Requeued == b.useful {
		return nil
	}
	were := "were"
	if b.DryRun {
		were = "would be"
	}
	return fmt.Errorf("%w: %d of %d %s", errNotAll, b.Requeued, b.useful, were)
}

// retryBulk shows what would be done, asks, and does it.
func (r *retrier) retryBulk(ctx context.Context, p app.Process, f retryFlags, filter sqlstore.Filter, in io.Reader) error {
	list, err := r.desk.ended(ctx, filter)
	if err != nil {
		return err
	}
	alive := slices.DeleteFunc(slices.Clone(list), func(m sqlstore.Message) bool { return !m.NotAfter.After(time.Now()) })
	if len(alive) == 0 && !f.asJSON {
		_, err := fmt.Fprintf(p.Stdout, "No messages match that are still useful; %d match and have expired.\n", len(list))
		return err
	}
	if !f.asJSON {
		if err := r.name(alive); err != nil {
			return err
		}
	}
	if f.dryRun || !f.yes {
		plan, err := r.bulk(ctx, list, true, f.rate)
		if err != nil {
			return err
		}
		if f.asJSON {
			err = printJSON(p.Stdout, "", plan)
		} else {
			err = plan.print(p.Stdout)
		}
		if f.dryRun {
			return cmp.Or(err, plan.err())
		}
		if err != nil {
			return err
		}
		if !confirmed(in, p.Stdout) {
			return notConfirmed(p)
		}
	}
	result, runErr := r.bulk(ctx, list, false, f.rate)
	if f.asJSON {
		err = printJSON(p.Stdout, "", result)
	} else {
		err = result.print(p.Stdout)
	}
	return cmp.Or(runErr, err, result.err())
}

// name lists the messages, unless there are many.
func (r *retrier) name(list []sqlstore.Message) error {
	if len(list) > bulkNamed {
		return nil
	}
	return printTable(r.out, list)
}

// ended lists the messages that match, also those that have expired. Without states in the filter these are those that did not
// arrive.
func (d *desk) ended(ctx context.Context, filter sqlstore.Filter) ([]sqlstore.Message, error) {
	if len(filter.States) == 0 {
		filter.States = deadStates()
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return d.messages.List(ctx, filter)
}
