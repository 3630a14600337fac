package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"usher/app"
	"usher/events"
	"usher/store/sqlstore"
)

const eventsUsage = `usage: admin events COMMAND

  list [-since TIME] [-failed]                   show events, the newest first; -failed: only those that an endpoint has not got
  show ID                                        show one event, its body and its deliveries
  replay -since TIME [-endpoint ID] [-failed]    send events again, with their ids, to all endpoints or one;
  replay -event ID                               shows how many and asks first, unless -yes is given

TIME is a time such as 2026-01-02T15:04:05+08:00, or a span before now such as 90m or 48h. Events are kept for 30 days. -json
prints JSON.
`

func eventsCommand(ctx context.Context, p app.Process) error {
	return dispatch(ctx, p, eventsUsage, commands{"list": listEvents, "show": showEvent, "replay": replayEvents})
}

// parseSince reads a time, or a span before now.
func parseSince(text string, now time.Time) (time.Time, error) {
	if span, err := time.ParseDuration(text); err == nil && span >= 0 {
		return now.Add(-span), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, errors.New("want a time such as 2026-01-02T15:04:05+08:00, or a span before now such as 90m or 48h")
	}
	return at, nil
}

// eventReport is an event as -json prints it.
type eventReport struct {
	ID         string           `json:"id"`
	Type       events.Type      `json:"type"`
	AccountID  string           `json:"account_id,omitempty"`
	Seq        int64            `json:"seq,omitempty"`
	CreatedAt  time.Time        `json:"created_at"`
	Deliveries []deliveryReport `json:"deliveries"`
	Body       json.RawMessage  `json:"body"`
}

type deliveryReport struct {
	EndpointID string        `json:"endpoint_id"`
	State      string        `json:"state"`
	Attempts   int           `json:"attempts"`
	Result     events.Result `json:"result,omitempty"`
	Status     int           `json:"status,omitempty"`
	NextAt     *time.Time    `json:"next_at,omitempty"`
	UpdatedAt  time.Time     `json:"updated_at"`
}

func reportEvent(e sqlstore.Listed) eventReport {
	report := eventReport{
		ID: e.ID, Type: e.Type, AccountID: e.AccountID, Seq: e.Seq, CreatedAt: e.CreatedAt, Deliveries: []deliveryReport{}, Body: e.Body,
	}
	for _, d := range e.Deliveries {
		one := deliveryReport{
			EndpointID: d.EndpointID, State: d.State, Attempts: d.Attempts, Result: d.Result, Status: d.Status, UpdatedAt: d.UpdatedAt,
		}
		if d.State == events.Waiting {
			one.NextAt = timeOrNil(d.NextAt)
		}
		report.Deliveries = append(report.Deliveries, one)
	}
	return report
}

func listEvents(ctx context.Context, p app.Process) error {
	flags := newFlags("events list", eventsUsage)
	since := flags.String("since", "24h", "`time` of the oldest one")
	failed := flags.Bool("failed", false, "only events that an endpoint has not got")
	limit := flags.Int("limit", 100, "at most so `many`")
	asJSON := flags.Bool("json", false, "print a JSON object a line")
	if err := parseFlagsOnly(flags, p); err != nil {
		return err
	}
	from, err := parseSince(*since, time.Now())
	if err != nil {
		return &app.UsageError{Text: "events list: -since: " + err.Error()}
	}
	if *limit < 1 || *limit > 1000 {
		return &app.UsageError{Text: "events list: -limit: want 1 to 1000"}
	}
	stored, done, err := openEvents(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	list, err := stored.List(ctx, from, *failed, *limit)
	if err != nil {
		return err
	}
	if *asJSON {
		reports := make([]eventReport, 0, len(list))
		for _, e := range list {
			reports = append(reports, reportEvent(e))
		}
		return printJSON(p.Stdout, "", reports...)
	}
	return printEvents(p.Stdout, list)
}

func printEvents(out io.Writer, list []sqlstore.Listed) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "There are no such events. Events are only written while an endpoint wants them.")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TIME\tEVENT\tTYPE\tACCOUNT\tDELIVERIES\t")
	for _, e := range list {
		states := map[string]int{}
		for _, d := range e.Deliveries {
			states[d.State]++
		}
		summary := fmt.Sprintf("%d done", states[events.Done])
		if open := states[events.Waiting] + states[events.Queued] + states[events.Sending]; open > 0 {
			summary += fmt.Sprintf(", %d open", open)
		}
		if n := states[events.Failed]; n > 0 {
			summary += fmt.Sprintf(", %d failed", n)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t\n", e.CreatedAt.Local().Format(time.DateTime), e.ID, e.Type, cell(e.AccountID), summary)
	}
	return table.Flush()
}

func showEvent(ctx context.Context, p app.Process) error {
	flags := newFlags("events show", eventsUsage)
	asJSON := flags.Bool("json", false, "print a JSON object")
	id, err := parseID(flags, p)
	if err != nil {
		return err
	}
	stored, done, err := openEvents(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	e, err := stored.Show(ctx, id)
	if errors.Is(err, events.ErrNotFound) {
		return fmt.Errorf("%w: admin events list shows the ids; events are kept for 30 days", err)
	}
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(p.Stdout, "  ", reportEvent(e))
	}
	_, _ = fmt.Fprintf(p.Stdout, "%s  %s  %s\n%s\n\n", e.ID, e.Type, e.CreatedAt.Local().Format(time.DateTime), e.Body)
	table := tabwriter.NewWriter(p.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ENDPOINT\tSTATE\tATTEMPTS\tRESULT\tSTATUS\tNEXT ATTEMPT\t")
	for _, d := range reportEvent(e).Deliveries {
		next := "-"
		if d.NextAt != nil {
			next = d.NextAt.Local().Format(time.DateTime)
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%d\t%s\t\n", d.EndpointID, d.State, d.Attempts, cell(string(d.Result)), d.Status, next)
	}
	return table.Flush()
}

func replayEvents(ctx context.Context, p app.Process) error {
	flags := newFlags("events replay", eventsUsage)
	since := flags.String("since", "", "`time` of the oldest one")
	endpoint := flags.String("endpoint", "", "`id` of the only endpoint that gets them")
	event := flags.String("event", "", "`id` of the only event")
	failed := flags.Bool("failed", false, "only what an endpoint has not got after all attempts")
	yes := flags.Bool("yes", false, "do not ask")
	if err := parseFlagsOnly(flags, p); err != nil {
		return err
	}
	replay := sqlstore.Replay{Endpoint: *endpoint, Event: *event, Failed: *failed, Since: time.Unix(0, 0)}
	var err error
	switch {
	case *since != "":
		replay.Since, err = parseSince(*since, time.Now())
	case *event == "":
		err = errors.New("want -since TIME or -event ID")
	}
	if err != nil {
		return &app.UsageError{Text: "events replay: " + err.Error()}
	}
	stored, done, err := openEvents(ctx, p)
	if err != nil {
		return err
	}
	defer done()
	n, err := stored.CountReplay(ctx, replay)
	if err != nil {
		return err
	}
	if n == 0 {
		_, err := fmt.Fprintln(p.Stdout, "There is nothing to send again: no such events, or they wait for their next attempt.")
		return err
	}
	if !*yes {
		_, _ = fmt.Fprintf(p.Stdout, "%d deliveries will be made. Endpoints that have got an event get it again, with the same id.\n", n)
		if !confirmed(os.Stdin, p.Stdout) {
			return notConfirmed(p)
		}
	}
	if n, err = stored.Replay(ctx, replay); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, "%d deliveries are due now.\n", n)
	return err
}
